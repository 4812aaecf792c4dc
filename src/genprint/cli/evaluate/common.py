"""What the commands that measure share: their options, reading features by method, and showing results by method."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genprint.cli.common import show, tell_left_out
from genprint.cli.loading import Sources
from genprint.cli.progress import bar

if TYPE_CHECKING:
    from genprint.evaluation.attributability import Rate
    from genprint.evaluation.intervals import Mean
    from genprint.fingerprints.fingerprint import Fingerprint
    from genprint.images.processing import Processing
    from genprint.images.sets import ImageSet
    from genprint.model import Model
    from genprint.scoring.base import Comparer

Data = Annotated[Path, typer.Argument(exists=True, help="Folder with one sub-folder for each source.")]
Methods = Annotated[
    list[str],
    typer.Option(
        help="Methods to compare; 'all' for every one. Where images differ in size, those that need one size and those "
        "that train a network, take the middle of each: a square of the smallest side of all, at native resolution."
    ),
]
Enrolled = Annotated[int, typer.Option(min=2, help="Images enrolled a source.")]
Repeats = Annotated[int, typer.Option(min=1, help="New splits.")]
Sizes = Annotated[str, typer.Option(help="Images in a set, one size or several with commas.")]
Seed = Annotated[int, typer.Option(help="Of the splits.")]
After = Annotated[
    str | None,
    typer.Option(help="All images go through this first, as 'JPEG 75', or 'resize 75 %, JPEG 90' for several."),
]
Real = Annotated[Path | None, typer.Option(exists=True, help="Real images, for methods that compare with such.")]


def read_fingerprints(
    model: Model, sets: Sequence[ImageSet], after: Processing | None = None
) -> dict[str, Fingerprint]:
    """The fingerprint of each set, by its name, with a progress bar; says what was left out.

    ``after``: what all images go through first.
    """
    with bar("reading images") as advance:
        found = {
            images.name: model.fingerprinter.extract(images, advance, cache=model.cache, processing=after)
            for images in sets
        }
    for name, fingerprint in found.items():
        tell_left_out(name, fingerprint.left_out)
        if fingerprint.left_out and isinstance(sets, Sources):
            sets.images_left_out[name] = fingerprint.left_out
    return found


def note_left_out(sets: Sources) -> None:
    """Notes and tells the images of sets that cannot be used, where no fingerprint is made that would say it."""
    from genprint.images.sets import LeftOut

    for images in sets:
        if left_out := tuple(found for found in images.scan() if isinstance(found, LeftOut)):
            tell_left_out(images.name, left_out)
            sets.images_left_out[images.name] = left_out


def with_left_out(result: Mapping[str, Any], sets: Sources) -> dict[str, Any]:
    """A result as JSON has it: with the number of sources it is of, and the sources and images that were left out."""
    images = {name: [asdict(left) for left in own] for name, own in sets.images_left_out.items()}
    left_out = [asdict(left) for left in sets.left_out]
    return {**result, "sources": len(sets), "left_out": left_out, "images_left_out": images}


class Reader:
    """Methods by name, and the fingerprints they need of the sets: made once for methods that share them."""

    def __init__(
        self,
        methods: Sequence[str],
        model: Model,
        sets: Sequence[ImageSet],
        real: Path | None = None,
        after: Processing | None = None,
    ):
        from genprint.evaluation.methods import METHODS
        from genprint.images.sets import ImageSet

        for name in methods:
            if name not in METHODS and name != "all":
                raise ValueError(f"--method {name}: there are {', '.join(METHODS)} and all")
            if name != "all" and METHODS[name].of_real and real is None:
                raise ValueError(f"--method {name} compares with real images: give some, --real FOLDER or .npz "
                                 "(of attributability and open-set)")  # fmt: skip
        every = [name for name, method in METHODS.items() if real or not method.of_real]
        self.methods = every if "all" in methods else list(methods)
        self._model, self._sets, self._after = model, sets, after
        self._real = ImageSet.read(real) if real else None
        self._fingerprints: dict[str, dict[str, Fingerprint]] = {}

    def read(self, name: str) -> tuple[Comparer, dict[str, Fingerprint]]:
        """The method's comparer, and its fingerprint of each set."""
        from genprint.evaluation.methods import METHODS

        made_by = METHODS[name].fingerprinter(self._model).method
        if made_by not in self._fingerprints:
            reader = replace(self._model, fingerprinter=METHODS[name].reader(self._model, self._real, self._sets))
            self._fingerprints[made_by] = read_fingerprints(reader, self._sets, self._after)
        return METHODS[name].comparer(self._model), self._fingerprints[made_by]


def set_sizes(text: str) -> list[int]:
    """Numbers of images, from text such as '1,5,10', ascending.

    Raises:
        ValueError: it is something else, or one is below 1.
    """
    try:
        sizes = sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise ValueError(f"{text}: give numbers of images with commas between, as 1,5,10") from None
    if sizes[0] < 1:
        raise ValueError(f"a set has one image or more, not {sizes[0]}")
    return sizes


def show_results(found: Mapping[str, Any], settings: Mapping[str, Any], as_json: bool, lines: Sequence[str]) -> None:
    """Results by method, as JSON with each method's role, or as lines."""
    from genprint.evaluation.methods import METHODS

    methods = {name: {"role": METHODS[name].role, "results": _plain(rows)} for name, rows in found.items()}
    show({**settings, "methods": methods}, as_json, "\n".join(lines))


def _plain(value: Any) -> Any:
    """Dataclasses within dictionaries, as plain values."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def interval(mean: Mean | Rate) -> str:
    """A mean and its interval, in percent."""
    return f"{mean.mean:.0%} [{mean.low:.0%}, {mean.high:.0%}]"


def about_sources(data: Path, columns: Sequence[str], sets: Sequence[ImageSet] = ()) -> dict[str, dict[str, str]]:
    """What DATA/sources.csv says of each source.

    Raises:
        ValueError: there is no such file, or it lacks a column, or one of the sources.
    """
    path = data / "sources.csv"
    if not path.exists():
        raise ValueError(f"{path}: no such file; it needs columns {', '.join(columns)}")
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        missing = set(columns) - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f"{path}: needs columns {', '.join(sorted(missing))}; it has {rows.fieldnames}")
        about = {row["source"]: dict(row) for row in rows}
    lacking = [images.name for images in sets if images.name not in about]
    if lacking:
        raise ValueError(f"{path}: says nothing of {', '.join(lacking[:5])}; add a row for each")
    return about
