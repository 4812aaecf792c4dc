"""Commands that measure methods on labelled sources: attributability, existence, stability, robustness, families."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genprint.cli.common import errors, show
from genprint.cli.evaluate.across import (
    Alike,
    By,
    Content,
    Same,
    as_lines,
    as_markdown,
    as_result,
    labels_of,
    measured,
    with_controls,
)
from genprint.cli.evaluate.common import (
    After,
    Data,
    Enrolled,
    Methods,
    Reader,
    Real,
    Repeats,
    Seed,
    Sizes,
    about_sources,
    interval,
    note_left_out,
    set_sizes,
    show_results,
    with_left_out,
)
from genprint.cli.loading import load_model, sources_of
from genprint.cli.options import AsJson, Model, Strict
from genprint.cli.progress import bar
from genprint.storage.files import write_atomically

if TYPE_CHECKING:
    from genprint.evaluation.attributability import Rate


def attributability_command(
    data: Data,
    method: Methods = ["set_encoder"],  # noqa: B006
    enrolled: Enrolled = 32,
    probe: Annotated[str, typer.Option(help="Sizes of probe sets.")] = "1,5,10,20",
    repeats: Repeats = 10,
    seed: Seed = 0,
    real: Real = None,
    after: After = None,
    across: By = None,
    same: Same = "model",
    content: Content = None,
    alike: Alike = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write the JSON here; with --across, or a table as .md.")
    ] = None,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Top-1 over the sources in DATA, by probe size; of several methods, the first is paired with each other one.

    With --across, of a generator's images as one publisher left them, asked as another did.
    """
    from genprint.evaluation.attributability import paired, top1
    from genprint.evaluation.methods import METHODS
    from genprint.fingerprints.conditions import named

    with errors(as_json):
        sets, sizes = sources_of(data, strict), set_sizes(probe)
        labels = labels_of(data, sets, across, same, content) if across else {}
        chosen = with_controls(method) if across else method
        reader = Reader(chosen, load_model(model, sets), sets, real, named(after) if after else None)
        settings = {"enrolled": enrolled, "sources": len(sets), "repeats": repeats, "seed": seed, "after": after}
        if across:
            found = measured(reader, labels, enrolled, sizes, repeats, seed, alike)
            settings |= {"across": across, "same": same, "alike": alike}
            result = with_left_out({**settings, "methods": as_result(found, seed)}, sets)
            if output:
                about = ", ".join(f"{name} {value}" for name, value in settings.items() if value is not None)
                page = as_markdown(found, seed, f"{data.name}: {about}.") if output.suffix == ".md" else ""
                write_atomically(output, (page or json.dumps(result, indent=2)).encode())
            show(result, as_json, "\n".join(as_lines(found, seed)))
            return
        methods: dict[str, Any] = {}
        first: dict[int, Rate] = {}
        for name in reader.methods:
            comparer, fingerprints = reader.read(name)
            rates = top1(fingerprints, comparer, enrolled, sizes, repeats, seed)
            methods[name] = {"role": METHODS[name].role, "top1": {str(n): asdict(r) for n, r in rates.items()}}
            if first:
                methods[name]["paired"] = {str(n): asdict(paired(first[n], rate, seed)) for n, rate in rates.items()}
            first = first or rates
        result = with_left_out({**settings, "methods": methods}, sets)
        lines = [f"top-1 among {len(sets)} sources (chance {1 / len(sets):.1%}), {enrolled} images enrolled each"]
        for name, row in methods.items():
            cells = [f"@{n} {r['mean']:.1%} [{r['low']:.0%}, {r['high']:.0%}]" for n, r in row["top1"].items()]
            lines.append(f"{name:<24} {row['role']:<8} " + "  ".join(cells))
        for name, row in list(methods.items())[1:]:
            pairs = [(n, *pair["difference"]) for n, pair in row["paired"].items()]
            cells = [f"@{n} {d:+.1%} [{low:+.0%}, {high:+.0%}]" for n, d, low, high in pairs]
            lines.append(f"{reader.methods[0]} less {name}, paired: " + "  ".join(cells))
        if output:
            write_atomically(output, json.dumps(result, indent=2).encode())
        show(result, as_json, "\n".join(lines))


