"""What peers share that look at whole images: all of one size, as one array."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.fingerprints.residuals import Pixels, to_pixels
from genprint.images.decoding import Image
from genprint.images.sets import ImageSetError


class PixelFingerprinter(Fingerprinter):
    """A fingerprinter whose features of an image are a fixed function of its pixels; images must be of one size.

    The vector is the mean of the features, less their mean, at unit length: cosines are correlations.
    """

    @abstractmethod
    def describe(self, pixels: Pixels) -> np.ndarray:
        """Fingerprint, float32 ``(n, d)``, of pixel levels ``(n, 3, h, w)``."""

    def _features(self, images: Sequence[Image]) -> np.ndarray:
        sizes = {image.pixels.shape for image in images}
        if len(sizes) > 1:
            raise ImageSetError(
                f"{self.method} needs images of one size; {images[0].name} and others have {sorted(sizes)}"
            )
        return self.describe(to_pixels(np.stack([image.pixels for image in images]))).astype(np.float32)

    def _vector(self, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:  # noqa: ARG002
        centred: np.ndarray = mean - mean.mean()
        return centred / max(float(np.linalg.norm(centred)), 1e-12)


def grey(pixels: Pixels) -> np.ndarray:
    """Luma of pixel levels (ITU-R BT.601), ``(n, h, w)``."""
    luma: np.ndarray = np.einsum("nchw,c->nhw", pixels.numpy(), np.array([0.299, 0.587, 0.114], np.float32))
    return luma
