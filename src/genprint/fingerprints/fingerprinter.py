"""Fingerprinters: what maps image sets to fingerprints. One class for each method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator

from genprint.fingerprints.cache import Cache
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.originals import Images
from genprint.images.copies import Look, look
from genprint.images.decoding import FileFacts, Image
from genprint.images.processing import Processing
from genprint.images.sets import ImageSet, LeftOut

# Called with the number of images done since its last call; see also ``expect``.
Progress = Callable[[int], None]

#: Counts changes of decoding, tiling or arithmetic that make features differ from those of before.
FEATURES_VERSION = 1
_PIXELS = 2**26  # bytes of a batch: a few dozen photographs


class Fingerprinter(BaseEstimator, ABC):
    """Maps image sets to fingerprints. One subclass for each method.

    A subclass says how one image becomes features (``_features``) and how the moments of a set's features
    become its vector (``_vector``); the rest follows. Features of an image never depend on its neighbours.
    """

    #: the name the literature knows the method by
    method: ClassVar[str]
    #: whether the scatter matrix of its features fits into memory
    keeps_scatter: ClassVar[bool] = True

    @property
    def parts(self) -> int:
        """How many equal parts the features come in; scatter is kept within each."""
        return 1

    def fit(self, sets: Sequence[ImageSet], sources: Sequence[str]) -> Self:  # noqa: ARG002
        """Learns from sets of known sources. Methods without anything to learn return as they are."""
        return self

    @abstractmethod
    def _features(self, images: Sequence[Image]) -> np.ndarray:
        """Features of a few images, float32 ``(n, d)``."""

    @abstractmethod
    def _vector(self, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Unit vector of a set from its features' mean and (population) variance, each ``(d,)``."""

    @property
    def extractor_id(self) -> str:
        """Identity of the feature extractor. Features are comparable only if this is equal.

        Method, version of the features, the parameters they depend on, and the digest of what was learned. Caches,
        ledgers, galleries and reports go by it.
        """
        said = [f"{name}={value}" for name, value in sorted(self.get_params().items())]
        if learned := self._learned_digest():
            said.append(f"weights={learned}")
        return " ".join([self.method, f"features={FEATURES_VERSION}", *said])

    def _learned_digest(self) -> str:
        """SHA-256 of what features depend on and was learned; '' where nothing was."""
        return ""

    def extract(
        self,
        images: ImageSet,
        progress: Progress | None = None,
        batch: int = 64,
        cache: Cache | None = None,
        processing: Processing | None = None,
        looks: bool = False,
    ) -> Fingerprint:
        """The fingerprint of one set, in one pass that never holds more than two batches of images.

        The next batch is decoded while the features of this one are computed.

        Args:
            images: of one source.
            progress: called with the number of images done since its last call.
            batch: most images in one; fewer if they are large.
            cache: looked up first; what it lacks is added to it.
            processing: that images go through first.
            looks: whether it is kept what the images look like, so that copies in other files are found.

        Raises:
            ImageSetError: the set has no usable image.
        """
        rows: list[np.ndarray] = []
        digests: list[str] = []
        names: list[str] = []
        facts: list[FileFacts | None] = []
        sides: list[int] = []
        left_out: list[LeftOut] = []
        seen: list[Look | None] = []
        batches = _batches(images, batch, looks)
        with ThreadPoolExecutor(1, "decoder") as decoder:
            coming = decoder.submit(next, batches, None)
            while (found := coming.result()) is not None:
                coming = decoder.submit(next, batches, None)
                left_out += found.left_out
                if not found.images:
                    continue
                rows.append(self._cached(found.images, cache, processing))
                digests += [image.sha256 for image in found.images]
                names += [image.name for image in found.images]
                facts += [image.facts for image in found.images]
                seen += found.looks
                sides += [max(image.pixels.shape) for image in found.images]
                if progress:
                    progress(len(found.images))
        originals = () if processing else (Images(self, images, dict(zip(digests, names, strict=True)), cache, sides),)
        return Fingerprint(
            images.name, np.concatenate(rows), tuple(digests), self.extractor_id, self.parts, tuple(names),
            tuple(left_out), tuple(facts), originals, looks=tuple(seen),
        )  # fmt: skip

    def _cached(self, images: Sequence[Image], cache: Cache | None, processing: Processing | None = None) -> np.ndarray:
        """Features of a few images, perhaps processed, computed where the cache has none."""
        found: list[np.ndarray | None] = [None] * len(images)
        if cache:
            key = f"{self.extractor_id} after {processing!r}" if processing else self.extractor_id
            found = cache.features(key, [image.sha256 for image in images])
        missing = [i for i, row in enumerate(found) if row is None]
        if missing:
            wanted = [images[i] for i in missing]
            if processing:
                # What comes out is pixels; the file's facts are of before.
                wanted = [replace(image, pixels=processing(image.pixels[None])[0], facts=None) for image in wanted]
            fresh = self._features(wanted)
            if cache:
                cache.put_features(key, [image.sha256 for image in wanted], fresh)
            for i, row in zip(missing, fresh, strict=True):
                found[i] = row
        return np.stack([row for row in found if row is not None])

    def embed(self, fingerprint: Fingerprint) -> np.ndarray:
        """The unit vector of a fingerprint, ``(e,)``, for search and cosines."""
        return self._vector(fingerprint.mean, fingerprint.variance)

    def fingerprint(self, sets: Sequence[ImageSet], progress: Progress | None = None) -> list[Fingerprint]:
        """The fingerprint of each set."""
        return [self.extract(images, progress) for images in sets]

    def transform(self, sets: Sequence[ImageSet]) -> np.ndarray:
        """Unit vectors of sets, float32 ``(n_sets, e)``."""
        return np.stack([self.embed(found) for found in self.fingerprint(sets)]).astype(np.float32)

    def save_pretrained(self, directory: str | Path) -> None:
        """Writes config, weights and model card into a directory."""
        raise NotImplementedError(f"{self.method} has nothing to save")

    @classmethod
    def from_pretrained(cls, directory: str | Path) -> Self:
        """Reads what ``save_pretrained`` wrote."""
        raise NotImplementedError(f"{cls.method} has nothing to load")


@dataclass
class _Batch:
    images: list[Image] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def expect(progress: Progress | None, images: int | None) -> None:
    """Tells a progress how many images are to come, if it has a method ``expect``; None: not known."""
    if tell := getattr(progress, "expect", None):
        tell(images)


def _batches(images: ImageSet, most: int, looks: bool) -> Iterator[_Batch]:
    """Images in their order, ``most`` at a time or as many as fill ``_PIXELS``, and what was left out among them."""
    batch, pixels = _Batch(), 0
    for found in images.scan():
        if isinstance(found, LeftOut):
            batch.left_out.append(found)
            continue
        batch.images.append(found)
        if looks:
            batch.looks.append(look(found))
        pixels += found.pixels.size
        if len(batch.images) == most or pixels >= _PIXELS:
            yield batch
            batch, pixels = _Batch(), 0
    if batch.images or batch.left_out:
        yield batch
