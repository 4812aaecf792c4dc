"""What peers share that look at pixels, and what they make of images of different sizes: one rule for each kind.

- *Whole images*: peers whose features mean the same at any size take each image as it is. ``PixelFingerprinter``, and
  the content controls. The set encoder has tiles of its own.
- *Fixed size*: peers whose features are pixels, coefficients or frequencies of an image of one size, and those that
  train a network on the gallery, take the middle of each image, ``side`` x ``side`` px, where ``side`` is the smallest
  side of all the images that are compared. Nothing is resized, and the middle begins on the 8-px grid, so that the
  phases of up-sampling and the blocks of JPEG lie alike in all. ``FixedSize``.

Where all images have one size, both kinds take them whole. ``common_side`` says which it is; ``Method.reader`` asks.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np

from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.fingerprints.residuals import Pixels, middle, to_pixels
from genprint.images.decoding import Image
from genprint.images.sets import ImageSet, ImageSetError


class PixelFingerprinter(Fingerprinter):
    """A fingerprinter whose features of an image are a fixed function of its pixels, as many at any size.

    The vector is the mean of the features, less their mean, at unit length: cosines are correlations.
    """

    @abstractmethod
    def describe(self, pixels: Pixels) -> np.ndarray:
        """Fingerprint, float32 ``(n, d)``, of pixel levels ``(n, 3, h, w)``."""

    def _features(self, images: Sequence[Image]) -> np.ndarray:
        sizes = [image.pixels.shape for image in images]
        rows: dict[int, np.ndarray] = {}
        for size in dict.fromkeys(sizes):
            alike = [i for i, own in enumerate(sizes) if own == size]
            found = self.describe(to_pixels(np.stack([images[i].pixels for i in alike])))
            rows.update(zip(alike, found.astype(np.float32), strict=True))
        return np.stack([rows[i] for i in range(len(images))])

    def _vector(self, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:  # noqa: ARG002
        centred: np.ndarray = mean - mean.mean()
        return centred / max(float(np.linalg.norm(centred)), 1e-12)


class FixedSize(PixelFingerprinter):
    """A fingerprinter whose features are comparable only between images of one size.

    Args:
        side: take the middle of each image, so many pixels wide and high; None: images as they are, all of one size.
    """

    def __init__(self, side: int | None = None):
        self.side = side

    def _features(self, images: Sequence[Image]) -> np.ndarray:
        return self.describe(to_pixels(self._of_one_size(images))).astype(np.float32)

    def _of_one_size(self, images: Iterable[Image]) -> np.ndarray:
        """What it takes of images, uint8 ``(n, h, w, 3)``."""
        taken = [image.pixels if self.side is None else middle(image.pixels, self.side) for image in images]
        if len(sizes := {one.shape for one in taken}) > 1:
            raise ImageSetError(f"{self.method} needs images of one size, or a side to cut from all: {sorted(sizes)}")
        return np.stack(taken)


def of_one_size(sets: Sequence[ImageSet]) -> dict[str, np.ndarray]:
    """All images of each set in memory, uint8 ``(n, h, w, 3)``, by its name: whole, or, if sizes differ, the middles.

    Raises:
        ImageSetError: a set has no usable image.
    """
    side = common_side(sets)
    return {
        images.name: np.stack([image.pixels if side is None else middle(image.pixels, side) for image in images])
        for images in sets
    }


def common_side(sets: Iterable[ImageSet]) -> int | None:
    """The smallest side of all images, by their headers; None if they have one size."""
    sizes = {size for images in sets for size in images.sizes()}
    return min(map(min, sizes)) if len(sizes) > 1 else None


def grey(pixels: Pixels) -> np.ndarray:
    """Luma of pixel levels (ITU-R BT.601), ``(n, h, w)``."""
    luma: np.ndarray = np.einsum("nchw,c->nhw", pixels.numpy(), np.array([0.299, 0.587, 0.114], np.float32))
    return luma
