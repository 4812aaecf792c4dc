"""Commands that measure methods on labelled sources."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genprint.cli.common import AsJson, Model, bar, errors, load_encoder, read_features, show
from genprint.files import write_atomically

if TYPE_CHECKING:
    from genprint.evaluation.intervals import Mean
    from genprint.fingerprint import Features
    from genprint.images import ImageSet
    from genprint.methods.set_encoder.encoder import SetEncoder
    from genprint.scoring import Comparer

Data = Annotated[Path, typer.Argument(exists=True, help="Folder with one sub-folder for each source.")]
Methods = Annotated[list[str], typer.Option(help="Methods to compare; 'all' for every one.")]
Seed = Annotated[int, typer.Option(help="Of the splits.")]

app = typer.Typer(no_args_is_help=True, help="Measures methods on labelled sources.")


class _Reader:
    """Methods by name, and the features they need of the sets: read once for methods that share them."""

    def __init__(self, methods: Sequence[str], encoder: SetEncoder, sets: Sequence[ImageSet]):
        from genprint.methods import METHODS

        for name in methods:
            if name not in METHODS and name != "all":
                raise ValueError(f"--method {name}: there are {', '.join(METHODS)} and all")
        self.methods = list(METHODS) if "all" in methods else list(methods)
        self._encoder, self._sets = encoder, sets
        self._features: dict[str, dict[str, Features]] = {}

    def read(self, name: str) -> tuple[Comparer, dict[str, Features]]:
        """The method's comparer, and its features of each set."""
        from genprint.methods import METHODS

        front = METHODS[name].front(self._encoder)
        if front.method not in self._features:
            self._features[front.method] = read_features(front, self._sets)
        return METHODS[name].comparer(self._encoder), self._features[front.method]


@app.command()
def attributability(
    data: Data,
    method: Methods = ["set_encoder"],  # noqa: B006
    enrolled: Annotated[int, typer.Option(min=2, help="Images enrolled a source.")] = 32,
    probe: Annotated[str, typer.Option(help="Sizes of probe sets.")] = "1,5,10,20",
    repeats: Annotated[int, typer.Option(min=1, help="New splits.")] = 10,
    seed: Seed = 0,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write the JSON here.")] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Top-1 over the sources in DATA, by probe size, beside the content controls."""
    from dataclasses import asdict

    from genprint.evaluation.attributability import top1
    from genprint.images import read_sources
    from genprint.methods import METHODS

    with errors(as_json):
        reader = _Reader(method, load_encoder(model), sets := read_sources(data))
        sizes = sorted({int(size) for size in probe.split(",")})
        methods: dict[str, Any] = {}
        for name in reader.methods:
            comparer, features = reader.read(name)
            rates = top1(features, comparer, enrolled, sizes, repeats, seed)
            methods[name] = {"role": METHODS[name].role, "top1": {str(n): asdict(r) for n, r in rates.items()}}
        result = {"enrolled": enrolled, "sources": len(sets), "repeats": repeats, "seed": seed, "methods": methods}
        lines = [f"top-1 among {len(sets)} sources (chance {1 / len(sets):.1%}), {enrolled} images enrolled each"]
        for name, row in methods.items():
            cells = [f"@{n} {r['mean']:.1%} [{r['low']:.0%}, {r['high']:.0%}]" for n, r in row["top1"].items()]
            lines.append(f"{name:<20} {row['role']:<8} " + "  ".join(cells))
        if output:
            write_atomically(output, json.dumps(result, indent=2).encode())
        show(result, as_json, "\n".join(lines))


@app.command()
def existence(
    data: Data,
    method: Methods = ["set_encoder", "marra", "spectrum", "colour", "thumbnail"],  # noqa: B006
    size: Annotated[str, typer.Option(help="Images in a set, one or several sizes.")] = "10,30",
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the JSON and a picture of every trace.")
    ] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Whether sets of one source are more alike than sets of different sources: a permutation test each.

    A file DATA/sources.csv with columns 'source' and 'class' gives a summary for each class of model.
    """
    from dataclasses import asdict

    from genprint.evaluation.existence import ALPHA, existence, summarise
    from genprint.images import read_sources
    from genprint.methods import METHODS

    with errors(as_json):
        reader = _Reader(method, load_encoder(model), sets := read_sources(data))
        classes = _classes(data)
        table: dict[str, Any] = {}
        lines = []
        for name in reader.methods:
            comparer, features = reader.read(name)
            table[name] = {"role": METHODS[name].role, "sizes": {}}
            for n in sorted({int(part) for part in size.split(",")}):
                found = existence(features, comparer, n, seed=seed)
                summary = summarise(found, classes, seed)
                table[name]["sizes"][str(n)] = {
                    "sources": {source: asdict(row) for source, row in found.items()},
                    "classes": {kind: asdict(row) for kind, row in summary.items()},
                }
                for kind, row in summary.items():
                    lines.append(
                        f"{name:<12} {n:>4} images  {kind:<8} {row.significant} of {row.auc.sources} sources "
                        f"p < {ALPHA}, within above between {_interval(row.auc)}"
                    )
        result = {"sources": len(sets), "seed": seed, "methods": table}
        if output:
            from genprint import plots

            write_atomically(output / "existence.json", json.dumps(result, indent=2).encode())
            with bar("drawing", total=len(sets)) as advance:
                for images in sets:
                    figure = plots.trace_figure({images.name: images.to_array()})
                    write_atomically(output / f"{images.name}.png", plots.to_bytes(figure))
                    advance()
        show(result, as_json, "\n".join(lines))


def _interval(mean: Mean) -> str:
    return f"{mean.mean:.0%} [{mean.low:.0%}, {mean.high:.0%}]"


def _classes(data: Path) -> dict[str, str]:
    """The class of model of each source, as DATA/sources.csv has it; nothing without such a file."""
    path = data / "sources.csv" if data.is_dir() else data
    if not data.is_dir() or not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        if not {"source", "class"} <= set(rows.fieldnames or ()):
            raise ValueError(f"{path}: needs columns 'source' and 'class'; it has {rows.fieldnames}")
        return {row["source"]: row["class"] for row in rows}