def existence_command(
    data: Data,
    method: Methods = ["set_encoder", "marra", "spectrum", "colour", "thumbnail"],  # noqa: B006
    size: Sizes = "10,30",
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the JSON and a picture of every trace.")
    ] = None,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Whether sets of one source are more alike than sets of different sources: a permutation test each.

    A file DATA/sources.csv with columns 'source' and 'class' gives a summary for each class of model.
    """
    from genprint.evaluation.existence import ALPHA, existence, summarise
    from genprint.evaluation.methods import METHODS

    with errors(as_json):
        sets = sources_of(data, strict)
        reader = Reader(method, load_model(model, sets), sets)
        has_classes = (data / "sources.csv").exists()
        about = about_sources(data, ("source", "class")) if has_classes else {}
        classes = {source: row["class"] for source, row in about.items()}
        table: dict[str, Any] = {}
        lines = []
        for name in reader.methods:
            comparer, fingerprints = reader.read(name)
            table[name] = {"role": METHODS[name].role, "sizes": {}}
            for n in set_sizes(size):
                found = existence(fingerprints, comparer, n, seed=seed)
                summary = summarise(found, classes, seed)
                table[name]["sizes"][str(n)] = {
                    "sources": {source: asdict(row) for source, row in found.items()},
                    "classes": {kind: asdict(row) for kind, row in summary.items()},
                }
                for kind, row in summary.items():
                    lines.append(
                        f"{name:<12} {n:>4} images  {kind:<8} {row.significant} of {row.auc.sources} sources "
                        f"p < {ALPHA}, within above between {interval(row.auc)}"
                    )
        result = with_left_out({"seed": seed, "methods": table}, sets)
        if output:
            from genprint.baselines.pixels import of_one_size
            from genprint.report import figures as plots

            write_atomically(output / "existence.json", json.dumps(result, indent=2).encode())
            with bar("drawing", total=len(sets)) as advance:
                for images in sets:
                    figure = plots.trace_figure(of_one_size([images]))
                    write_atomically(output / f"{images.name}.png", plots.to_bytes(figure))
                    advance()
        show(result, as_json, "\n".join(lines))


def stability_command(
    data: Data,
    method: Methods = ["set_encoder_cosine", "marra", "spectrum", "colour"],  # noqa: B006
    size: Sizes = "10",
    seed: Seed = 0,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Whether fingerprints of disjoint sets of one source agree, beside those of different sources."""
    from genprint.evaluation.methods import METHODS
    from genprint.evaluation.stability import stability

    with errors(as_json):
        loaded = load_model(model, sets := sources_of(data, strict))
        reader = Reader(method, loaded, sets)
        found = {
            name: {
                str(n): stability(reader.read(name)[1], METHODS[name].fingerprinter(loaded), n, seed)
                for n in set_sizes(size)
            }
            for name in reader.methods
        }
        lines = [
            f"{name:<20} {n:>4} images  within {interval(row.within)}  between {interval(row.between)}  "
            f"ratio {row.ratio:.1f}"
            for name, rows in found.items()
            for n, row in rows.items()
        ]
        show_results(found, with_left_out({"seed": seed}, sets), as_json, lines)


def robustness_command(
    data: Data,
    method: Methods = ["set_encoder"],  # noqa: B006
    enrolled: Enrolled = 32,
    size: Sizes = "10",
    repeats: Repeats = 3,
    seed: Seed = 0,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Top-1 after re-saving, cropping, blurring: of gallery and probes alike, or of the probes alone.

    Where images differ in size, all methods take the middle of each: a square of the smallest side of all.
    """
    from genprint.baselines.pixels import of_one_size
    from genprint.evaluation.methods import METHODS
    from genprint.evaluation.robustness import PROCESSINGS, robustness

    with errors(as_json):
        loaded = load_model(model, sets := sources_of(data, strict))
        images = of_one_size(sets)
        note_left_out(sets)
        found: dict[str, dict[str, Any]] = {}
        names = list(METHODS) if "all" in method else method
        with bar("asking", total=len(names) * len(PROCESSINGS)) as advance:
            for name in names:
                chosen = METHODS[name]
                settings = (
                    chosen.reader(loaded, None),
                    chosen.comparer(loaded),
                    enrolled,
                    set_sizes(size),
                    repeats,
                    seed,
                )
                for processing, rows in robustness(images, *settings):
                    found.setdefault(name, {})[processing] = rows
                    advance()
        lines = [
            f"{name:<20} {processing:<22} " + "  ".join(
                f"{side} @{n} {interval(rate)}" for side, rates in rows.items() for n, rate in rates.items()
            )
            for name, by_processing in found.items()
            for processing, rows in by_processing.items()
        ]  # fmt: skip
        asked = {"seed": seed, "enrolled": enrolled, "repeats": repeats}
        show_results(found, with_left_out(asked, sets), as_json, lines)


def families_command(
    data: Data,
    method: Methods = ["set_encoder"],  # noqa: B006
    label: Annotated[str, typer.Option(help="Columns of DATA/sources.csv to compare the tree with.")] = "class",
    linkage: Annotated[str, typer.Option(help="average, complete, single or ward; several with commas.")] = "average",
    images: Annotated[int, typer.Option(min=2, help="Images of each source, at most; as many of each.")] = 200,
    seed: Seed = 0,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Whether the family tree agrees with what DATA/sources.csv says of the sources."""
    import numpy as np

    from genprint.answers.families import FamilyTree
    from genprint.evaluation.families import agreement

    with errors(as_json):
        sets = sources_of(data, strict)
        reader = Reader(method, load_model(model, sets), sets)
        labels = label.split(",")
        about = about_sources(data, ("source", *labels), sets)
        found: dict[str, dict[str, Any]] = {}
        for name in reader.methods:
            comparer, fingerprints = reader.read(name)
            some = min(images, *map(len, fingerprints.values()))
            rng = np.random.default_rng(seed)  # every method gets the same images
            parts = [source[rng.permutation(len(source))[:some]] for source in fingerprints.values()]
            apart = comparer.distances(parts)
            for way in linkage.split(","):
                tree = FamilyTree.build([images.name for images in sets], apart, way)
                for kind in labels:
                    known = {source: row[kind] for source, row in about.items()}
                    found.setdefault(name, {})[f"{kind}, {way}"] = agreement(tree, known, seed)
        lines = [
            f"{name:<20} {what:<24} k {row.k}  AMI {row.ami:.2f}  ARI {row.ari:.2f}  purity {row.purity:.2f}  "
            f"cophenetic {row.cophenetic:.2f}  nearest {row.nearest:.2f}  p {row.p:.3f}"
            for name, rows in found.items()
            for what, row in rows.items()
        ]
        show_results(found, with_left_out({"seed": seed}, sets), as_json, lines)
