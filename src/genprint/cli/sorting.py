"""The command about a pile without labels: sort."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genprint.cli.common import csv_bytes, errors, show
from genprint.cli.loading import known_gallery, load_model, open_gallery, warn_small
from genprint.cli.options import AsJson, Model, Rate
from genprint.cli.probes import as_one
from genprint.cli.progress import bar
from genprint.words import all_printable, counted, first_of

if TYPE_CHECKING:
    from genprint.answers.sorting import Group, Sorted, Sorting
    from genprint.api import Gallery

#: What a table of a sorted pile says of each image.
COLUMNS = ("image", "sha256", "group", "source", "probability", "answer")
_LISTED = 10  # files that were left out


def sort(
    pile: Annotated[
        list[Path],
        typer.Argument(exists=True, help="Images of several sources: a folder (with all below it), archive, or files."),
    ],
    known: Annotated[
        Path | None,
        typer.Option(exists=True, help="Known sources, to name groups by: a gallery's file, or a folder with "
                     "a sub-folder for each."),
    ] = None,
    rate: Rate = 0.05,
    table: Annotated[Path | None, typer.Option("--csv", help="Also write whose each image is, as CSV, here.")] = None,
    page: Annotated[
        Path | None, typer.Option(help="Also write a page (.html): the map, and a contact sheet of each group.")
    ] = None,
    folders: Annotated[
        Path | None,
        typer.Option(help="Also write a folder of each group (links to its files where these can be, else copies) into "
                     "this one, which has to be empty: for enroll-all."),
    ] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Sorts a pile of images by source: groups of one source each, known ones named; strays are left alone.

    Nothing of the pile is moved or changed. Look through the groups (--page), write them as folders (--folders), rename
    these to their sources, and enroll them: genprint enroll-all sorted/. Exit code: 0 answered.

    Example: genprint sort pile/ --known genprint-gallery.sqlite --page pile.html --folders sorted/
    """
    from genprint import api
    from genprint.images.folders import check_empty, write_sources
    from genprint.images.sets import ImageSet
    from genprint.storage.files import check_writable, write_atomically

    with errors(as_json):
        if page and page.suffix != ".html":
            raise ValueError(f"--page {page}: a page is a file that ends in .html")
        for file in filter(None, (table, page)):
            check_writable(file)
        images = ImageSet.read(pile[0], str(pile[0])) if len(pile) == 1 else as_one(pile, "a pile of several")[1]
        if folders:
            check_empty(folders, images)
        sources = _known(known, model)
        loaded = sources.model if sources else load_model(model, [images])
        if sources:
            warn_small(loaded, [images])
        with bar("sorting images") as advance:
            result = api.sort(images, known=sources, model=loaded, rate=rate, progress=advance)
        if table:
            write_atomically(table, csv_bytes([COLUMNS, *_rows(result)]))
        if page:
            result.save(page)
        if folders:
            grouped = {group.name: [(one.image, one.sha256) for one in group.images] for group in result.groups}
            with bar("writing files", total=sum(map(len, grouped.values()))) as advance:
                write_sources(images, grouped, folders, advance)
        show(result.to_dict(), as_json, text(all_printable(result), table, page, folders, known))


def _known(known: Path | None, model: str | None) -> Gallery | None:
    """The known sources, if any: of a gallery's file or of a folder."""
    from genprint.api import is_gallery

    if known is None:
        return None
    return open_gallery(known, model) if is_gallery(known) else known_gallery(known, known, model, conditions=False)


def _rows(result: Sorting) -> Iterator[Sequence[object]]:
    """A row an image, as ``COLUMNS`` has it: by group, the surest first, then the strays."""
    for group in result.groups:
        answer = group.answer.decision if group.answer else ""
        yield from (_row(one, group.name, group.source or "", answer) for one in group.images)
    yield from (_row(one, "", "", "stray") for one in result.strays)


def _row(one: Sorted, group: str, source: str, answer: str) -> Sequence[object]:
    return one.image, one.sha256, group, source, f"{one.probability:.4f}", answer


def text(
    result: Sorting,
    table: Path | None = None,
    page: Path | None = None,
    folders: Path | None = None,
    known: Path | None = None,
) -> str:
    """A sorted pile in words, its verdict first."""
    from genprint.answers.results import UNKNOWN
    from genprint.answers.unknown import NOT_REAL

    lines = [result.verdict]
    width = min(30, max((len(group.name) for group in result.groups), default=0))
    lines += [f"  {_line(group, width)}" for group in result.groups]
    if result.strays:
        names = [os.path.basename(one.image) for one in result.strays]
        lines.append(f"  strays ({len(names)}): {first_of(names)}")
    lines += [f"  left out {os.path.basename(left.name)}: {left.reason}" for left in result.left_out[:_LISTED]]
    if len(result.left_out) > _LISTED:
        lines.append(f"  ... and {len(result.left_out) - _LISTED} more (all are in --json)")
    unknown = any(group.answer and group.answer.decision == UNKNOWN for group in result.groups)
    lines += [f"  {sentence}" for sentence in dict.fromkeys([*result.said, *([NOT_REAL] * unknown)])]
    written = {"whose each image is": table, "map and contact sheets": page, "a folder of each group": folders}
    lines += [f"  {what}: {path}" for what, path in written.items() if path]
    return "\n".join([*lines, f"  next: {_next(result, folders, known)}"])


def _line(group: Group, width: int) -> str:
    """A group in a line."""
    from genprint.report.sorting import known, nearest

    told = [f"{group.purity:.0%} expected of one source", nearest(group), known(group)]
    return f"{group.name:<{width}}  {counted(len(group.images), 'image'):>10}  {'; '.join(filter(None, told))}"


def _next(result: Sorting, folders: Path | None, known: Path | None) -> str:
    """What to do with the groups, by what was written of them."""
    from genprint.report.sorting import next_step

    if not (folders and result.groups):
        return next_step(result)
    gallery = f" --gallery {shlex.quote(str(known))}" if known and known.is_file() else ""
    enroll = f"genprint enroll-all {shlex.quote(str(folders))}{gallery}"
    return next_step(
        result, f"Rename the folders in {folders} to their sources (another pile has a group 1, too), then {enroll}"
    )
