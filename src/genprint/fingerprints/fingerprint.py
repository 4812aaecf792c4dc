"""Fingerprints, and what maps image sets to them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator

import genprint
from genprint.fingerprints.cache import FeatureCache
from genprint.images.processing import Change
from genprint.images.sets import Image, ImageSet, ImageSetError, LeftOut

_PIXELS = 2**26  # bytes of a batch: a few dozen photographs


@dataclass(frozen=True)
class Features:
    """Features of single images, float32 ``(n, d)``, with their images' digests and what was left out.

    ``names`` are the images' names, where these are known; ``after`` holds features ``(n, d)`` of the same images after
    one change or another, by its name.
    """

    values: np.ndarray = field(repr=False)
    digests: tuple[str, ...] = field(repr=False)
    left_out: tuple[LeftOut, ...] = ()
    names: tuple[str, ...] = field(default=(), repr=False)
    after: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, chosen: Sequence[int] | np.ndarray) -> Features:
        """The features of some of the images."""
        names = tuple(self.names[i] for i in chosen) if self.names else ()
        after = {change: values[chosen] for change, values in self.after.items()}
        return Features(self.values[chosen], tuple(self.digests[i] for i in chosen), names=names, after=after)

    def with_history(self, change: str) -> Features:
        """These images' features after a change; as they are where there are none after it."""
        return replace(self, values=self.after.get(change, self.values), after={})

    def without(self, enrolled: Mapping[str, Features]) -> Features:
        """These images' features but for those that are enrolled, which are left out: the same file proves nothing new.

        Raises:
            ImageSetError: all are enrolled.
        """
        owners = {digest: name for name, own in enrolled.items() for digest in own.digests}
        names = self.names or self.digests
        shared = [
            LeftOut(name, f"the same file is enrolled, as of {owners[digest]}")
            for name, digest in zip(names, self.digests, strict=True)
            if digest in owners
        ]
        if not shared:
            return self
        if len(shared) == len(self):
            raise ImageSetError(
                f"all {len(self)} images are enrolled themselves ({shared[0].name}: {shared[0].reason}); "
                "give images that are not"
            )
        kept = [i for i, digest in enumerate(self.digests) if digest not in owners]
        return replace(self[kept], left_out=(*self.left_out, *shared))


def check_disjoint(name: str, features: Features, other: str, others: Features) -> None:
    """Refuses two sets that share an image: compared with itself, it says nothing of its source.

    Raises:
        ImageSetError: they do.
    """
    if shared := len(set(features.digests) & set(others.digests)):
        raise ImageSetError(f"{name} and {other}: {shared} images are in both; leave them out of one")


@dataclass(frozen=True)
class Fingerprint:
    """What one image set left in feature space.

    Additive: ``a + b`` is the fingerprint of both sets together, but for ``vector``, which only their
    fingerprinter can renew.

    Attributes:
        source: name of the set.
        count: number of images.
        mean: ``(d,)`` mean of their features.
        scatter: ``(parts, d / parts, d / parts)`` sum of outer products of deviations from the mean, within each of the
            equal parts that the features come in; None where d is too large for it.
        digests: SHA-256 of each image's file.
        vector: ``(e,)`` unit-length view, for search and trees.
    """

    source: str
    count: int
    mean: np.ndarray = field(repr=False)
    scatter: np.ndarray | None = field(repr=False)
    digests: tuple[str, ...] = field(repr=False)
    vector: np.ndarray = field(repr=False)

    def __add__(self, other: Fingerprint) -> Fingerprint:
        count = self.count + other.count
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.count / count)
        scatter = None
        if self.scatter is not None and other.scatter is not None:
            # Chan, Golub & LeVeque (1983), equation 2.1
            parts = apart.reshape(len(self.scatter), -1)
            outer = parts[:, :, None] * parts[:, None]
            scatter = self.scatter + other.scatter + outer * (self.count * other.count / count)
        vector = np.full_like(self.vector, np.nan)
        return Fingerprint(self.source, count, mean, scatter, self.digests + other.digests, vector)


def by_part(features: np.ndarray, parts: int) -> np.ndarray:
    """Features ``(n, d)`` as ``(parts, n, d / parts)``."""
    return features.reshape(len(features), parts, -1).swapaxes(0, 1)


def scatter_of(fingerprint: Fingerprint) -> np.ndarray:
    """The scatter, or an error that says it is not there."""
    if fingerprint.scatter is None:
        raise ValueError(f"{fingerprint.source}: this scorer needs fingerprints with their scatter")
    return fingerprint.scatter


Progress = Callable[[int], None]


def _batches(images: Iterable[Image], most: int) -> Iterator[list[Image]]:
    """Images in their order, ``most`` at a time, or as many as have ``_PIXELS`` pixels together."""
    own: list[Image] = []
    pixels = 0
    for image in images:
        own.append(image)
        pixels += image.pixels.size
        if len(own) == most or pixels >= _PIXELS:
            yield own
            own, pixels = [], 0
    if own:
        yield own


