"""Radial spectrum of Durall et al., "Watch your Up-Convolution" (CVPR 2020)."""

from __future__ import annotations

import numpy as np

from genprint.baselines.pixels import FixedSize, grey
from genprint.fingerprints.residuals import Pixels


def radial_spectrum(images: np.ndarray) -> np.ndarray:
    """Log of the power spectrum averaged over rings of integer radius, by that of radius zero: ``(n, radii)``.

    The paper's azimuthal integration (equation 3), on ``(n, h, w)`` images.
    """
    height, width = images.shape[1:]
    power = np.abs(np.fft.fft2(images)) ** 2
    fy, fx = np.fft.fftfreq(height) * height, np.fft.fftfreq(width) * width
    rings = np.hypot(fy[:, None], fx[None]).round().astype(int).ravel()
    sums = np.stack([np.bincount(rings, weights) for weights in power.reshape(len(images), -1)])
    profile = np.log(sums / np.bincount(rings) + 1e-8)
    return profile - profile[:, :1]


class RadialSpectrum(FixedSize):
    """The radial power spectrum of grey images, scored by shrunk linear discriminants (theirs: an SVM)."""

    method = "durall"

    def describe(self, pixels: Pixels) -> np.ndarray:
        return radial_spectrum(grey(pixels))[:, 1:]
