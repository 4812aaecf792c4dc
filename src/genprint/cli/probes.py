"""What attribute is asked about: which probes the paths are, and the table of its answers."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from genprint.cli.common import tell
from genprint.words import counted, printable

if TYPE_CHECKING:
    from genprint.answers.results import Attribution
    from genprint.images.sets import ImageSet

#: What a table of answers says of each probe.
COLUMNS = (
    "probe", "answer", "source", "llr", "condition", "px", "images", "left_out", "c2pa", "files_say", "sha256",
    "reason",
)  # fmt: skip
#: And, if it was asked for, what became of the answer under stress.
STRESS = "stress"


class Each(StrEnum):
    """What of each path is a probe of its own."""

    IMAGE = "image"
    FOLDER = "folder"


def probes_of(paths: Sequence[Path], each: Each | None, together: bool) -> Iterator[tuple[str, ImageSet | str]]:
    """The probes that paths are, each with its name; in place of one that cannot be read, the reason.

    Args:
        paths: as they were given. How several image files are taken is said, if nothing was asked for.
        each: what of each path is a probe; None: the path.
        together: whether all paths are one probe.

    Raises:
        ValueError: both were asked for, or paths cannot be taken together.
    """
    if each and together:
        raise ValueError("--each makes many probes, --together one: give either")
    if together:
        return iter([as_one(paths, "--together")])
    files = sum(map(_is_image, paths))
    if files > 1 and not each:
        tell(f"{files} image files: each is a probe of its own (--each image); --together takes them as one set")
    return (probe for path in paths for probe in _of_path(path, each))


def as_one(paths: Sequence[Path], taker: str) -> tuple[str, ImageSet]:
    """One set of folders and image files, and its name: the folder that they are all in.

    Args:
        paths: of these.
        taker: what wants them so, for the message.

    Raises:
        ValueError: one is something else.
    """
    if others := [path for path in paths if not (path.is_dir() or _is_image(path))]:
        raise ValueError(f"{others[0]}: {taker} takes folders and image files; unpack it first")
    from genprint.images.members import Files, files_below
    from genprint.images.sets import ImageSet

    files = tuple(file for path in paths for file in (files_below(path) if path.is_dir() else (path,)))
    name = os.path.commonpath([path if path.is_dir() else path.parent for path in paths])
    # Not the folder's path alone: there may be other images in it.
    return name, ImageSet(name, Files(files), f"{name} ({counted(len(files), 'file')})")


def _of_path(path: Path, each: Each | None) -> Iterator[tuple[str, ImageSet | str]]:
    from genprint.images.sets import ImageSet, ImageSetError

    try:
        if each == Each.FOLDER:
            yield from _folders(path)
        elif each == Each.IMAGE:
            yield from _images(path)
        else:
            yield str(path), ImageSet.read(path, str(path))
    except ImageSetError as error:
        yield str(path), str(error)


def _is_image(path: Path) -> bool:
    from genprint.images.archives import is_archive

    return path.is_file() and not is_archive(path) and path.suffix.lower() not in (".npy", ".npz")


def _folders(path: Path) -> Iterator[tuple[str, ImageSet | str]]:
    from genprint.images.known import read_sources
    from genprint.images.sets import ImageSet

    for images in read_sources(path):
        yield images.origin, ImageSet(images.origin, images.members, images.origin)


def _images(path: Path) -> Iterator[tuple[str, ImageSet | str]]:
    from genprint.images.archives import ArchiveError
    from genprint.images.decoding import Unusable
    from genprint.images.members import ArraysError, Contents
    from genprint.images.sets import ImageSet, ImageSetError, NothingUsable

    images = ImageSet.read(path, str(path))
    if path.is_dir() and not images.files:
        raise NothingUsable(images.origin, ())
    if images.files:
        yield from ((str(file), ImageSet.read(file, str(file))) for file in images.files)
        return
    try:
        for member, read in images.members:
            name = member if member.startswith(images.origin) else f"{images.origin}:{member}"
            try:
                yield name, ImageSet(name, Contents(name, (read(),), (name,)), name)
            except Unusable as error:
                yield name, f"{name}: {error}"
    except (ArchiveError, ArraysError) as error:
        raise ImageSetError(str(error)) from None


@contextmanager
def answer_table(path: Path | None, stress: bool = False) -> Iterator[Table | None]:
    """The table of answers in a file, if one is wanted; with a column of what became of them under stress, too."""
    if path is None:
        yield None
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        yield Table(file, stress)


class Table:
    """A row a probe, written when its answer is known, so that what was answered is there whatever happens next."""

    def __init__(self, file: TextIO, stress: bool = False):
        self._file, self._rows, self._stress = file, csv.writer(file, lineterminator="\n"), stress
        self._write((*COLUMNS, *([STRESS] if stress else [])))

    def add(self, result: Attribution) -> None:
        """The row of an answer."""
        from genprint.report.record import set_digest

        px = sha256 = ""
        if result.asked:
            probe = result.asked.probe
            sides = sorted({side for one in probe.originals for side in one.sides})
            px = "-".join(map(str, dict.fromkeys((sides[0], sides[-1])))) if sides else ""
            sha256 = set_digest(probe)
        claims = result.claims
        c2pa = ", ".join(f"{n} {state}" for state, n in claims.manifests.items() if n) if claims else ""
        says = "; ".join(claims.said) if claims else ""
        llr = "" if result.llr is None else f"{result.llr:.6g}"
        self._write(
            (
                result.probe, result.decision, result.source or "", llr, result.condition if result.asked else "", px,
                result.images, len(result.left_out), c2pa, says, sha256,
                result.reason, *([" ".join(result.stress.said) if result.stress else ""] if self._stress else []),
            )
        )  # fmt: skip

    def _write(self, row: Sequence[object]) -> None:
        self._rows.writerow([printable(cell) if isinstance(cell, str) else cell for cell in row])
        self._file.flush()


def summary(results: Sequence[Attribution]) -> str:
    """How many probes got which answer."""
    answers = Counter(result.decision for result in results)
    return f"{counted(len(results), 'probe')}: " + ", ".join(f"{count} {answer}" for answer, count in answers.items())