class Fingerprinter(BaseEstimator, ABC):
    """Maps image sets to fingerprints. One subclass for each method.

    A subclass says how one image becomes features (``_features``) and how the moments of a set's features
    become its vector (``_vector``); the rest follows. Features of an image never depend on its neighbours.
    """

    #: the name the literature knows the method by
    method: ClassVar[str]
    #: whether fingerprints keep the scatter matrix of their features
    keeps_scatter: ClassVar[bool] = True

    @property
    def parts(self) -> int:
        """How many equal parts the features come in; scatter is kept within each."""
        return 1

    def fit(self, sets: Sequence[ImageSet], sources: Sequence[str]) -> Self:
        """Learns from sets of known sources. Methods without anything to learn return as they are."""
        return self

    @abstractmethod
    def _features(self, images: Sequence[Image]) -> np.ndarray:
        """Features of a few images, float32 ``(n, d)``."""

    @abstractmethod
    def _vector(self, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Unit vector of a set from its features' mean and (population) variance, each ``(d,)``."""

    def maker(self) -> str:
        """What features follow from besides the image: method, parameters, and the digest of what was learned."""
        learned = getattr(self, "weights_digest_", "")
        return f"{genprint.__version__} {self.method} {json.dumps(self.get_params(), sort_keys=True)} {learned}".strip()

    def features(
        self,
        images: ImageSet,
        progress: Progress | None = None,
        batch: int = 64,
        cache: FeatureCache | None = None,
        histories: Mapping[str, Change] = {},
    ) -> Features:
        """Features of each image of a set, in one pass that never holds more than two batches of images.

        The next batch is decoded while features are made of this one.

        Args:
            batch: most images in one; fewer if they are large.
            cache: asked first, and told what was not there.
            histories: changes after which features of the same images are wanted too.

        Raises:
            ImageSetError: the set has no usable image.
        """
        rows: list[np.ndarray] = []
        after: dict[str, list[np.ndarray]] = {name: [] for name in histories}
        digests: list[str] = []
        names: list[str] = []
        batches = _batches(images, batch)
        with ThreadPoolExecutor(1, "decoder") as decoder:
            coming = decoder.submit(next, batches, None)
            while own := coming.result():
                coming = decoder.submit(next, batches, None)
                rows.append(self._cached(own, cache, self.maker()))
                for name, change in histories.items():
                    after[name].append(self._cached(own, cache, f"{self.maker()} after {name}", change))
                digests += [image.sha256 for image in own]
                names += [image.name for image in own]
                if progress:
                    progress(len(own))
        changed = {name: np.concatenate(own) for name, own in after.items()}
        return Features(np.concatenate(rows), tuple(digests), tuple(images.left_out), tuple(names), changed)

    def _cached(
        self, images: Sequence[Image], cache: FeatureCache | None, maker: str, change: Change | None = None
    ) -> np.ndarray:
        """Features of a few images, perhaps changed, computed where the cache has none."""
        found = cache.get(maker, [image.sha256 for image in images]) if cache else [None] * len(images)
        missing = [i for i, row in enumerate(found) if row is None]
        if missing:
            wanted = [images[i] for i in missing]
            if change:
                wanted = [replace(image, pixels=change(image.pixels[None])[0]) for image in wanted]
            fresh = self._features(wanted)
            if cache:
                cache.put(maker, [image.sha256 for image in wanted], fresh)
            for i, row in zip(missing, fresh, strict=True):
                found[i] = row
        return np.stack([row for row in found if row is not None])

    def summarise(self, features: Features, source: str, vector: bool = True, scatter: bool = True) -> Fingerprint:
        """The fingerprint of a set from its images' features; without the vector or the scatter if so wanted."""
        values = features.values.astype(np.float64)
        mean = values.mean(0)
        centred = values - mean
        products = None
        if self.keeps_scatter and scatter:
            parts = by_part(centred, self.parts)
            products = parts.swapaxes(1, 2) @ parts
        view = self._vector(mean, centred.var(0)) if vector else np.full(1, np.nan)
        return Fingerprint(source, len(values), mean, products, features.digests, view)

    def combine(self, fingerprints: Iterable[Fingerprint]) -> Fingerprint:
        """The fingerprint of several sets taken as one; it needs no image again."""
        first, *rest = fingerprints
        total = sum(rest, start=first)
        if total.scatter is None:
            raise ValueError(f"{self.method} keeps no scatter; its fingerprints cannot be combined")
        return replace(
            total, vector=self._vector(total.mean, np.diagonal(total.scatter, axis1=1, axis2=2).ravel() / total.count)
        )

    def fingerprint(self, sets: Sequence[ImageSet], progress: Progress | None = None) -> list[Fingerprint]:
        """The fingerprint of each set."""
        return [self.summarise(self.features(images, progress), images.name) for images in sets]

    def transform(self, sets: Sequence[ImageSet]) -> np.ndarray:
        """Unit vectors of sets, float32 ``(n_sets, e)``."""
        return np.stack([fingerprint.vector for fingerprint in self.fingerprint(sets)]).astype(np.float32)

    def save_pretrained(self, directory: str | Path) -> None:
        """Writes config, weights and model card into a directory."""
        raise NotImplementedError(f"{self.method} has nothing to save")

    @classmethod
    def from_pretrained(cls, directory: str | Path) -> Self:
        """Reads what ``save_pretrained`` wrote."""
        raise NotImplementedError(f"{cls.method} has nothing to load")
