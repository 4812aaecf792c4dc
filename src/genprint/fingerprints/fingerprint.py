"""Fingerprints: what image sets leave in feature space, and the only thing that answers take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from genprint.errors import GenprintError
from genprint.fingerprints.moments import Moments
from genprint.images.copies import Look, identical_within
from genprint.images.decoding import FileFacts, Image
from genprint.images.processing import Processing
from genprint.images.sets import ImageSetError, LeftOut
from genprint.words import counted


class ExtractorError(GenprintError, ValueError):
    """Fingerprints of two extractors were to be compared."""


class OriginalsError(GenprintError, RuntimeError):
    """Images that were enrolled are needed again, and cannot be used."""


class Originals(Protocol):
    """Images behind a fingerprint, from which it is made in any condition."""

    @property
    def digests(self) -> Iterable[str]:
        """SHA-256 of the images' files, as fingerprints have them."""
        ...

    @property
    def sides(self) -> Iterable[int]:
        """Longer side of each image, in pixels, as far as these are known."""
        ...

    def under(
        self, processing: Processing, digests: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Fingerprint:
        """The fingerprint of those images after a processing, in any order."""
        ...

    def read(self, digests: Sequence[str]) -> Iterator[Image]:
        """Those images as they are, one at a time; without any that cannot be read any more."""
        ...


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What one image set leaves: the features of its images, or, of a pile, their moments.

    Mean and scatter are derived when asked for; ``Fingerprinter.embed`` derives the unit vector.

    Attributes:
        source: name of the set.
        features: of each image, float32 ``(n, d)``; None where only moments are kept.
        digests: SHA-256 of each image's file.
        extractor: identity of what made the features. Only fingerprints of one extractor can be compared.
        parts: how many equal parts features come in, one of each tower.
        names: of the images, where these are known.
        left_out: images that could not be used, and why.
        facts: what each image's file says of itself, where that is known.
        originals: images, or some of them, for having the fingerprint in other conditions.
        moments: of the features, where these are not kept.
        looks: what each image looks like, where that is known: by it copies in other files are found.
    """

    source: str
    features: np.ndarray | None = field(repr=False)
    digests: tuple[str, ...] = field(repr=False)
    extractor: str = field(default="", repr=False)
    parts: int = 1
    names: tuple[str, ...] = field(default=(), repr=False)
    left_out: tuple[LeftOut, ...] = ()
    facts: tuple[FileFacts | None, ...] = field(default=(), repr=False)
    originals: tuple[Originals, ...] = field(default=(), repr=False)
    moments: Moments | None = field(default=None, repr=False)
    looks: tuple[Look | None, ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return self.count

    @property
    def count(self) -> int:
        """Number of images."""
        return self.moments.count if self.moments else len(self.values)

    @property
    def values(self) -> np.ndarray:
        """The features, float32 ``(n, d)``.

        Raises:
            ValueError: only their moments are kept.
        """
        if self.features is None:
            raise ValueError(f"{self.source}: of a pile, only moments are kept; this needs the features of its images")
        return self.features

    @cached_property
    def mean(self) -> np.ndarray:
        """Mean of the features, float64 ``(d,)``."""
        return self.moments.mean if self.moments else self.values.astype(np.float64).mean(0)

    @property
    def variance(self) -> np.ndarray:
        """Population variance of each feature, float64 ``(d,)``."""
        if self.moments:
            diagonal: np.ndarray = np.diagonal(self.moments.scatter, axis1=1, axis2=2)
            return np.asarray(diagonal.ravel() / self.count)
        return np.asarray((self.values.astype(np.float64) - self.mean).var(0))

    @property
    def scatter(self) -> np.ndarray:
        """Sum of outer products of deviations from the mean, within each part, ``(parts, d / parts, d / parts)``.

        Worked out at each call, for of many sources it does not fit into memory; ``pooled`` keeps it.
        """
        if self.moments:
            return self.moments.scatter
        deviations = by_part(self.values.astype(np.float64) - self.mean, self.parts)
        scatter: np.ndarray = deviations.swapaxes(1, 2) @ deviations
        return scatter

    def pooled(self) -> Fingerprint:
        """The same with its moments alone."""
        moments = self.moments or Moments(self.count, self.mean, self.scatter)
        return replace(self, features=None, facts=(), looks=(), originals=(), moments=moments)

    def __add__(self, other: Fingerprint) -> Fingerprint:
        """The fingerprint of both sets together. It needs no image again."""
        check_comparable([self, other])
        both = replace(
            self, digests=self.digests + other.digests, left_out=self.left_out + other.left_out,
            names=self.names + other.names if self.names and other.names else (),
            facts=self.facts + other.facts if self.facts and other.facts else (),
            looks=self._padded_looks() + other._padded_looks() if self.looks or other.looks else (),
            originals=self.originals + other.originals,
        )  # fmt: skip
        if self.moments or other.moments:
            one, another = self.pooled().moments, other.pooled().moments
            assert one is not None
            assert another is not None
            return replace(both, features=None, facts=(), looks=(), originals=(), moments=one + another)
        return replace(both, features=np.concatenate([self.values, other.values]))

    def __getitem__(self, chosen: Sequence[int] | np.ndarray) -> Fingerprint:
        """The fingerprint of some of the images."""
        return replace(
            self, features=self.values[chosen], digests=tuple(self.digests[i] for i in chosen), left_out=(),
            names=tuple(self.names[i] for i in chosen) if self.names else (),
            facts=tuple(self.facts[i] for i in chosen) if self.facts else (),
            looks=tuple(self.looks[i] for i in chosen) if self.looks else (),
        )  # fmt: skip

    def _padded_looks(self) -> tuple[Look | None, ...]:
        return self.looks or (None,) * self.count

    @property
    def side(self) -> float | None:
        """The median of the images' longer sides, in pixels, where originals say it."""
        return side_of(self.originals)

    def kept(self, most: int | None = None) -> Fingerprint:
        """The fingerprint of the images whose originals are at hand, or so many of them: the first by digest."""
        at_hand = {digest for one in self.originals for digest in one.digests}
        among = sorted(at_hand.intersection(self.digests))[:most]
        wanted = set(among)
        return self[[i for i, digest in enumerate(self.digests) if digest in wanted]]

    def under(self, processing: Processing, progress: Callable[[int], None] | None = None) -> Fingerprint:
        """The fingerprint of the same images after a processing.

        Args:
            processing: of the originals.
            progress: called with the number of images done since its last call.

        Raises:
            OriginalsError: originals are not at hand, or have changed; ``kept`` says of which images they are.
        """
        made: dict[str, np.ndarray] = {}
        for one in self.originals:
            if wanted := [digest for digest in one.digests if digest in set(self.digests) - set(made)]:
                found = one.under(processing, wanted, progress)
                made.update(zip(found.digests, found.values, strict=True))
        if lacking := len(set(self.digests) - set(made)):
            raise OriginalsError(
                f"{self.source}: cannot be compared after {processing.name}, for the originals of "
                f"{counted(lacking, 'image')} are not at hand"
            )
        return replace(self, features=np.stack([made[digest] for digest in self.digests]), originals=(), left_out=())

    def ordered(self) -> Fingerprint:
        """By digest, so that random divisions do not depend on the order of files."""
        return replace(self[np.argsort(self.digests)], left_out=self.left_out)

    def without(self, enrolled: Mapping[str, Fingerprint]) -> Fingerprint:
        """The fingerprint of the images that are not enrolled; the others are left out: matching an image with itself
        is not evidence. So are those that are the same as one before, pixel for pixel: they count once.

        Raises:
            ImageSetError: all are enrolled.
        """
        names = self.names or self.digests
        twins = identical_within(self.looks)
        reasons = {i: f"the same as {names[first]}, pixel for pixel" for i, first in twins.items()}
        reasons |= self._enrolled(enrolled)
        shared = tuple(LeftOut(names[i], reasons[i]) for i in sorted(reasons))
        if not shared:
            return self
        if len(shared) == len(self):
            many = "the one image is enrolled itself"
            if len(self) > 1:
                many = f"all {len(self)} images are enrolled themselves"
            raise ImageSetError(f"{many} ({shared[0].name}: {shared[0].reason}); give images that are not")
        kept = [i for i in range(len(self)) if i not in reasons]
        return replace(self[kept], left_out=self.left_out + shared)

    def _enrolled(self, enrolled: Mapping[str, Fingerprint]) -> dict[int, str]:
        """Places of the images that are enrolled, as the same file or pixel for pixel, and what is said of each."""
        files = {digest: name for name, known in enrolled.items() for digest in known.digests}
        reasons = {
            i: f"the same file is enrolled, as of {files[digest]}"
            for i, digest in enumerate(self.digests)
            if digest in files
        }
        pixels = {one.pixels: (name, one.name) for name, known in enrolled.items() for one in known.looks if one}
        for i, own in enumerate(self.looks):
            if own and own.pixels in pixels and i not in reasons:
                reasons[i] = "is enrolled under {} as {}, pixel for pixel".format(*pixels[own.pixels])
        return reasons


def side_of(originals: Iterable[Originals]) -> float | None:
    """The median of images' longer sides, in pixels, as far as originals say it."""
    sides = [side for one in originals for side in one.sides]
    return float(np.median(sides)) if sides else None


def check_comparable(fingerprints: Iterable[Fingerprint]) -> None:
    """Refuses fingerprints of two extractors: their features are of different kinds.

    Raises:
        ExtractorError: they are.
    """
    first: Fingerprint | None = None
    for fingerprint in fingerprints:
        first = first or fingerprint
        check_extractors(first.source, first.extractor, fingerprint.source, fingerprint.extractor)


def check_extractors(name: str, extractor: str, other: str, another: str) -> None:
    """The same of extractors' identities; the names say what was made by each.

    Raises:
        ExtractorError: they differ.
    """
    if extractor != another:
        raise ExtractorError(
            f"{name} and {other} cannot be compared: one was fingerprinted by {extractor or 'an unnamed extractor'}, "
            f"the other by {another or 'an unnamed extractor'}; fingerprint both with one model"
        )


def check_disjoint(one: Fingerprint, other: Fingerprint) -> None:
    """Refuses two sets that share an image: matching it with itself is not evidence.

    Raises:
        ImageSetError: they do.
    """
    if shared := len(set(one.digests) & set(other.digests)):
        raise ImageSetError(
            f"{one.source} and {other.source}: {counted(shared, 'image')} in both; leave what both have out of one"
        )


def by_part(features: np.ndarray, parts: int) -> np.ndarray:
    """Features ``(n, d)`` as ``(parts, n, d / parts)``."""
    return features.reshape(len(features), parts, -1).swapaxes(0, 1)
