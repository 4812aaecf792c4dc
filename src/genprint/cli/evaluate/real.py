"""``genprint evaluate real``: photographs against generated images, of publishers and generators unseen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genprint.cli.common import errors, show
from genprint.cli.evaluate.common import Data, Methods, Reader, Repeats, Seed, Sizes, about_sources, interval, set_sizes
from genprint.cli.loading import load_model, sources_of
from genprint.cli.options import AsJson, Model, Strict
from genprint.cli.progress import bar
from genprint.storage.files import write_atomically
from genprint.words import counted

if TYPE_CHECKING:
    from genprint.evaluation.real import Populations, Told
    from genprint.images.sets import ImageSet

AS_FOUND = "as found"

RealSources = Annotated[
    list[str] | None,
    typer.Option(
        "--real",
        help="A source in DATA that is real photographs; give it once for each. All others are generators. If left "
        "out: those whose column 'class' in DATA/sources.csv says 'real'.",
    ),
]
Publisher = Annotated[
    str | None,
    typer.Option(
        help="Column of DATA/sources.csv that says who published the real sources (site, collection): those of one "
        "publisher are left out together. If left out, each real source counts as a publisher of its own."
    ),
]
SameGenerator = Annotated[
    str | None,
    typer.Option(
        "--same",
        help="Column of DATA/sources.csv that says which sources are of one generator: they are left out together. If "
        "left out, each source counts as a generator of its own.",
    ),
]
AfterEach = Annotated[
    list[str] | None,
    typer.Option(
        "--after",
        help="Beside the images as found, ask again after all of them went through this, as 'JPEG 75' or 'scale 50 %, "
        "JPEG 85'; give it once for each.",
    ),
]
Learned = Annotated[int, typer.Option(min=2, help="Images of each source that are learned from; the others are asked.")]


def populations_of(
    data: Path, sets: Sequence[ImageSet], real: Sequence[str], publisher: str | None, same: str | None
) -> Populations:
    """Which sources are real and who published them, by names given or by DATA/sources.csv.

    Raises:
        ValueError: a name or column is not there, or there are fewer than two groups of either population.
    """
    from genprint.evaluation.real import Populations

    names = [images.name for images in sets]
    if unheard := [name for name in real if name not in names]:
        raise ValueError(f"--real {unheard[0]}: no such source in {data}; there are {', '.join(names)}")
    columns = [column for column in (None if real else "class", publisher, same) if column]
    about = about_sources(data, ("source", *columns), sets) if columns else {}
    photographs = set(real) or {name for name in names if about[name]["class"] == "real"}
    if not photographs:
        raise ValueError(f"{data / 'sources.csv'}: no source has class 'real'; name the real ones with --real NAME")
    return Populations(
        {name: about[name][publisher] if publisher else name for name in names if name in photographs},
        {name: about[name][same] if same else name for name in names if name not in photographs},
    )


def real_command(
    data: Data,
    real: RealSources = None,
    publisher: Publisher = None,
    same: SameGenerator = None,
    method: Methods = ["set_encoder", "imagenet", "header"],  # noqa: B006
    after: AfterEach = ["JPEG 75"],  # noqa: B006
    learned: Learned = 16,
    size: Sizes = "1,5,10",
    repeats: Repeats = 3,
    seed: Seed = 0,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write the JSON here.")] = None,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Whether real photographs can be told from generated images, where neither their publisher nor generator was seen.

    Each publisher of real photographs is left out in its turn, with each generator, and sets of both are asked: area
    under the ROC curve, 50 % is chance. It measures; no answer of Genprint says that images are real.
    """
    from genprint.evaluation.methods import METHODS
    from genprint.evaluation.real import real_or_generated, turns
    from genprint.fingerprints.conditions import named

    with errors(as_json):
        sets = sources_of(data, strict)
        populations = populations_of(data, sets, real or (), publisher, same)
        loaded = load_model(model, sets)
        found: dict[str, dict[str, dict[int, Told]]] = {}
        for condition in (None, *(after or ())):
            reader = Reader(method, loaded, sets, None, named(condition) if condition else None)
            for name in reader.methods:
                if name == "header" and condition:
                    continue  # of images after a processing there are no files
                _, fingerprints = reader.read(name)
                with bar(f"asking {name}", total=repeats * turns(populations)) as advance:
                    found.setdefault(name, {})[condition or AS_FOUND] = real_or_generated(
                        fingerprints, populations, learned, set_sizes(size), repeats, seed, advance
                    )
        result = {
            "real": dict(populations.publishers), "generated": dict(populations.generators), "learned": learned,
            "repeats": repeats, "seed": seed, "caution": caution(populations),
            "methods": {
                name: {
                    "role": METHODS[name].role,
                    "conditions": {
                        after_: {str(n): asdict(told) for n, told in rows.items()} for after_, rows in own.items()
                    },
                }
                for name, own in found.items()
            },
        }  # fmt: skip
        if output:
            write_atomically(output, json.dumps(result, indent=2).encode())
        show(result, as_json, "\n".join([*_lines(found), caution(populations)]))


def caution(populations: Populations) -> str:
    """What so few publishers do not support, in a sentence or two."""
    publishers = counted(len(set(populations.publishers.values())), "publisher")
    return (
        f"No rate of false answers follows from {publishers} of real photographs: how photographs of others would "
        "score is not known. So no answer of Genprint says that images are real."
    )


def _lines(found: Mapping[str, Mapping[str, Mapping[int, Told]]]) -> list[str]:
    """The results as text: a line a method, condition and size, and one for each publisher left out."""
    from genprint.evaluation.methods import METHODS

    lines = ["area under the ROC curve, publisher and generator unseen (chance 50%)"]
    for name, conditions in found.items():
        for condition, rows in conditions.items():
            for n, told in rows.items():
                real, made = told.sets
                each = "  ".join(f"{publisher} {interval(mean)}" for publisher, mean in told.by_publisher.items())
                lines += [
                    f"{name:<16} {METHODS[name].role:<8} {condition:<20} {counted(n, 'image'):>9}  "
                    f"{interval(told.auroc)}  publisher seen {interval(told.publisher_seen)}  "
                    f"({real} real sets, {made} generated)",
                    f"{'':<16} publisher left out: {each}",
                ]
    return lines
