"""Sorting: which images of a pile without labels belong together, and which group is of a known source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from genprint.answers.results import Attribution, Result
from genprint.images.sets import ImageSet, LeftOut
from genprint.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Sorted:
    """An image of the pile, and where it went.

    Attributes:
        image: its name in the pile.
        sha256: of its file.
        probability: that it is of its group's source; of a stray, of the group that it is nearest to.
        at: its place on the map of the pile, where images of one source lie near each other.
    """

    image: str
    sha256: str
    probability: float
    at: tuple[float, float]


@dataclass(frozen=True)
class Group:
    """Images of a pile that seem to be of one source.

    Attributes:
        name: the known source's, or 'group 1', 'group 2' and so on, the largest first.
        source: the known source that it is attributed to; None: of an unknown one.
        images: the surest first.
        purity: share of its images that are expected to be of one source.
        nearest: name of the group that it is likeliest to be one with; None if there is no other.
        llr: natural log of the likelihood ratio that both have one source; None without ``nearest``.
        answer: the attribution to known sources; None if there are none.
    """

    name: str
    source: str | None
    images: tuple[Sorted, ...]
    purity: float
    nearest: str | None = None
    llr: float | None = None
    answer: Attribution | None = None


@dataclass(frozen=True)
class Sorting(Result):
    """A pile of images by source.

    Attributes:
        pile: its name.
        groups: known ones first, then the largest first.
        strays: images that are alone with their source, or of which it cannot be told.
        left_out: images that could not be used, and why.
        said: what else is to be known, in sentences.
        images: the pile itself, for contact sheets and folders; no part of the answer.
    """

    pile: str
    groups: tuple[Group, ...]
    strays: tuple[Sorted, ...]
    left_out: tuple[LeftOut, ...] = ()
    said: tuple[str, ...] = ()
    images: ImageSet | None = field(default=None, repr=False, compare=False, metadata={"aside": True})

    @property
    def verdict(self) -> str:
        images = sum(len(group.images) for group in self.groups) + len(self.strays)
        known = sum(group.source is not None for group in self.groups)
        of_known = f", {known} of them of known sources" if known else ""
        return (
            f"{self.pile}: {counted(images, 'image')} in {counted(len(self.groups), 'group')}{of_known}; "
            f"{counted(len(self.strays), 'stray')}"
        )

    def labels(self) -> dict[str, str | None]:
        """The name of each image's group, by the image's name; None for strays."""
        grouped: dict[str, str | None] = {one.image: g.name for g in self.groups for one in g.images}
        return grouped | dict.fromkeys((one.image for one in self.strays), None)

    def plot(self, ax: Axes) -> Axes:
        """The map of the pile: a dot for each image, a colour for each group, strays in grey."""
        dots = [(one.at, "0.7") for one in self.strays]
        dots += [(one.at, f"C{k}") for k, group in enumerate(self.groups) for one in group.images]
        if dots:
            at, colours = zip(*dots, strict=True)
            x, y = zip(*at, strict=True)
            ax.scatter(x, y, s=8, c=colours)  # all at once: a call for each of thousands of groups takes minutes
        ax.set_xticks([])
        ax.set_yticks([])
        return ax
