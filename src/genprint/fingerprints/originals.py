"""The images behind a fingerprint, from which it is had in other conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from genprint.fingerprints.cache import Cache
from genprint.fingerprints.fingerprint import Fingerprint, OriginalsError
from genprint.images.decoding import Image
from genprint.images.processing import Processing
from genprint.images.sets import ImageSet, ImageSetError, NothingUsable

if TYPE_CHECKING:
    from genprint.fingerprints.fingerprinter import Fingerprinter


@dataclass(frozen=True, eq=False)
class Images:
    """The images of a set that was fingerprinted, to be read again after a processing.

    Attributes:
        fingerprinter: that makes the features.
        images: the set.
        names: of its images, by digest.
        cache: of features.
        sides: the longer side of each, in pixels.
        contents: SHA-256 of what is kept of an image, by its digest, where that is not the whole file.
    """

    fingerprinter: Fingerprinter
    images: ImageSet
    names: Mapping[str, str] = field(repr=False)
    cache: Cache | None = None
    sides: Sequence[int] = field(default=(), repr=False)
    contents: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def digests(self) -> Iterable[str]:
        return self.names

    def under(
        self, processing: Processing, digests: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Fingerprint:
        """The fingerprint of these images after a processing.

        Raises:
            OriginalsError: one cannot be read any more, or is another than was enrolled.
        """
        owners = {self.contents.get(digest, digest): digest for digest in digests}
        chosen = self.images.only(self.names[digest] for digest in digests)
        try:
            found = self.fingerprinter.extract(chosen, progress, cache=self.cache, processing=processing)
        except NothingUsable as error:
            raise OriginalsError(f"{self.images.origin}: enrolled images are needed again, but: {error}") from None
        at = [i for i, sha256 in enumerate(found.digests) if sha256 in owners]  # others may have the same name
        for content in owners.keys() - {found.digests[i] for i in at}:
            name = self.names[owners[content]]
            why = next((left.reason for left in found.left_out if left.name == name), "another is in its place")
            raise OriginalsError(
                f"{name}: the image that was enrolled is needed again, but: {why}; put it back, or enroll anew"
            )
        return replace(found[at], digests=tuple(owners[found.digests[i]] for i in at))

    def read(self, digests: Sequence[str]) -> Iterator[Image]:
        """These images as they are, one at a time; without any that cannot be read any more.

        Of a part that is kept of a larger image, the file says nothing of how the image was saved: it has no facts.
        """
        owners = {self.contents.get(digest, digest): digest for digest in digests}
        with suppress(ImageSetError):  # none can be read
            for image in self.images.only(self.names[digest] for digest in digests):
                if owner := owners.get(image.sha256):
                    yield image if owner == image.sha256 else replace(image, sha256=owner, facts=None)
