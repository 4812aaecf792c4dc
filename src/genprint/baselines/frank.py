"""DCT coefficients of Frank et al., "Leveraging Frequency Analysis for Deep Fake Image Recognition" (ICML 2020)."""

from __future__ import annotations

import numpy as np
from scipy.fft import dctn

from genprint.baselines.pixels import FixedSize, grey
from genprint.fingerprints.residuals import Pixels


class LogDCT(FixedSize):
    """Log magnitudes of the grey image's DCT, scored by shrunk linear discriminants (theirs: ridge regression, CNN)."""

    method = "frank"

    def describe(self, pixels: Pixels) -> np.ndarray:
        magnitude: np.ndarray = np.abs(dctn(grey(pixels), axes=(1, 2), norm="ortho"))
        # A coefficient below a hundredth of a level is rounding; its logarithm would be noise.
        logs: np.ndarray = np.log(magnitude + 0.01)
        return logs.reshape(len(magnitude), -1)
