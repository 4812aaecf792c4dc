"""Decay of the spectrum, after Dzanic et al., "Fourier Spectrum Discrepancies in Deep Network Images" (2020)."""

from __future__ import annotations

import numpy as np

from genprint.baselines.durall import radial_spectrum
from genprint.baselines.pixels import FixedSize, grey
from genprint.fingerprints.residuals import Pixels

_THRESHOLD = 0.5


class SpectrumDecay(FixedSize):
    """A power law fitted to the upper half of the radial spectrum: its level, its exponent and what it misses."""

    method = "dzanic"

    def describe(self, pixels: Pixels) -> np.ndarray:
        profile = radial_spectrum(grey(pixels))
        highest = min(pixels.shape[2:]) // 2
        start = max(1, round(_THRESHOLD * highest))
        frequency = np.log(np.arange(start, highest + 1) / highest)
        tail = profile[:, start : highest + 1]
        design = np.stack([np.ones_like(frequency), frequency], axis=1)
        fitted, *_ = np.linalg.lstsq(design, tail.T, rcond=None)
        missed = np.sqrt(np.square(tail.T - design @ fitted).mean(0))
        return np.concatenate([fitted, missed[None]]).T
