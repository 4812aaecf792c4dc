"""Content controls: what colour and a thumbnail alone can tell. What they can do is not a fingerprint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.images.content import colour_quantiles, thumbnail
from genprint.images.decoding import Image


class _Content(Fingerprinter):
    def _vector(self, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:  # noqa: ARG002
        return mean / max(float(np.linalg.norm(mean)), 1e-12)


class ColourQuantiles(_Content):
    """Nine quantiles of each colour channel."""

    method = "colour"

    def _features(self, images: Sequence[Image]) -> np.ndarray:
        return np.stack([colour_quantiles(image.pixels) for image in images])


class Thumbnail(_Content):
    """The image averaged down to 8x8 pixels."""

    method = "thumbnail"

    def _features(self, images: Sequence[Image]) -> np.ndarray:
        return np.stack([thumbnail(image.pixels) for image in images])
