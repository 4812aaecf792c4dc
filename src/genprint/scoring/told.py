"""What the files of a probe, and the pixels of large images, tell of the condition that they are in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.decoding import THUMBNAIL_SIDE, FileFacts
from genprint.images.history import History, history
from genprint.images.processing import Processing
from genprint.images.quantisation import middle
from genprint.images.saving import Savings, alike, is_lossless, saving

# Images whose pixels are looked at, at most, which takes 0.1 s of PNGs and 0.3 s of JPEGs of 512 px. Of 24 images of a
# test bed that had been JPEGs of 75 to 95, one alone told the grid and the quality; smooth or small ones tell less.
_LOOKED_AT = 8
# Log likelihood ratio (nats), by pixel that was looked at, from which lossless images are taken for earlier JPEGs
# whatever explains them. Of those of the test bed that were JPEGs, none has less than 0.05; of 176 that were not, lines
# in three photographs reach 0.002.
_CLEARLY = 0.01
# Share of files that have to be alike to speak for all.
_MOST = 0.5


@dataclass(frozen=True)
class Told:
    """What the files of some sets and their pixels tell; the sets are in one condition.

    Attributes:
        files: how they were saved.
        words: how many files were saved how, in words.
        side: median of the images' longer sides, in pixels; 0 if it is not known.
        probes: the sets, whose images can perhaps be read again.
    """

    files: Savings
    words: Mapping[str, int]
    side: float
    probes: Sequence[Fingerprint] = field(repr=False)

    @classmethod
    def of(cls, probes: Sequence[Fingerprint]) -> Told:
        """By headers; pixels are looked at when they are asked for."""
        sides = [side for side in (probe.side for probe in probes) if side]
        side = float(np.median(sides)) if sides else 0.0
        facts = [one for probe in probes for one in probe.facts]
        return cls(Savings.of(facts, together=side > THUMBNAIL_SIDE), Savings.of(facts).words, side, probes)

    @property
    def large(self) -> bool:
        """Whether images are so large that their pixels tell something."""
        return self.side > THUMBNAIL_SIDE

    @property
    def saved(self) -> Processing | None:
        """How most files were saved, if with loss and alike."""
        return self.files.shared(_MOST)

    @property
    def history(self) -> History:
        """What the pixels of large images tell, of files that were saved alike or of lossless ones, if most are."""
        return self._seen[0]

    @cached_property
    def _seen(self) -> tuple[History, int]:
        """That, and how many pixels tell it."""
        saved = self.saved
        if not self.large or not (saved or self.files.lossless(_MOST)):
            return History(0, saved), 0
        wanted = sorted(digest for digest, facts in self._facts() if _as_most(facts, saved))[:_LOOKED_AT]
        originals = {id(one): one for probe in self.probes for one in probe.originals}.values()
        images = []
        for one in originals:
            if own := sorted(set(wanted).intersection(one.digests)):
                images += [image.pixels for image in one.read(own)]
                wanted = [digest for digest in wanted if digest not in own]
        return history(images, saved), sum(middle(pixels)[..., 0].size for pixels in images)

    def _facts(self) -> Iterable[tuple[str, FileFacts | None]]:
        for probe in self.probes:
            yield from zip(probe.digests, probe.facts, strict=False)

    @property
    def last(self) -> Processing | None:
        """What was certainly done last: how files were saved; of lossless ones, an earlier JPEG and what followed."""
        if self.saved:
            return self.saved
        seen, pixels = self._seen
        return seen.processing if min(seen.evidence, seen.clarity) > _CLEARLY * pixels else None

    @property
    def earlier(self) -> Processing | None:
        """All of an earlier JPEG, what followed, and how the files were saved with loss, if there was one."""
        return self.history.processing if self.saved else None

    @property
    def unclear(self) -> bool:
        """Whether an earlier JPEG clearly shows, but not which."""
        seen, pixels = self._seen
        known = self.earlier if self.saved else self.last
        return known is None and seen.grid is not None and seen.evidence > _CLEARLY * pixels


def _as_most(facts: FileFacts | None, saved: Processing | None) -> bool:
    """Whether a file was saved as most were."""
    own = saving(facts)
    return alike(own, saved) if own and saved else not (own or saved) and is_lossless(facts)
