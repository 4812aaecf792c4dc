"""Mean spectrum of Zhang et al., "Detecting and Simulating Artifacts in GAN Fake Images" (WIFS 2019)."""

from __future__ import annotations

import numpy as np

from genprint.baselines.pixels import FixedSize
from genprint.fingerprints.residuals import Pixels, log_spectrum


class MeanSpectrum(FixedSize):
    """A source's fingerprint is the average log-spectrum of its images' high-pass residuals; correlation."""

    method = "spectrum"
    keeps_scatter = False

    def describe(self, pixels: Pixels) -> np.ndarray:
        # Real images have symmetric spectra: half of each says it all.
        half = pixels.shape[2] // 2 + 1
        return log_spectrum(pixels)[:, :, :half].flatten(1).numpy()
