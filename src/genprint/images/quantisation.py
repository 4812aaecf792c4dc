"""What quantisation leaves in the block transform of an image: its coefficients lie near multiples of a step.

Coefficients of many images are pooled in histograms, by mode of the 8x8 cosine transform and by grid; steps are then
told from the histograms alone. Luminance only, by multiples of libjpeg's tables. After Fan and de Queiroz,
Identification of bitmap compression history, IEEE Trans. Image Processing 12(2), 2003; for what was saved again off the
grid, Bianchi and Piva, Detection of nonaligned double JPEG compression, IEEE Trans. Information Forensics and Security
7(2), 2012; on the grid, Lukas and Fridrich, Estimation of primary quantization matrix in double compressed JPEG images,
DFRWS 2003.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import dct
from scipy.stats import norm

from genprint.images.headers import standard_tables
from genprint.images.processing import Jpeg

QUALITIES = np.arange(10, 100)
MODES = 64
_WIDTH, _BINS = 0.25, 256  # of the histograms of magnitudes
_STEPS = round(_WIDTH * _BINS)  # the largest step that shows, + 1
# Modes that all grids are judged by: coarse qualities show in the low ones, fine ones in the high. Row, then column.
_JUDGES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (2, 2), (0, 4), (3, 1), (1, 3), (3, 3), (2, 4), (4, 2), (4, 4))
JUDGES = np.array([8 * down + right for down, right in _JUDGES])
# Sides of the middle of an image that is looked at: on all grids, and on one.
_SIDE_ALL, _SIDE_ONE = 208, 384
# Standard deviation of coefficients about multiples of a step: rounding to levels alone is 12^-1/2, saving again more.
# A step is not looked for where they are spread over more than that share of it.
_SPREADS, _MOST_SPREAD = np.array([12**-0.5, 0.5, 0.8, 1.3, 2.0, 3.2, 4.5, 6.0]), 0.4
_OUTLIERS = 0.02  # share of coefficients that may lie anywhere
_FEWEST = 64  # blocks by which a density is estimated
_TRANSFORM = dct(np.eye(8), axis=0, norm="ortho").astype(np.float32)


@cache
def _tables() -> np.ndarray:
    """Luminance steps by quality and mode."""
    return np.array([standard_tables(int(quality))[0] for quality in QUALITIES])


def _luminance(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luminance, and which pixels are cut off at black or white.

    Rounding to whole levels gives back what the decoder had before it made colours of it, in most pixels.
    """
    red, green, blue = (pixels[:, :, channel].astype(np.float32) for channel in range(3))
    cut = (pixels == 0) | (pixels == 255)
    return np.rint(0.299 * red + 0.587 * green + 0.114 * blue), cut[:, :, 0] | cut[:, :, 1] | cut[:, :, 2]


