"""What a generator's residuals and spectra look like, in four numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genprint.fingerprints.residuals import high_pass, log_spectrum, to_pixels

_DECIBELS = 10 / np.log(10)


@dataclass(frozen=True)
class Traces:
    """Against real images of the same size.

    Attributes:
        fine: mean log spectrum in the outer third of frequencies, against the real images', in dB.
        period_2: how far the frequencies of patterns that repeat every 2 pixels stand out of their neighbourhood, in dB.
        period_4: the same for 4 pixels.
        residual: root mean square of the mean high-pass residual, in pixel levels.
    """

    fine: float
    period_2: float
    period_4: float
    residual: float


def traces(images: np.ndarray, real: np.ndarray) -> Traces:
    """Numbers for uint8 images ``(n, h, w, 3)``, h and w multiples of 4."""
    spectrum, of_real = (log_spectrum(to_pixels(each)).mean((0, 1)).numpy() * _DECIBELS for each in (images, real))
    side = spectrum.shape[0]
    frequency = np.fft.fftshift(np.fft.fftfreq(side))
    radius = np.hypot(*np.meshgrid(frequency, frequency))
    residual = high_pass(to_pixels(images)).mean(0).square().mean().sqrt()
    return Traces(
        float((spectrum - of_real)[radius > 1 / 3].mean()),
        _stands_out(spectrum, 2),
        _stands_out(spectrum, 4),
        float(residual),
    )


def _stands_out(spectrum: np.ndarray, period: int) -> float:
    """The strongest of the lattice's own frequencies over the median of its neighbours."""
    side = spectrum.shape[0]
    step = side // period
    over = []
    for y in range(0, side, step):
        for x in range(0, side, step):
            shift_y, shift_x = (y + side // 2) % side, (x + side // 2) % side  # the centre is frequency zero
            coarser = y % (2 * step) == 0 and x % (2 * step) == 0 if period > 2 else (y, x) == (0, 0)
            if coarser:
                continue
            around = spectrum[np.ix_(*((np.arange(at - 2, at + 3) % side) for at in (shift_y, shift_x)))]
            over.append(spectrum[shift_y, shift_x] - np.median(around))
    return float(max(over))
