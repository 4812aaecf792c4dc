"""Mean noise residual of Marra et al., "Do GANs leave artificial fingerprints?" (MIPR 2019)."""

from __future__ import annotations

import numpy as np

from genprint.baselines.pixels import FixedSize
from genprint.fingerprints.residuals import Pixels, wavelet_residual


class MeanResidual(FixedSize):
    """A source's fingerprint is the average of its images' wavelet residuals; sets compare by correlation.

    The probe's residuals are averaged too.
    """

    method = "marra"
    keeps_scatter = False

    def describe(self, pixels: Pixels) -> np.ndarray:
        return wavelet_residual(pixels).flatten(1).numpy()
