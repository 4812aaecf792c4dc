"""Commands that measure answers to what is not enrolled, and what likelihood ratios are worth."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genprint.cli.common import errors, show
from genprint.cli.evaluate.common import (
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
    read_fingerprints,
    set_sizes,
    show_results,
    with_left_out,
)
from genprint.cli.loading import load_model, sources_of
from genprint.cli.options import AsJson, Model, Strict
from genprint.cli.progress import bar
from genprint.storage.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genprint.evaluation.intervals import Mean
    from genprint.images.sets import ImageSet

Unknown = Annotated[
    str, typer.Option(help="What is unknown in turn: source, or a column of DATA/sources.csv (architecture, class).")
]


def open_set_command(
    data: Data,
    method: Methods = ["set_encoder_normalised"],  # noqa: B006
    unknown: Unknown = "source",
    enrolled: Enrolled = 32,
    size: Sizes = "10",
    seed: Seed = 0,
    real: Real = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also draw the curves of both error rates, as PNG, here.")
    ] = None,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Whether probes of sources that are not enrolled stand out: AUROC, OSCR, and both error rates by threshold."""
    from genprint.evaluation.open_set import open_set

    with errors(as_json):
        sets = sources_of(data, strict)
        reader = Reader(method, load_model(model, sets), sets, real)
        groups = unknown_in_turn(data, unknown, sets)
        found: dict[str, dict[str, Any]] = {}
        for name in reader.methods:
            comparer, fingerprints = reader.read(name)
            found[name] = {str(n): open_set(fingerprints, comparer, groups, enrolled, n, seed) for n in set_sizes(size)}
        lines = [
            f"{name:<20} {n:>4} images  unknown {unknown}  AUROC {interval(row.auroc)}  OSCR {interval(row.oscr)}"
            for name, rows in found.items()
            for n, row in rows.items()
        ]
        if output:
            from genprint.report import figures

            curves = {f"{name}, {n} images": row.curve for name, rows in found.items() for n, row in rows.items()}
            write_atomically(output, figures.to_bytes(figures.error_rates_figure(curves)))
        settings = {"seed": seed, "unknown": unknown, "enrolled": enrolled}
        show_results(found, with_left_out(settings, sets), as_json, lines)


