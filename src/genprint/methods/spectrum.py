"""Mean spectrum of Zhang et al., "Detecting and Simulating Artifacts in GAN Fake Images" (WIFS 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genprint.artifacts import log_spectrum, to_pixels
from genprint.fingerprint import Fingerprinter
from genprint.images import Image
from genprint.methods.marra import same_size


class MeanSpectrum(Fingerprinter):
    """A source's fingerprint is the average log-spectrum of its images' high-pass residuals.

    All images must be of one size.
    """

    method = "spectrum"
    keeps_scatter = False

    def _features(self, images: Sequence[Image]) -> np.ndarray:
        pixels = np.stack([image.pixels for image in same_size(images)])
        # Real images have symmetric spectra: half of each says it all.
        half = pixels.shape[1] // 2 + 1
        return log_spectrum(to_pixels(pixels))[:, :, :half].flatten(1).numpy()

    def _vector(self, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        centred = mean - mean.mean()
        return centred / max(float(np.linalg.norm(centred)), 1e-12)
