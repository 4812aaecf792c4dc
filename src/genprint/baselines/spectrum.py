"""Mean spectrum of Zhang et al., "Detecting and Simulating Artifacts in GAN Fake Images" (WIFS 2019)."""

from __future__ import annotations

import numpy as np

from genprint.baselines.pixels import FixedSize
from genprint.fingerprints.residuals import Pixels, half_spectrum


class MeanSpectrum(FixedSize):
    """A source's fingerprint is the average log-spectrum of its images' high-pass residuals; correlation."""

    method = "spectrum"
    keeps_scatter = False

    def describe(self, pixels: Pixels) -> np.ndarray:
        return half_spectrum(pixels)
