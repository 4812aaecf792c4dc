"""The page of a sorted pile: what was found, the map, and a contact sheet of each group to look through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from genprint.answers.sorting import Group, Sorted, Sorting
from genprint.answers.unknown import NOT_REAL
from genprint.report import figures
from genprint.report.blocks import MANY, Block, Items, Picture, Section, Sheet, Table, Text, Thumbnail, Verdict
from genprint.report.thumbnails import thumbnails
from genprint.report.verdict import begun, sentence
from genprint.scoring.likelihood_ratio import support, times
from genprint.words import counted, in_words

#: Thumbnails of a group, and of all together: about 4 MB of a page.
MOST, MOST_IN_ALL = 60, 1200
BY_FOLDERS = (
    "To enroll them: genprint sort --folders FOLDER writes a folder of each; rename the folders to their sources "
    "(another pile has a group 1, too), then genprint enroll-all FOLDER."
)
_LAST = 4  # one thumbnail in so many is of a group's least sure images, where not all are shown


def nearest(group: Group) -> str:
    """Whether a group might be one with another, in words."""
    if group.nearest is None or group.llr is None:
        return ""
    if group.llr > 0:
        return f"may be one with {group.nearest}: {support(group.llr)} for it, likelihood ratio {times(group.llr)}"
    return f"nearest is {group.nearest}: {support(group.llr)} against one source, likelihood ratio {times(group.llr)}"


def known(group: Group) -> str:
    """What was found of a group among the known sources, in words."""
    if group.answer is None:
        return ""
    whose = f"attributed to {group.source}" if group.source else f"of the known sources: {group.answer.decision}"
    return f"{whose} ({group.answer.reason})"


def next_step(result: Sorting, enroll: str = BY_FOLDERS) -> str:
    """What to do with the groups; ``enroll``: how they are enrolled."""
    if not result.groups:
        return "Add images: a source shows where there are several of it."
    return f"Look through the groups, above all at their least sure images. {enroll}"


def verdict(result: Sorting, enroll: str = BY_FOLDERS) -> Verdict:
    """The head of the page; ``enroll``: how groups are enrolled."""
    grouped = sum(len(group.images) for group in result.groups)
    named = sum(group.source is not None for group in result.groups)
    title = counted(len(result.groups), "group") + (f", {named} of known sources" if named else "")
    left = f", and {counted(len(result.left_out), 'file')} could not be used" if result.left_out else ""
    lead = (
        f"Of {counted(grouped + len(result.strays), 'image')} in {result.pile}, {grouped} are in groups of one source "
        f"each, as far as can be told; {counted(len(result.strays), 'stray is', 'strays are')} left alone{left}."
    )
    points = (
        ("How sure", _how_sure(result)),
        ("What a group is", "Images that seem to be of one source. A stray is alone with its source, or too few of its "
                            "images are there to tell."),
        ("Unknown groups", _unknown(result)),
        ("What to do next", next_step(result, enroll)),
    )  # fmt: skip
    return Verdict(title, "", lead, tuple((question, answer) for question, answer in points if answer))


def _how_sure(result: Sorting) -> str:
    if not result.groups:
        return "No group was found that holds together."
    by_purity = sorted(result.groups, key=lambda group: group.purity)
    worst, best = by_purity[0], by_purity[-1]
    said = f"{worst.purity:.0%} of the {len(worst.images)} images of {worst.name} are expected to be of one source"
    if worst.purity < best.purity:
        said += f", the least of all groups; {best.purity:.0%} of the {len(best.images)} of {best.name}, the most"
    pairs = {
        frozenset((group.name, group.nearest)) for group in result.groups if group.nearest and (group.llr or 0) > 0
    }
    if pairs:
        said += f". Perhaps of one source after all: {in_words(sorted(' with '.join(sorted(pair)) for pair in pairs))}"
    return f"{said}."


def _unknown(result: Sorting) -> str:
    """What the groups without a name are not."""
    if all(group.source for group in result.groups):
        return ""
    if any(group.answer for group in result.groups):
        return NOT_REAL
    return f"There were no known sources to compare them with. {NOT_REAL}"


def sections(result: Sorting, small: Mapping[str, str]) -> tuple[Section, ...]:
    """What is under the head: the map, the groups, the strays, what was left out.

    Args:
        result: the sorted pile.
        small: addresses of thumbnails, by the images' names; an image without one is named.
    """
    fold = len(result.groups) > MANY
    most = most_each(result)
    made: list[tuple[str, list[Block], bool]] = [
        ("The map", _map(result), False),
        ("The groups", _table(result), False),
        *((_title(group), _group(group, small, most), fold) for group in result.groups),
        ("Strays", _strays(result.strays, small, most), fold),
        ("What else is to be known", [Items(result.said)] if result.said else [], False),
        ("Left out", _left_out(result), False),
    ]
    return tuple(Section(title, tuple(blocks), folded) for title, blocks, folded in made if blocks)


def most_each(result: Sorting) -> int:
    """So many thumbnails of each group and of the strays, that all together are no more than a page bears."""
    counts = [len(group.images) for group in result.groups] + [len(result.strays)]
    return next((most for most in range(MOST, 0, -1) if sum(min(most, n) for n in counts) <= MOST_IN_ALL), 0)


def shown(result: Sorting) -> list[str]:
    """Names of the images that the page shows."""
    most = most_each(result)
    every = [*(group.images for group in result.groups), result.strays]
    return [one.image for images in every for part in _parts(images, most) for one in part]


def small_pictures(result: Sorting) -> dict[str, str]:
    """Thumbnails of what the page shows, if the pile is at hand."""
    return thumbnails(result.images, shown(result)) if result.images else {}


def _parts(images: Sequence[Sorted], most: int) -> tuple[Sequence[Sorted], Sequence[Sorted]]:
    """The first that are shown, and the last, where something between is not."""
    if len(images) <= most:
        return images, ()
    last = most // _LAST
    return images[: most - last], images[len(images) - last :]


def _sheet(group: str | None, images: Sequence[Sorted], small: Mapping[str, str], most: int) -> Sheet:
    first, last = (
        tuple(Thumbnail(one.image, f"{one.probability:.0%}", small.get(one.image, "")) for one in part)
        for part in _parts(images, most)
    )
    return Sheet(group, first, len(images) - len(first) - len(last), last)


def _map(result: Sorting) -> list[Block]:
    if not (result.groups or result.strays):
        return []
    said = "A dot for each image: those of one source lie near each other. Distances between far ones say little."
    return [Text(said), Picture(figures.themed(figures.map_figure(result)), f"Map of {result.pile}: {result.verdict}")]


def _table(result: Sorting) -> list[Block]:
    """The groups in few words, for a phone, too; under each group stands more."""
    doubtful = any((group.llr or 0) > 0 for group in result.groups)
    asked = any(group.answer for group in result.groups)
    columns = ("group", "images", "purity", *(["may be one with"] * doubtful), *(["answer"] * asked))
    rows = tuple(
        (
            group.name, str(len(group.images)), f"{group.purity:.0%}",
            *([group.nearest or "" if (group.llr or 0) > 0 else "none"] * doubtful),
            *([group.answer.decision if group.answer else ""] * asked),
        )
        for group in result.groups
    )  # fmt: skip
    said = "Purity: the share of a group's images that are expected to be of one source."
    return [Text(said), Table(columns, rows)] if rows else []


def _title(group: Group) -> str:
    return f"{group.name}: {counted(len(group.images), 'image')}"


def _group(group: Group, small: Mapping[str, str], most: int) -> list[Block]:
    said = [f"{group.purity:.0%} of them are expected to be of one source."]
    said += [sentence(begun(text)) for text in (nearest(group), known(group)) if text]
    return [Items(tuple(said)), _sheet(group.name, group.images, small, most)]


def _strays(strays: Sequence[Sorted], small: Mapping[str, str], most: int) -> list[Block]:
    if not strays:
        return []
    return [Text("Under each: how likely it is of the group that it is nearest to."), _sheet(None, strays, small, most)]


def _left_out(result: Sorting) -> list[Block]:
    rows = tuple((one.name, one.reason) for one in result.left_out)
    return [Table(("file", "reason"), rows)] if rows else []