def answers_command(
    data: Data,
    unknown: Unknown = "source",
    enrolled: Enrolled = 32,
    size: Sizes = "10",
    rate: Annotated[float, typer.Option(min=0.0001, max=0.5, help="Of false attributions, as asked for.")] = 0.1,
    repeats: Repeats = 1,
    seed: Seed = 0,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """What genprint attribute answers at its threshold: right, wrong, and falsely for sources not enrolled."""
    from genprint.evaluation.answers import answers

    with errors(as_json):
        loaded = load_model(model, sets := sources_of(data, strict))
        groups = unknown_in_turn(data, unknown, sets)
        fingerprints = read_fingerprints(loaded, sets)
        found = {}
        for n in set_sizes(size):
            with bar("asking", total=len(sets) * repeats) as advance:
                found[n] = answers(
                    loaded, fingerprints, groups, enrolled, n, rate, repeats=repeats, seed=seed, progress=advance
                )
        lines = [
            f"{n:>4} images  rate {row.rate:.1%}: falsely attributed {interval(row.false)} (unknown {unknown}); "
            f"known: right {interval(row.right)}, wrong {interval(row.wrong)}"
            for n, row in found.items()
        ]
        settings = {"unknown": unknown, "enrolled": enrolled, "repeats": repeats, "seed": seed}
        result = {**settings, "sizes": {str(n): asdict(row) for n, row in found.items()}}
        show(with_left_out(result, sets), as_json, "\n".join(lines))


def unknown_in_turn(data: Path, unknown: str, sets: Sequence[ImageSet]) -> dict[str, str]:
    """For each source, what leaves the gallery with it."""
    if unknown == "source":
        return {images.name: images.name for images in sets}
    about = about_sources(data, ("source", unknown), sets)
    return {images.name: about[images.name][unknown] for images in sets}


def verification_command(
    data: Data,
    size: Sizes = "10",
    shipped: Annotated[
        bool, typer.Option(help="Judge by what came with the encoder, in place of all the other sources.")
    ] = False,
    conditions: Annotated[
        bool,
        typer.Option(help="The other sources are looked at after JPEG, resizing and the like, too; 20 times as long."),
    ] = False,
    seed: Seed = 0,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """What genprint verify says of pairs of sets: right and wrong, each pair judged by all the other sources."""
    from genprint.evaluation.verification import by_the_others, verified
    from genprint.fingerprints.conditions import CONDITIONS

    with errors(as_json):
        loaded = load_model(model, sets := sources_of(data, strict))
        fingerprints = read_fingerprints(loaded, sets)
        looked_at = tuple(CONDITIONS.values()) if conditions else ()
        judge = {} if shipped else {"population": by_the_others(loaded, fingerprints, conditions=looked_at)}
        found = {}
        for n in set_sizes(size):
            with bar("comparing", total=len(sets)) as advance:
                found[n] = verified(loaded, fingerprints, fingerprints, n, seed=seed, progress=advance, **judge)
        lines = [
            f"{n:>4} images  two sources: same {interval(row.false_same)} (wrong), "
            f"different {interval(row.different)}; "
            f"one source: different {interval(row.false_different)} (wrong), same {interval(row.same)}"
            for n, row in found.items()
        ]
        settings = {"judged_by": "shipped" if shipped else "others", "seed": seed}
        result = {**settings, "sizes": {str(n): asdict(row) for n, row in found.items()}}
        show(with_left_out(result, sets), as_json, "\n".join(lines))


def calibration_command(
    data: Data,
    enrolled: Enrolled = 32,
    size: Sizes = "10",
    repeats: Repeats = 3,
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the JSON and Tippett and reliability figures.")
    ] = None,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Whether likelihood ratios mean what they say, for sources that calibration has not seen: Cllr and its kin."""
    from genprint.evaluation.calibration import calibration

    with errors(as_json):
        loaded = load_model(model, sets := sources_of(data, strict))
        fingerprints = read_fingerprints(loaded, sets)
        found = {n: calibration(loaded, fingerprints, enrolled, n, repeats, seed) for n in set_sizes(size)}
        settings = {"enrolled": enrolled, "repeats": repeats, "seed": seed}
        result = with_left_out({**settings, "sizes": {str(n): asdict(row) for n, row in found.items()}}, sets)
        if output:
            from genprint.report import figures

            for n, row in found.items():
                write_atomically(output / f"calibration-{n}.png", figures.to_bytes(row.figure()))
            write_atomically(output / "calibration.json", json.dumps(result, indent=2).encode())
        lines = [
            f"{n:>4} images  Cllr {decimal(row.cllr)}  Cllr_min {row.cllr_min:.2f}  ECE {row.ece:.3f}  "
            f"misleading {interval(row.misleading)}  at the cap of {math.exp(row.cap):.0f} {interval(row.capped)}"
            for n, row in found.items()
        ]
        show(result, as_json, "\n".join(lines))


def mixture_command(
    data: Data,
    enrolled: Enrolled = 64,
    images: Annotated[int, typer.Option(min=20, help="Images in a mixed set; half in one of one source.")] = 100,
    mixed: Annotated[int, typer.Option(min=2, help="Sources in a mixed set.")] = 3,
    draws: Annotated[int, typer.Option(min=1, help="Sets of each kind.")] = 20,
    seed: Seed = 0,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Whether shares in mixed sets come out right, and a few foreign images are found."""
    from genprint.evaluation.mixture import mixtures

    with errors(as_json):
        loaded = load_model(model, sets := sources_of(data, strict))
        fingerprints = read_fingerprints(loaded, sets)
        with bar("mixing", total=draws) as advance:
            found = mixtures(loaded, fingerprints, enrolled, images, mixed, draws, seed, advance)
        text = (
            f"error of shares {decimal(found.error)}  within their intervals {interval(found.covered)}  "
            f"images' owners right {interval(found.owners)}\n"
            f"sets of {images // 2}: of one source, called mixed {interval(found.false_alarm)}; "
            f"with {found.foreign} foreign images, called mixed {interval(found.found)}; "
            f"of a source not enrolled, called unknown {interval(found.unknown)}"
        )
        settings = {"enrolled": enrolled, "draws": draws, "seed": seed}
        show(with_left_out({**settings, **asdict(found)}, sets), as_json, text)


def decimal(mean: Mean) -> str:
    """A mean and its interval, as numbers."""
    return f"{mean.mean:.2f} [{mean.low:.2f}, {mean.high:.2f}]"
