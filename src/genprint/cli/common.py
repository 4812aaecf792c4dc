"""What all commands share: options, consoles, progress, errors, the model."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from genprint.errors import GenprintError
from genprint.words import counted, first_of, printable

if TYPE_CHECKING:
    from genprint.api import Gallery
    from genprint.fingerprints.cache import Cache
    from genprint.gallery.enrolling import Added
    from genprint.gallery.store import GalleryStore
    from genprint.images.sets import ImageSet, LeftOut
    from genprint.model import Model as LoadedModel

err = Console(stderr=True)
_EVERY = 5.0  # seconds between lines of progress

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        envvar="GENPRINT_MODEL",
        help="A shipped model, 'pictures' or 'thumbnails', or the folder of a saved one (called pictures: ./pictures). "
        "If left out: a gallery's own; for other images, pictures if those of every set are typically above 64 px, "
        "else thumbnails.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")]
GalleryFile = Annotated[
    Path, typer.Option("--gallery", "-g", envvar="GENPRINT_GALLERY", help="File with the enrolled sources.")
]
Known = Annotated[
    Path | None, typer.Option(exists=True, help="Known sources, one sub-folder each, instead of a gallery.")
]
Conditions = Annotated[
    bool,
    typer.Option(
        help="Compare a probe that looks processed (saved as JPEG, resized and the like) with the known images after "
        "the same processing. It takes a pass over these the first time; of a gallery, it takes kept originals."
    ),
]
Trust = Annotated[
    Path | None,
    typer.Option(
        envvar="GENPRINT_TRUST",
        exists=True,
        help="PEM certificates of the authorities by which signers of C2PA manifests are trusted. What files say is "
        "told beside the answer and changes no decision.",
    ),
]
Originals = Annotated[
    bool,
    typer.Option(
        help="Keep up to 32 images of each source (16 MiB at most) in GALLERY.originals, so that processed probes can "
        "be compared with their like."
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="One source of which no image can be used is an error; if not given, it is left out, and told."
    ),
]
Rate = Annotated[
    float, typer.Option(min=0.0001, max=0.5, help="Largest share of unknown sources that may be attributed wrongly.")
]
DEFAULT_GALLERY = Path("genprint-gallery.sqlite")

#: What `genprint` ends with: by the decision of a command that answers one question.
EXIT_CODES = {
    "attributed": 0, "same": 0, "single": 0, "mixed": 0, "derived": 0,
    "unknown": 3, "different": 3, "apart": 3, "inconclusive": 4, "error": 1,
}  # fmt: skip


@contextmanager
def errors(as_json: bool = False) -> Iterator[None]:
    """Turns what users can mend into one line and exit code 1."""
    try:
        yield
    except (GenprintError, ValueError, KeyError, ModuleNotFoundError, OSError) as error:
        message = str(error.args[0] if isinstance(error, KeyError) else error)
        if isinstance(error, ModuleNotFoundError):
            message += "; this command needs an extra: pip install 'genprint[train,generators,service]'"
        if as_json:
            print(json.dumps({"decision": "error", "reason": message}))
        tell(message, "error: ")
        raise typer.Exit(1) from None


def tell(message: str, label: str = "") -> None:
    """A message on stderr, in one line: names may hold what would be taken for markup. The label stands out."""
    err.print(Text.assemble((label, "bold red"), printable(message)), highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A text on stdout; tabs and new lines are its own, for names in it have none."""
    print(printable(text, keep="\t\n"))


def show(result: Any, as_json: bool, text: str) -> None:
    """A result on stdout, whole as JSON or as text."""
    say(json.dumps(result, indent=2) if as_json else text)


class Advance:
    """Advances a progress bar by so much, or takes it to a place of a total; told by ``expect`` what is to come.

    Where stderr is no terminal, a line is written every few seconds instead.
    """

    def __init__(self, unit: str, total: float | None, shown: Progress, task: TaskID):
        self._unit, self._total, self._shown, self._task = unit, total, shown, task
        self._done, self._told = 0.0, time.monotonic()
        self._began = self._told

    def __call__(self, by: float = 1, extra: str = "", at: float | None = None, of: float | None = None) -> None:
        self._done = self._done + by if at is None else at
        self._total = of if of is not None else self._total
        extra = printable(extra)
        self._shown.update(self._task, extra=extra, completed=self._done, total=self._total)
        now = time.monotonic()
        if not err.is_terminal and now - self._told >= _EVERY:
            self._told = now
            tell(" ".join(filter(None, [f"{self._unit}:", f"{self._done:.4g}", self._of(now - self._began), extra])))

    def expect(self, more: int | None) -> None:
        """So many are to come, beside those that are done; None: nobody knows."""
        self._total = None if more is None else self._done + more
        self._shown.update(self._task, total=self._total)

    def _of(self, seconds: float) -> str:
        if not self._total:
            return ""
        left = f", about {seconds * (self._total / self._done - 1):.0f} s left" if self._done else ""
        return f"of {self._total:.4g}{left}"


