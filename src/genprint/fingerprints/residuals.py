"""Front ends: from the pixels of an image to the artifact its source left in it.

Every front end maps a batch of pixel levels, float32 ``(n, 3, h, w)`` in 0..255, to an array of the same
shape. Each image is processed by itself.

Example:
    >>> import torch
    >>> flat = torch.full((1, 3, 16, 16), 128.0)
    >>> float(high_pass(flat).abs().max())
    0.0
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from genprint.images.sets import ImageSetError

Pixels = Float[Tensor, "n 3 h w"]
_GRID = 8  # px, of JPEG's blocks; a multiple of what up-sampling repeats at


def to_pixels(images: np.ndarray, device: torch.device | str = "cpu") -> Pixels:
    """Images, uint8 ``(n, h, w, 3)``, as the batch every front end takes."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float()


def to_images(pixels: Pixels) -> np.ndarray:
    """Such a batch as images again, uint8 ``(n, h, w, 3)``; of pixel levels 0..255, the whole part."""
    images: np.ndarray = pixels.permute(0, 2, 3, 1).numpy().astype(np.uint8)
    return images


def raw(pixels: Pixels) -> Pixels:
    """The pixels themselves, scaled to -1..1."""
    return pixels / 127.5 - 1


def high_pass(pixels: Pixels) -> Pixels:
    """Pixels minus their 3x3 binomial blur (reflected borders), in pixel levels."""
    padded = F.pad(pixels, (1, 1, 1, 1), mode="reflect")
    # Sums of shifted pixels take a third of the time of a convolution of three channels.
    rows = (padded[:, :, :-2] + padded[:, :, 2:]).add_(padded[:, :, 1:-1], alpha=2)
    blurred = (rows[..., :-2] + rows[..., 2:]).add_(rows[..., 1:-1], alpha=2)
    return torch.sub(pixels, blurred, alpha=1 / 16)


def median_residual(pixels: Pixels, size: int = 3) -> Pixels:
    """Pixels minus their median over a ``size`` x ``size`` window (reflected borders), in pixel levels."""
    from scipy.ndimage import median_filter

    image = pixels.cpu().numpy()
    return torch.from_numpy(image - median_filter(image, size=(1, 1, size, size), mode="mirror"))


def wavelet_residual(pixels: Pixels) -> Pixels:
    """Pixels minus their wavelet-denoised version (BayesShrink, soft threshold), in pixel levels.

    The noise residual of Marra et al., "Do GANs leave artificial fingerprints?" (MIPR 2019), with
    scikit-image's denoiser in place of theirs.
    """
    from skimage.restoration import denoise_wavelet

    images = pixels.cpu().numpy().transpose(0, 2, 3, 1)
    # A constant image has no noise to estimate; the denoiser would divide by it.
    denoised = [
        denoise_wavelet(image, channel_axis=-1, rescale_sigma=False) if image.std() > 0 else image for image in images
    ]
    return torch.from_numpy((images - np.stack(denoised)).transpose(0, 3, 1, 2).astype(np.float32))


def log_spectrum(pixels: Pixels) -> Pixels:
    """Log power spectrum (natural log, zero frequency in the centre) of the high-pass residual."""
    power = torch.fft.fft2(high_pass(pixels), norm="ortho").abs().square()
    # One level squared: the floor that rounding to 8 bits leaves anyway.
    spectrum: Tensor = torch.fft.fftshift(torch.log(power + 1.0), dim=(-2, -1))
    return spectrum


def half_spectrum(pixels: Pixels) -> np.ndarray:
    """Half of the log spectrum, float32 ``(n, d)``: real images have symmetric spectra, so that it says it all."""
    half = pixels.shape[2] // 2 + 1
    spectrum: np.ndarray = log_spectrum(pixels)[:, :, :half].flatten(1).numpy()
    return spectrum


def middle(pixels: np.ndarray, side: int) -> np.ndarray:
    """The middle ``(side, side, 3)`` of an image ``(h, w, 3)``, begun on the 8-px grid.

    Raises:
        ImageSetError: the image is smaller.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < side:
        raise ImageSetError(f"an image of {width} x {height} px has no part of {side} x {side} px")
    top, left = ((length - side) // 2 // _GRID * _GRID for length in (height, width))
    return pixels[top : top + side, left : left + side]


FRONT_ENDS: dict[str, Callable[[Pixels], Pixels]] = {
    "raw": raw,
    "high_pass": high_pass,
    "median_residual_3": partial(median_residual, size=3),
    "median_residual_9": partial(median_residual, size=9),
    "wavelet_residual": wavelet_residual,
    "log_spectrum": log_spectrum,
}


def front_end(name: str) -> Callable[[Pixels], Pixels]:
    """The front end of that name.

    Raises:
        KeyError: no such front end; the message lists those there are.
    """
    try:
        return FRONT_ENDS[name]
    except KeyError:
        raise KeyError(f"no front end {name!r}; there are: {', '.join(FRONT_ENDS)}") from None
