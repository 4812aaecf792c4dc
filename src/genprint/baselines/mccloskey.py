"""Saturation statistics of McCloskey & Albright, "Detecting GAN-generated Imagery using Color Cues" (2018)."""

from __future__ import annotations

import numpy as np

from genprint.baselines.pixels import PixelFingerprinter
from genprint.fingerprints.residuals import Pixels

_STEPS = 5


class Saturation(PixelFingerprinter):
    """Shares of over- and under-exposed pixels of each channel, at five thresholds from either end."""

    method = "mccloskey"

    def describe(self, pixels: Pixels) -> np.ndarray:
        levels = pixels.flatten(2).numpy()
        over = [(levels >= 255 - step).mean(2) for step in range(_STEPS)]
        under = [(levels <= step).mean(2) for step in range(_STEPS)]
        return np.concatenate([*over, *under], axis=1)
