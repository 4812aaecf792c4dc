"""Covariance of the residual's neighbourhoods: a strong baseline without any learning."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F

from genprint.baselines.pixels import PixelFingerprinter
from genprint.fingerprints.residuals import Pixels, high_pass

_LIMIT = 8.0


class NeighbourhoodCovariance(PixelFingerprinter):
    """Covariance of the high-pass residual's 3x3 neighbourhoods in all channels, limited by tanh at 8 levels.

    27 x 27 numbers, of which one triangle counts; scored by shrunk linear discriminants.
    """

    method = "covariance"

    def describe(self, pixels: Pixels) -> np.ndarray:
        residual = _LIMIT * (high_pass(pixels) / _LIMIT).tanh()
        around = F.unfold(residual, 3).numpy().transpose(0, 2, 1)
        centred = around - around.mean(1, keepdims=True)
        covariance: np.ndarray = centred.transpose(0, 2, 1) @ centred / centred.shape[1]
        return covariance[:, *np.triu_indices(covariance.shape[1])]