@contextmanager
def bar(unit: str, total: float | None = None) -> Iterator[Advance]:
    """A progress bar on stderr; yields what advances it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[extra]}", markup=False),
    )
    shown = Progress(*columns, TimeRemainingColumn(), console=err, transient=True, disable=not err.is_terminal)
    with shown as progress:
        yield Advance(unit, total, progress, progress.add_task(unit, total=total, extra=""))


_cache: Cache | None = None


def use_cache(path: Path | None) -> None:
    """Features are read from and kept in that file from now on; None: no more."""
    global _cache
    if path is None:
        _cache = None
    else:
        from genprint.fingerprints.cache import Cache

        _cache = Cache(path)


def load_model(model: str | None, sets: Sequence[ImageSet] = (), gallery: GalleryStore | None = None) -> LoadedModel:
    """The model of that name or folder; where none is given, the one of the gallery or for these sets.

    It keeps features in the cache, if one is used. What was chosen by sizes is said, and which sets it does not suit.
    """
    from genprint import api

    loaded = api.load(model) if model else api.choose(sets, gallery)
    if sets and not model and not (gallery and gallery.maker.bound):
        tell(f"model: {loaded.name}, by the sizes of the images (--model takes another)")
    warn_small(loaded, sets)
    return replace(loaded, cache=_cache) if _cache else loaded


def warn_small(model: LoadedModel, sets: Sequence[ImageSet]) -> None:
    """Says which sets' images are too small for the model."""
    tell_small(too_small(model, sets))


def too_small(model: LoadedModel, sets: Sequence[ImageSet]) -> list[str]:
    """Names of the sets whose images are too small for the model."""
    from genprint import shipped

    return shipped.too_small(model.name, sets)


def tell_small(names: Sequence[str]) -> None:
    """That images of these sets are too small for the model for pictures."""
    from genprint.images.decoding import THUMBNAIL_SIDE

    if names:
        tell(
            f"{first_of(names)}: images of {THUMBNAIL_SIDE} px or less, which the model for pictures tells apart worse "
            "than the model for thumbnails",
            "warning: ",
        )


def listed_gallery(path: Path) -> GalleryStore:
    """The gallery in that file, without a model: what needs none does not wait for one.

    Raises:
        GalleryError: there is none.
    """
    from genprint.gallery.store import GalleryStore

    _check_there(path)
    return GalleryStore(path, None)


def open_gallery(path: Path, model: str | None) -> Gallery:
    """The gallery in that file.

    Raises:
        GalleryError: there is none.
    """
    _check_there(path)
    from genprint import api

    return api.open(path, load_model(model, gallery=listed_gallery(path)))


def _check_there(path: Path) -> None:
    if not path.exists():
        raise GenprintError(
            f"{path}: no such file; enroll sources (genprint enroll NAME IMAGES), or give their folder with --known"
        )


class Sources(list["ImageSet"]):
    """Image sets, and what was left out.

    Attributes:
        left_out: sources of which no image can be used, and why.
        images_left_out: of each source that was read, images that could not be used, and why.
    """

    def __init__(self, sets: Sequence[ImageSet], left_out: Sequence[LeftOut]):
        super().__init__(sets)
        self.left_out = tuple(left_out)
        self.images_left_out: dict[str, tuple[LeftOut, ...]] = {}


def sources_of(data: Path, strict: bool) -> Sources:
    """The sources in a folder or archive; those of which no image can be used are left out, and told.

    Raises:
        ImageSetError: there is none, or, if strict, one cannot be used.
    """
    from genprint.images.known import read_sources, usable
    from genprint.images.sets import ImageSetError

    having, lacking = usable(read_sources(data))
    if lacking and (strict or not having):
        raise ImageSetError(lacking[0].reason)
    for left in lacking:
        tell_source_left_out(left.name, left.reason)
    return Sources(having, lacking)


def tell_source_left_out(name: str, reason: str) -> None:
    """That a source was left out, and why."""
    tell(f"left out the source {name}: {reason}", "warning: ")


def known_gallery(
    known: Path | None, gallery: Path, model: str | None, conditions: bool, strict: bool = False
) -> Gallery:
    """The known sources: those of a folder, in memory, or of a gallery's file.

    Raises:
        GenprintError: there are none.
    """
    if known is None:
        if not len(listed_gallery(gallery)):
            raise GenprintError(
                f"{gallery}: nothing is enrolled in it; enroll sources (genprint enroll NAME IMAGES), or give their "
                "folder with --known"
            )
        opened = open_gallery(gallery, model)
        lacking = opened.lacking_originals() if conditions else []
        if lacking:
            tell(
                f"of {counted(len(lacking), 'source')} ({first_of(lacking)}) no originals are kept, so that probes "
                "that were saved as JPEG or the like cannot be compared with their like. Enroll again, with "
                "--originals.",
                "warning: ",
            )
        return opened
    from genprint import api
    from genprint.images.known import read_sources

    made = api.Gallery(None, load_model(model, read_sources(known)))
    enroll(made, known, None, strict=strict)
    return made


def enroll(
    gallery: Gallery, sources: Path, name: str | None, originals: bool = True, strict: bool = False
) -> list[Added]:
    """Enrolls sources (or one, if it is named) with a progress bar; says what was left out."""
    with bar("reading images") as advance:
        added = gallery.enroll(sources, name, originals, advance, strict)
    for source in added:
        if source.reason:
            tell_source_left_out(source.source, source.reason)
        else:
            tell_left_out(source.source, source.left_out)
    for concern in gallery.concerns:
        tell(concern.said, "warning: ")
    return added


def tell_left_out(name: str, left_out: Sequence[LeftOut]) -> None:
    """Which images of a set were left out, and why."""
    for left in left_out[:10]:
        tell(f"left out {left.name}: {left.reason}")
    if len(left_out) > 10:
        tell(f"... and {len(left_out) - 10} more of {name} (all are in --json)")


def csv_bytes(rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file; of names, what is no visible character is escaped."""
    text = io.StringIO()
    shown = ([printable(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    csv.writer(text, lineterminator="\n").writerows(shown)
    return text.getvalue().encode()
