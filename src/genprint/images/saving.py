"""How files were saved, by their headers: with what loss, and how many files of a set alike.

Example:
    >>> files = Savings.of([FileFacts("JPEG", "RGB", 80, "4:2:0")] * 6 + [FileFacts("PNG", "RGB")] * 4)
    >>> files.words, files.shared(0.5)
    ({'JPEG 80': 6, 'lossless': 4}, Jpeg(quality=80, subsampling='4:2:0', tables=()))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

from genprint.images.decoding import FileFacts
from genprint.images.processing import Jpeg, Processing, WebP

#: What is said of files that were saved without loss, or were never files.
LOSSLESS = "lossless"
# Base quantisers of WebPs that were saved at one quality are no further from their median; pictures differ in them.
_ONE_QUALITY = 4
_UNTOLD = ("AVIF", "HEIF")  # lossy, but not of known tables


def saving(facts: FileFacts | None) -> Processing | None:
    """How a file was saved, if with loss and as far as its header tells."""
    if facts and facts.quantiser is not None:
        return WebP(facts.quantiser)
    if facts and facts.quality and facts.subsampling:
        return Jpeg(facts.quality, facts.subsampling, facts.tables)
    return None


def is_lossless(facts: FileFacts | None) -> bool:
    """Whether pixels are as they were before the file was saved."""
    return saving(facts) is None and not (facts and (facts.format in _UNTOLD or facts.quality))


def alike(one: Processing, other: Processing) -> bool:
    """Whether files that were saved in these two ways may have been saved in one."""
    if isinstance(one, WebP) and isinstance(other, WebP):
        return abs(one.quantiser - other.quantiser) <= _ONE_QUALITY
    return one == other


def as_one(kinds: Sequence[Processing | None]) -> list[Processing | None]:
    """The same ways of saving, but WebPs of about one quality are the median's."""
    quantisers = [kind.quantiser for kind in kinds if isinstance(kind, WebP)]
    middle = WebP(median_low(quantisers)) if quantisers else None
    return [middle if middle and kind and alike(kind, middle) else kind for kind in kinds]


@dataclass(frozen=True)
class Savings:
    """How the files of a set were saved.

    Attributes:
        counts: ways of saving, None for lossless, with the number of files; the commonest first.
        untold: files that were saved with loss, but their headers do not say how.
    """

    counts: tuple[tuple[Processing | None, int], ...] = ()
    untold: int = 0

    @classmethod
    def of(cls, facts: Sequence[FileFacts | None], together: bool = True) -> Savings:
        """By what the files say.

        Args:
            facts: of each file; None of images that were never files.
            together: whether WebPs of about one quality count as one way of saving, the median's.
        """
        told = [saving(one) for one in facts if saving(one) or is_lossless(one)]
        told = as_one(told) if together else told
        return cls(tuple(Counter(told).most_common()), len(facts) - len(told))

    @property
    def files(self) -> int:
        """Number of files."""
        return sum(count for _, count in self.counts) + self.untold

    def shared(self, share: float) -> Processing | None:
        """How more than such a share of the files were saved, if with loss and alike."""
        kind, count = self.counts[0] if self.counts else (None, 0)
        return kind if count > share * self.files else None

    def lossless(self, share: float) -> bool:
        """Whether more than such a share of the files were saved without loss."""
        return dict(self.counts).get(None, 0) > share * self.files

    @property
    def words(self) -> dict[str, int]:
        """Number of files by how they were saved, in words; the commonest first."""
        found: Counter[str] = Counter()
        for kind, count in self.counts:
            found[kind.name if kind else LOSSLESS] += count
        if self.untold:
            found["saved with a loss that headers do not tell"] += self.untold
        return dict(found.most_common())
