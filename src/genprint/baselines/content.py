"""Content controls: what colour and a thumbnail alone can tell. What they can do is not a fingerprint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow

from genprint.fingerprints.fingerprint import Fingerprinter
from genprint.images.sets import Image


class _Content(Fingerprinter):
    def _vector(self, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        return mean / max(float(np.linalg.norm(mean)), 1e-12)


class ColourQuantiles(_Content):
    """Nine quantiles of each colour channel."""

    method = "colour"

    def _features(self, images: Sequence[Image]) -> np.ndarray:
        at = np.linspace(0.1, 0.9, 9)
        return np.stack([np.quantile(image.pixels, at, axis=(0, 1)).ravel() for image in images]).astype(np.float32)


class Thumbnail(_Content):
    """The image averaged down to 8x8 pixels."""

    method = "thumbnail"

    def _features(self, images: Sequence[Image]) -> np.ndarray:
        small = [Pillow.fromarray(image.pixels).resize((8, 8), Pillow.Resampling.BOX) for image in images]
        return np.stack([np.asarray(image, np.float32).ravel() for image in small])
