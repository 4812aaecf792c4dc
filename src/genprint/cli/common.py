"""What all commands share: consoles, progress, errors, the encoder."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

if TYPE_CHECKING:
    from genprint.answers.attribution import Identifier
    from genprint.encoder.encoder import SetEncoder
    from genprint.fingerprints.cache import FeatureCache
    from genprint.fingerprints.fingerprint import Features, Fingerprinter
    from genprint.gallery.store import Gallery
    from genprint.images.sets import ImageSet

err = Console(stderr=True)

Model = Annotated[
    Path | None, typer.Option("--model", "-m", help="Folder of a saved encoder; the shipped one if left out.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")]
GalleryFile = Annotated[
    Path, typer.Option("--gallery", "-g", envvar="GENPRINT_GALLERY", help="File with the enrolled sources.")
]
Known = Annotated[
    Path | None, typer.Option(exists=True, help="Known sources, one sub-folder each, instead of a gallery.")
]
Histories = Annotated[
    bool,
    typer.Option(
        help="Also look at the enrolled images as they are after JPEG, resizing and the like, so that probes that went "
        "through that are compared with their like. Reading takes 20 times as long. A gallery has what was enrolled."
    ),
]
DEFAULT_GALLERY = Path("genprint-gallery.sqlite")


def tune_malloc() -> None:
    """Keeps freed memory: page faults cost convolutions a third of their speed. glibc only, before torch."""
    if sys.platform == "linux":
        import ctypes

        try:
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
            libc.mallopt(-4, 0)  # M_MMAP_MAX
        except (OSError, AttributeError):  # another libc
            return


@contextmanager
def errors(as_json: bool = False) -> Iterator[None]:
    """Turns what users can mend into one line and exit code 1."""
    from genprint.fingerprints.bulk import LedgerError
    from genprint.fingerprints.cache import CacheError
    from genprint.fingerprints.cluster import ClusterError
    from genprint.gallery.store import GalleryError
    from genprint.images.sets import ImageSetError
    from genprint.storage.weights import WeightsError

    try:
        yield
    except (
        ImageSetError,
        WeightsError,
        GalleryError,
        CacheError,
        LedgerError,
        ClusterError,
        ValueError,
        KeyError,
        ModuleNotFoundError,
        OSError,
    ) as error:
        message = str(error.args[0] if isinstance(error, KeyError) else error)
        if isinstance(error, ModuleNotFoundError):
            message += "; this command needs an extra: pip install 'genprint[train,generators,service]'"
        if as_json:
            print(json.dumps({"answer": "error", "reason": message}))
        tell(message, "error: ")
        raise typer.Exit(1) from None


def tell(message: str, label: str = "") -> None:
    """A message on stderr, as it is: names may hold what would be taken for markup. The label stands out."""
    err.print(Text.assemble((label, "bold red"), message), highlight=False, soft_wrap=True)


def show(result: Any, as_json: bool, text: str) -> None:
    """A result on stdout, whole as JSON or as text."""
    print(json.dumps(result, indent=2) if as_json else text)


@contextmanager
def bar(unit: str, total: float | None = None) -> Iterator[Any]:
    """A progress bar on stderr; yields a function that advances it by so much, or takes it to a place of a total."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[extra]}"))
    with Progress(*columns, TimeRemainingColumn(), console=err, transient=True) as progress:
        task = progress.add_task(unit, total=total, extra="")

        def advance(by: float = 1, extra: str = "", at: float | None = None, of: float | None = None) -> None:
            if at is None:
                progress.update(task, extra=extra, advance=by)
            else:
                progress.update(task, extra=extra, completed=at, total=of)

        yield advance


def load_encoder(model: Path | None) -> SetEncoder:
    """The encoder in that folder, or the shipped one."""
    from genprint.encoder.encoder import SetEncoder

    return SetEncoder.from_pretrained(model)


_cache: FeatureCache | None = None


def use_cache(path: Path | None) -> None:
    """Features are read from and kept in that file from now on; None: no more."""
    global _cache
    if path is None:
        _cache = None
    else:
        from genprint.fingerprints.cache import FeatureCache

        _cache = FeatureCache(path)


def read_features(encoder: Fingerprinter, sets: Sequence[ImageSet], histories: bool = False) -> dict[str, Features]:
    """Features of each set's images, by its name, with a progress bar; says what was left out."""
    from genprint.scoring.conditions import HISTORIES

    features = {}
    with bar("reading images") as advance:
        for images in sets:
            features[images.name] = encoder.features(
                images, progress=advance, cache=_cache, histories=HISTORIES if histories else {}
            )
    for images in sets:
        tell_left_out(images.name, [asdict(left) for left in images.left_out])
    return features


def tell_left_out(name: str, left_out: Sequence[Mapping[str, str]]) -> None:
    """Which images of a set were left out, and why."""
    for left in left_out[:10]:
        tell(f"left out {left['name']}: {left['reason']}")
    if len(left_out) > 10:
        tell(f"... and {len(left_out) - 10} more of {name} (all are in --json)")


def csv_bytes(rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file; names that are no UTF-8 keep their bytes as escapes."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def open_gallery(encoder: SetEncoder, path: Path, histories: bool = False) -> Gallery:
    """The gallery in that file.

    Args:
        histories: whether these will be asked for; then says which sources lack them.

    Raises:
        GalleryError: there is none.
    """
    from genprint.gallery.store import Gallery, GalleryError

    if not path.exists():
        raise GalleryError(f"{path}: nothing is enrolled; use genprint enroll NAME IMAGES, or --known DATA")
    gallery = Gallery(path, encoder)
    if histories:
        warn_of_histories(gallery)
    return gallery


def warn_of_histories(gallery: Gallery) -> None:
    """Where some sources were enrolled without histories, none is of use."""
    if lacking := gallery.without_histories():
        names = ", ".join(lacking[:3]) + (", ..." if len(lacking) > 3 else "")
        tell(
            f"{len(lacking)} sources ({names}) were not looked at after all the changes that others were, so none is "
            "compared after these: enroll their images again, with histories",
            "warning: ",
        )


def enrolled_features(encoder: SetEncoder, known: Path | None, gallery: Path, histories: bool) -> dict[str, Features]:
    """Features of the known sources: those of a folder, or of the gallery."""
    from genprint.images.sets import read_sources

    if known:
        return read_features(encoder, read_sources(known), histories)
    return open_gallery(encoder, gallery, histories).features(histories=histories)


def identifier_for(
    encoder: SetEncoder, known: Path | None, gallery: Path, rate: float, histories: bool
) -> Callable[[Features], Identifier]:
    """Gives the identifier for a probe: of a folder of known sources, or of the gallery."""
    from genprint.answers.attribution import GalleryIdentifier, Identifier

    if known:
        only = Identifier(encoder, enrolled_features(encoder, known, gallery, histories), rate)
        return lambda _: only
    store = open_gallery(encoder, gallery, histories)
    made = GalleryIdentifier(encoder, store, rate, histories)
    return lambda features: made.near(store, features)
