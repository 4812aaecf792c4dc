"""Image sets as somebody else may send them on: saved anew, made smaller, cropped. Nothing is written to disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PIL import Image as Pillow

from genprint.images.decoding import Content, Image
from genprint.images.members import Member
from genprint.images.processing import Jpeg, Processing, WebP
from genprint.images.sets import ImageSet


@dataclass(frozen=True, eq=False)
class Delivered:
    """Images of a set after a processing, each made when its turn comes.

    Saved as JPEG or WebP, an image is the file, whose header says how it was saved, as that of a file from outside
    does. After anything else it is pixels, as of a file without loss.

    Attributes:
        images: the set.
        digests: SHA-256 of those of its images that are taken.
        processing: what is done to each.
    """

    images: ImageSet
    digests: frozenset[str] = field(repr=False)
    processing: Processing

    def __len__(self) -> int:
        return len(self.digests)

    def __iter__(self) -> Iterator[Member]:
        for image in self.images:
            if image.sha256 in self.digests:
                yield image.name, partial(self._read, image)

    def _read(self, image: Image) -> Content:
        if isinstance(self.processing, Jpeg | WebP):
            return self.processing.encode(Pillow.fromarray(image.pixels))
        (made,) = self.processing(image.pixels[None])
        return np.asarray(made)
