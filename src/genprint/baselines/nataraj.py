"""Co-occurrence of levels, after Nataraj et al., "Detecting GAN generated Fake Images using Co-occurrence" (2019)."""

from __future__ import annotations

import numpy as np

from genprint.baselines.pixels import PixelFingerprinter
from genprint.fingerprints.residuals import Pixels

_BINS = 16


class CoOccurrence(PixelFingerprinter):
    """How often each pair of levels lies side by side, for each channel, levels in 16 bins.

    Square roots of shares (so that rare pairs count), scored by shrunk linear discriminants; theirs is a network
    on matrices of all 256 levels, which a few images of 32 px leave empty.
    """

    method = "nataraj"

    def describe(self, pixels: Pixels) -> np.ndarray:
        bins = (pixels.numpy() * _BINS / 256).astype(int)
        pairs = bins[..., :-1] * _BINS + bins[..., 1:]
        flat = pairs.reshape(len(pairs) * 3, -1)
        counts = np.stack([np.bincount(row, minlength=_BINS**2) for row in flat])
        roots: np.ndarray = np.sqrt(counts / flat.shape[1])
        return roots.reshape(len(pairs), -1)
