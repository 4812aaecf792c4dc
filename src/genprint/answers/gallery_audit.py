"""Whether a gallery is well: sources that are one under two names, several under one, too few, or unlike the rest.

Each of these makes answers worse without a word. What is cheap is looked at with every enrollment; ``audit`` of a
gallery looks at everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from genprint.answers.results import Result
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.gallery.enrolled import Enrolled
from genprint.gallery.outlines import Outline
from genprint.images.copies import alike_within, most_apart
from genprint.images.saving import LOSSLESS, Savings
from genprint.model import Model
from genprint.scoring.exchangeability import exchangeable
from genprint.scoring.modes import two_modes
from genprint.scoring.thresholds import smallest_rate
from genprint.scoring.twins import Twins
from genprint.words import counted, in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What is looked at without features is in both.
_Seen = Fingerprint | Outline

SAME_FILES, COPIES, TWINS = "same files", "near copies", "twins"
FEW_SOURCES, FEW_IMAGES = "few sources", "few images"
SIZES, FORMATS, MODES = "sizes", "formats", "two modes"
# Rate that answers are asked for by default, and the images that thresholds of sets of ten take.
_RATE, _IMAGES = 0.05, 20
_UNLIKE = 1.1  # what longer sides differ by, as a ratio, before it is said


@dataclass(frozen=True)
class Concern:
    """Something that is not well with a gallery.

    Attributes:
        kind: 'same files', 'near copies', 'twins', 'few sources', 'few images', 'sizes', 'formats' or 'two modes'.
        sources: it is about; of 'few sources', all.
        said: what it is, what it costs, and the remedy.
    """

    kind: str
    sources: tuple[str, ...]
    said: str


@dataclass(frozen=True)
class GalleryAudit(Result):
    """Whether a gallery is well.

    Attributes:
        sources: number of images of each, by name.
        concerns: what is not well.
    """

    sources: dict[str, int]
    concerns: tuple[Concern, ...]

    @property
    def verdict(self) -> str:
        if self.concerns:
            kinds = ", ".join(dict.fromkeys(concern.kind for concern in self.concerns))
            return f"{counted(len(self.concerns), 'thing')} not well with this gallery: {kinds}"
        return "nothing was found that is not well with this gallery"

    def plot(self, ax: Axes) -> Axes:
        """Number of images of each source; those in red that something is said of."""
        named = {name for concern in self.concerns for name in concern.sources}
        colours = ["tab:red" if name in named else "tab:grey" for name in self.sources]
        ax.barh(list(self.sources), list(self.sources.values()), color=colours)
        ax.set_xlabel("images enrolled")
        return ax

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {**super().to_dict(), "well": not self.concerns}


def audit_gallery(model: Model, gallery: Sequence[Fingerprint]) -> GalleryAudit:
    """Looks at everything: a second or so for twenty sources.

    Args:
        model: of the fingerprints.
        gallery: the enrolled sources.
    """
    enrolled = Enrolled(model.scorer, gallery)
    found = [*_joined(gallery, enrolled.twins, enrolled), *_near_copies(gallery)]
    found += [*_few_sources(len(enrolled.twins), gallery, to_rate=True), *_few_images(gallery)]
    found += [*_sizes(gallery), *_formats(gallery), *_modes(model, gallery)]
    return GalleryAudit({source.source: source.count for source in gallery}, tuple(found))


def look(
    model: Model, gallery: Sequence[Outline], fresh: Iterable[str], read: Callable[[str], Fingerprint]
) -> tuple[Concern, ...]:
    """What is told when sources are enrolled: what costs next to nothing to see, of these sources.

    Args:
        model: of the gallery.
        gallery: all enrolled sources, the fresh ones among them.
        fresh: names of those that images were just added to.
        read: the fingerprint of a source by its name; asked for sources that lie near one another.
    """

    @cache
    def white(i: int) -> np.ndarray:
        return model.scorer.whiten(read(gallery[i].source).values)

    files, centres = [one.digests for one in gallery], [one.centre for one in gallery]
    twins, named = Twins.by(files, centres, lambda i, j: exchangeable(white(i), white(j))), set(fresh)
    found = [*_joined(gallery, twins), *_few_sources(len(twins), gallery)]
    found += [*_few_images(gallery), *_sizes(gallery), *_formats(gallery)]
    return tuple(concern for concern in found if named.intersection(concern.sources))


def _joined(gallery: Sequence[_Seen], twins: Twins, enrolled: Enrolled | None = None) -> Iterable[Concern]:
    """Sources that share files, and sources that no test tells apart; of these, how well sets are named, if asked."""
    same = twins.same
    for i, j in combinations(range(len(gallery)), 2):
        names = gallery[i].source, gallery[j].source
        if files := twins.shared.get((i, j)):
            cost = "They count as one source" if same[i, j] else "Their scores mix"
            said = f"{in_words(names)} share {counted(files, 'file')}. {cost}: remove one, or these files."
            yield Concern(SAME_FILES, names, said)
        elif same[i, j] and twins.alike_two(i, j):
            named = ""
            if enrolled:
                size, right = enrolled.cohort.separation(i, j)
                named = f" ({right:.0%} of their own sets of {size} are named right)"
            remedy = "They count as one source: remove one, or join both."
            said = f"{in_words(names)}: no test tells them apart{named}. {remedy}"
            yield Concern(TWINS, names, said)


def _near_copies(gallery: Sequence[Fingerprint]) -> Iterable[Concern]:
    """Pictures that look alike under two names, but are not in one file."""
    looks = [one for source in gallery for one in source.looks]
    owners = np.repeat(range(len(gallery)), [len(source.looks) for source in gallery])
    digests = [digest for source in gallery if source.looks for digest in source.digests]
    # How alike pictures of one source are: by all of them, copies under two names would pass for that.
    most = min((most_apart(source.looks) for source in gallery if source.looks), default=0)
    found: dict[tuple[int, int], set[int]] = {}
    for pair in alike_within(looks):
        one, other = sorted((int(owners[pair.one]), int(owners[pair.other])))
        if one != other and pair.apart <= most and digests[pair.one] != digests[pair.other]:
            found.setdefault((one, other), set()).add(pair.one)
    for pair_of, pictures in sorted(found.items()):
        names = tuple(gallery[i].source for i in pair_of)
        said = f"{in_words(names)}: {counted(len(pictures), 'picture')} of one like pictures of the other. If they are "
        yield Concern(COPIES, names, said + "copies, saved anew, remove them from one of the two.")


def _few_sources(count: int, gallery: Sequence[_Seen], to_rate: bool = False) -> Iterable[Concern]:
    """Fewer than a threshold takes, or, if so wanted, than the usual rate of false attributions does."""
    names, many = tuple(source.source for source in gallery), counted(count, "source")
    if count < 3:
        said = f"{many}: no threshold and no likelihood ratio, so that nothing is attributed. Enroll three or more."
        yield Concern(FEW_SOURCES, names, said)
    elif to_rate and smallest_rate(count) > _RATE + 1e-12:
        least = f"{smallest_rate(count):.0%}"
        said = f"{many}: the smallest rate of false attributions is {least}. Enroll 19 or more for 5 %."
        yield Concern(FEW_SOURCES, names, said)


def _few_images(gallery: Sequence[_Seen]) -> Iterable[Concern]:
    few = [source for source in gallery if source.count < _IMAGES]
    if few:
        fewest = min(source.count for source in few)
        names = tuple(source.source for source in few)
        cost = f"all thresholds are set with sets of {max(1, fewest // 2)}, however large the probe"
        if fewest < 2:
            cost = "it takes two of each source for likelihood ratios, and thresholds are set with single images"
        said = f"{in_words(names)}: few images ({fewest} at least); {cost}. Add images, up to {_IMAGES} of each."
        yield Concern(FEW_IMAGES, names, said)


def _sizes(gallery: Sequence[_Seen]) -> Iterable[Concern]:
    """Sources whose images are larger or smaller than those of most."""
    sides = {source.source: source.side for source in gallery}
    known = {name: side for name, side in sides.items() if side}
    usual = float(np.median(list(known.values()))) if known else 0.0
    for name, side in known.items():
        if max(side, usual) > _UNLIKE * min(side, usual):
            said = f"{name}: images of {side:g} px, those of most sources {usual:g} px. "
            said += "Size alone may tell it: bring images of one size."
            yield Concern(SIZES, (name,), said)


def _formats(gallery: Sequence[_Seen]) -> Iterable[Concern]:
    """Sources that were saved in another way than most."""
    ways = {source.source: next(iter(Savings.of(source.facts).words)) for source in gallery if source.facts}
    kinds, counts = np.unique(list(ways.values()), return_counts=True)
    if len(kinds) < 2:
        return
    usual = str(kinds[counts.argmax()])
    for name, way in ways.items():
        if way != usual:
            said = f"{name}: {_way(way)}, most sources {_way(usual)}. That alone may tell it: bring files as made."
            yield Concern(FORMATS, (name,), said)


def _way(words: str) -> str:
    return "saved without loss" if words == LOSSLESS else words if words.startswith("saved") else f"saved as {words}"


def _modes(model: Model, gallery: Sequence[Fingerprint]) -> Iterable[Concern]:
    if not model.scorer.learned:
        return
    for source in gallery:
        smaller = two_modes(model.scorer.whiten(source.values))
        if smaller is not None:
            said = (
                f"{source.source}: its images fall into two groups ({source.count - len(smaller)} and {len(smaller)}), "
                "as those of two models would; 1 in 100 single sources looks so. If it is two, enroll each by itself."
            )
            yield Concern(MODES, (source.source,), said)
