"""Sorting an uploaded pile: what is asked, and what is answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from genprint import api
from genprint.answers.results import plain_values
from genprint.answers.sorting import Sorting
from genprint.report import sorting
from genprint.report.page import of_pile
from genprint.service.settings import Limits
from genprint.service.uploads import image_set
from genprint.words import all_printable

_ENROLL = "Give each group that holds together its source's name, below it, and enroll it."


def sort_upload(
    files: Sequence[tuple[str, bytes]],
    gallery: api.Gallery,
    limits: Limits,
    rate: float,
    progress: Callable[[int], None],
    report: bool,
) -> dict[str, Any]:
    """The pile by source, as JSON has it.

    Args:
        files: uploaded ones, each with its name, which may hold folders: a name and no path.
        gallery: by whose sources groups are named, if it has any.
        limits: of requests.
        rate: of false attributions wanted.
        progress: called with the number of images done since its last call.
        report: whether with the report, too: a page, and what it says, as values without pictures of images.

    Raises:
        TooMuch: over a limit.
        Unreadable: a damaged zip.
        ImageSetError: none of the images can be used.
    """
    pile = image_set("pile", _told_apart(files), limits)
    result = api.sort(pile, known=gallery if len(gallery) else None, model=gallery.model, rate=rate, progress=progress)
    return {**result.to_dict(), **({"report": _report(result)} if report else {})}


def _told_apart(files: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The files by names that are each of one file."""
    seen: Counter[str] = Counter()
    named = []
    for name, content in files:
        seen[name] += 1
        named.append((f"{name} ({seen[name]})" if seen[name] > 1 else name, content))
    return named


def _report(result: Sorting) -> dict[str, Any]:
    """The page, and its head and sections; whoever sent the images has what thumbnails are made of."""
    page = of_pile(result, sorting.sections(result, sorting.small_pictures(result)))
    shown = {"verdict": sorting.verdict(result, _ENROLL), "sections": sorting.sections(result, {})}
    return {"page": page, **plain_values(all_printable(shown))}
