"""Forensic self-descriptions of Nguyen, Azizpour & Stamm, "Forensic Self-Descriptions Are All You Need" (CVPR 2025).

(arXiv 2503.21003.) What the paper and its authors' public program say: predictive filters, whose weights around a
pixel sum to one, give residuals of the grey image, which are what a pixel differs by from its prediction; one linear
model for all of three scales, each half the one before, predicts residuals from the 11x11 window around them, without
its middle; its parameters, found by regularised least squares, describe the image.

Our reading: the filters are eight fixed ones (theirs are eight of 15x15, learned from real images, which a peer that
is given none cannot have); a residual is predicted from its own window (theirs: the sum of all from the windows of
all, which has no single solution where filters are small, for one filter after another is the other after the one);
the parameters at opposite lags are equal, as those of the best prediction from all around are; the normal equations
follow from autocorrelations, with zeros outside the image; images are never resized; no constraint on the parameters'
sum; and linear discriminants score (theirs: Gaussian mixtures).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from genprint.baselines.pixels import PixelFingerprinter, grey
from genprint.fingerprints.residuals import Pixels

_SCALES, _LAG = 3, 5
_RIDGE = 1e-3  # of the residual's power
_FLOOR = 1e-4  # levels squared, for images with nothing in them

# Weights of predictions by (row, column) from the pixel that is predicted.
FILTERS: tuple[dict[tuple[int, int], float], ...] = (
    {(0, -1): 0.5, (0, 1): 0.5},
    {(-1, 0): 0.5, (1, 0): 0.5},
    {(-1, -1): 0.5, (1, 1): 0.5},
    {(-1, 1): 0.5, (1, -1): 0.5},
    {(0, -2): -1 / 6, (0, -1): 2 / 3, (0, 1): 2 / 3, (0, 2): -1 / 6},
    {(-2, 0): -1 / 6, (-1, 0): 2 / 3, (1, 0): 2 / 3, (2, 0): -1 / 6},
    {(0, -1): 1.0, (-1, 0): 1.0, (-1, -1): -1.0},
    {(0, 1): 1.0, (-1, 0): 1.0, (-1, 1): -1.0},
)
_REACH = 2

#: half of the lags of an 11x11 window, ``(60, 2)``; the others are their opposites
LAGS = np.array([(y, x) for y in range(_LAG + 1) for x in range(-_LAG, _LAG + 1) if (y, x) > (0, 0)])


class SelfDescription(PixelFingerprinter):
    """How each of eight residuals follows from itself at 60 lags of up to five pixels, at three scales together."""

    method = "self_description"

    def describe(self, pixels: Pixels) -> np.ndarray:
        """Parameters, float32 ``(n, 480)``: of each filter, those at ``LAGS``."""
        parts = torch.from_numpy(grey(pixels))[:, None].split(8)
        return np.concatenate([self_description(part).flatten(1).float().numpy() for part in parts])


def self_description(levels: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 8 60"]:
    """The least-squares parameters of grey images' residuals, float64."""
    parts = F.conv2d(levels, _kernels())
    power = torch.zeros(*parts.shape[:2], 4 * _LAG + 1, 4 * _LAG + 1, dtype=torch.float64)
    count = 0
    for _ in range(_SCALES):
        power += autocorrelation(parts, 2 * _LAG)
        count += parts.shape[2] * parts.shape[3]
        parts = F.avg_pool2d(parts, 2)
    power /= count
    at = 2 * _LAG + torch.from_numpy(LAGS)
    right = power[..., at[:, 0], at[:, 1]]
    # A lag and its opposite have one parameter: of products of such pairs, half the mean is the sum of two.
    apart, along = (2 * _LAG + LAGS[:, None] + sign * LAGS[None] for sign in (-1, 1))
    left = power[..., apart[..., 0], apart[..., 1]] + power[..., along[..., 0], along[..., 1]]
    ridge = _RIDGE * power[..., 2 * _LAG, 2 * _LAG] + _FLOOR
    left.diagonal(dim1=-2, dim2=-1).add_(ridge[..., None])
    solved: Tensor = torch.linalg.solve(left, right[..., None])
    return solved[..., 0]


def autocorrelation(maps: Float[Tensor, "n k h w"], most: int) -> Float[Tensor, "n k lags lags"]:
    """Sums of products of values at lags of -most to most in both directions, zero outside; float64."""
    size = [max(length, most + 1) + most for length in maps.shape[2:]]  # so that no two lags fall together
    spectrum = torch.fft.rfft2(maps.double(), s=size)
    sums = torch.fft.irfft2(spectrum.abs().square(), s=size)
    return torch.roll(sums, (most, most), (2, 3))[..., : 2 * most + 1, : 2 * most + 1]


def _kernels() -> Float[Tensor, "8 1 5 5"]:
    """Each filter's residual: the pixel less its prediction."""
    kernels = torch.zeros(len(FILTERS), 1, 2 * _REACH + 1, 2 * _REACH + 1)
    kernels[:, :, _REACH, _REACH] = 1
    for kernel, weights in zip(kernels, FILTERS, strict=True):
        for (y, x), weight in weights.items():
            kernel[0, _REACH + y, _REACH + x] -= weight
    return kernels