def middle(pixels: np.ndarray, side: int = _SIDE_ONE) -> np.ndarray:
    """The middle of an image, of that side and 7 pixels more; it begins at a whole number of blocks."""
    top, left = (max(0, length - side) // 16 * 8 for length in pixels.shape[:2])
    return pixels[top : top + side + 7, left : left + side + 7]


def all_grids(pixels: np.ndarray) -> np.ndarray:
    """Histograms ``(judges, 64 grids, bins)`` of the coefficients of an image; grid ``8 * down + right``."""
    levels, cut = _luminance(middle(pixels, _SIDE_ALL))
    height, width = ((length - 7) // 8 * 8 for length in levels.shape)
    levels = levels[: height + 7, : width + 7]
    sums = np.zeros((height + 8, width + 8), np.int32)
    sums[1:, 1:] = cut[: height + 7, : width + 7].cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32)
    whole = sums[8:, 8:] - sums[:-8, 8:] - sums[8:, :-8] + sums[:-8, :-8] == 0
    grids = (np.arange(height) % 8)[:, None] * 8 + np.arange(width) % 8
    places = np.where(whole, grids * _BINS, MODES * _BINS).astype(np.int32)
    windows = sliding_window_view(levels, 8, axis=1)
    across = {right: windows @ _TRANSFORM[right] for right in {right for _, right in _JUDGES}}
    found = np.empty((len(JUDGES), 64, _BINS), np.float32)
    for i, (down, right) in enumerate(_JUDGES):
        coefficients = sum(_TRANSFORM[down, row] * across[right][row : row + height] for row in range(8))
        counts = np.bincount((places + _bins(np.asarray(coefficients))).ravel(), minlength=65 * _BINS)
        found[i] = counts[: 64 * _BINS].reshape(64, _BINS)
    return found


def one_grid(pixels: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Histograms ``(modes, bins)`` of the coefficients of an image in blocks that begin at a grid's offset."""
    levels, cut = _luminance(middle(pixels)[grid[0] :, grid[1] :])
    down, right = (length // 8 for length in levels.shape)
    blocks = levels[: 8 * down, : 8 * right].reshape(down, 8, right, 8).transpose(0, 2, 1, 3).reshape(-1, 8, 8)
    whole = ~cut[: 8 * down, : 8 * right].reshape(down, 8, right, 8).any((1, 3)).ravel()
    coefficients = (_TRANSFORM @ blocks[whole] @ _TRANSFORM.T).reshape(-1, MODES)
    places = _bins(coefficients) + np.arange(MODES, dtype=np.int32) * _BINS
    return np.bincount(places.ravel(), minlength=MODES * _BINS).reshape(MODES, _BINS).astype(np.float32)


def _bins(coefficients: np.ndarray) -> np.ndarray:
    """The last one is for all that is larger, and says nothing."""
    bins: np.ndarray = np.minimum(np.abs(coefficients) * (1 / _WIDTH), _BINS - 1).astype(np.int32)
    return bins


@cache
def _gains() -> np.ndarray:
    """Log likelihood ratio of a coefficient by spread, step and bin: that it was quantised with the step.

    The density within a step of where it would lie else is taken to be flat. It is not next to zero, where
    coefficients of high modes are anyway: that they are near zero does not count, that they are not does.
    """
    magnitudes, steps = (np.arange(_BINS) + 0.5) * _WIDTH, np.arange(1, _STEPS)[:, None]
    multiple = np.rint(magnitudes / steps)
    off, spreads = magnitudes - steps * multiple, _SPREADS[:, None, None]
    density = sum(norm.pdf(off + around * steps, scale=spreads) for around in range(-3, 4)) * steps
    gains: np.ndarray = np.log((1 - _OUTLIERS) * density + _OUTLIERS)
    gains = np.where(multiple == 0, np.minimum(gains, 0), gains)
    gains[:, :, -1] = 0
    gains[np.broadcast_to(spreads > _MOST_SPREAD * steps, gains.shape)] = 0
    return gains.astype(np.float32)


def by_step(histograms: np.ndarray) -> np.ndarray:
    """Log likelihood ratio ``(steps, ...)`` of histograms ``(..., bins)``, at the likeliest spread; never below 0.

    A mode that says nothing for a step does not speak against it: after saving again, high modes are lost.
    """
    gains = _gains()
    flat = histograms.reshape(-1, _BINS).T
    found = np.zeros((1 + gains.shape[1], flat.shape[1]), np.float32)  # of step 0, nothing
    for of_spread in gains:
        np.maximum(found[1:], of_spread @ flat, out=found[1:])
    return found.reshape(-1, *histograms.shape[:-1])


def by_quality(steps: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """Log likelihood ratio ``(qualities, ...)``, summed over modes, of ``by_step``'s ``(steps, modes, ...)``."""
    tables = _tables()[:, modes]
    tables = np.where(tables < len(steps), tables, 0)
    return np.stack([steps[table, np.arange(len(modes))].sum(0) for table in tables])


def earlier_on_grid(last: np.ndarray, shifted: np.ndarray, once: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Log likelihood ratio by quality that images saved with a table had been saved before, on the same grid.

    An earlier step makes some multiples of the later one commoner and others rarer, by a ratio that follows from how
    coefficients lie without either. Images that were saved once are the null hypothesis.

    Args:
        last: histograms ``(modes, bins)`` on the grid.
        shifted: the same half a block off, where coefficients lie as if they had never been quantised.
        once: of such images that were saved with the table, but on that grid not before.
        table: luminance steps of the last saving, by mode.
    """
    magnitudes = ((np.arange(_BINS) + 0.5) * _WIDTH)[:-1]
    found = np.zeros((_STEPS, MODES), np.float32)
    seen = np.minimum(shifted[:, :-1].sum(1), once[:, :-1].sum(1))
    for mode in range(1, MODES):
        step = int(table[mode])
        if not 1 < step < _STEPS // 4 or seen[mode] < _FEWEST:
            continue
        multiples = np.rint(magnitudes / step).astype(int)
        observed, expected = (np.bincount(multiples, of[mode, :-1]) for of in (last, once))
        expected = expected / expected.sum()
        density = shifted[mode, :-1] / shifted[mode, :-1].sum()
        plain = np.bincount(multiples, density) + 0.5 / seen[mode]
        kept = _kept(step)[:, : len(plain)]
        for first in range(2, _STEPS // 2):
            on = np.bincount((first * np.rint(magnitudes / first)).astype(int), density, minlength=len(kept))
            ratio = 0.9 * (on[: len(kept)] @ kept) / plain + 0.1
            gain = np.log(ratio / max(1.0, float(expected @ ratio)))  # where both agree that it is one
            found[first, mode] = max(0.0, float(observed @ gain))
    return by_quality(found, np.arange(MODES))


@cache
def _kept(step: int) -> np.ndarray:
    """Probability that a coefficient of so many units is saved as so many steps; rounding to levels lies between."""
    units, edges = np.arange(_STEPS + 32)[:, None], (np.arange(_BINS * _WIDTH / step + 2) - 0.5) * step
    below = norm.cdf(edges, units, 0.35)
    return np.diff(below, axis=1)


def table_of(jpeg: Jpeg) -> np.ndarray:
    """The luminance steps of a JPEG, by mode."""
    return np.array(jpeg.tables[0] if jpeg.tables else standard_tables(jpeg.quality)[0])
