"""Commands about image sets: attribute, verify, demo; and where the others are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import genprint
from genprint.cli import analysis, enrollment, fingerprinting, generators, open_set, training
from genprint.cli import report as reports
from genprint.cli.common import (
    DEFAULT_GALLERY,
    AsJson,
    GalleryFile,
    Histories,
    Known,
    Model,
    bar,
    enrolled_features,
    errors,
    identifier_for,
    load_encoder,
    read_features,
    show,
    tell,
    tell_left_out,
    tune_malloc,
    use_cache,
)
from genprint.cli.report import write_case
from genprint.cli.serve import serve

if TYPE_CHECKING:
    from genprint.answers.results import Attribution, VerificationResult
    from genprint.scoring.likelihood_ratio import Evidence

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Which generative model made a set of images, and which models are related.\n\n"
    "Start with [bold]genprint demo[/]. A source is a folder (zip, tar, .npy, .npz) of images of one model; "
    "DATA is a folder with one sub-folder for each source.",
    rich_markup_mode="rich",
)
app.add_typer(generators.app, name="generators")
app.command()(enrollment.enroll)
app.command("enroll-all")(enrollment.enroll_all)
app.command()(enrollment.remove)
app.command()(enrollment.sources)
app.command()(fingerprinting.fingerprint)
app.command()(analysis.mixture)
app.command()(analysis.audit)
app.command()(analysis.compare)
app.command()(analysis.families)
app.command()(serve)
app.command()(training.fit)
app.command()(training.pretrain)
app.add_typer(reports.app, name="report")
app.add_typer(open_set.app, name="evaluate")

Existing = Annotated[Path, typer.Argument(exists=True)]
Rate = Annotated[
    float, typer.Option(min=0.0001, max=0.5, help="Largest share of unknown sources that may be attributed wrongly.")
]


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    cache: Annotated[
        Path | None,
        typer.Option(envvar="GENPRINT_CACHE", help="File that keeps images' features, so that asking again is fast."),
    ] = None,
) -> None:
    """Options before any command."""
    if cache is not None:
        with errors():
            use_cache(cache)
    if version:
        print(genprint.__version__)
        raise typer.Exit


@app.command()
def attribute(
    probes: Annotated[list[Path], typer.Argument(exists=True, help="Image sets in question, each of one source.")],
    known: Known = None,
    gallery: GalleryFile = DEFAULT_GALLERY,
    rate: Rate = 0.05,
    histories: Histories = True,
    report: Annotated[
        Path | None,
        typer.Option(help="Also write a page (.html) about one probe, and its JSON beside it, for report verify."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="Also add the answers to this log, each entry chained to the one before.")
    ] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Says which known source made a set of images, or that none of them did.

    Exit code for one probe: 0 attributed, 3 unknown, 4 inconclusive, 1 error; for several: 1 if any is an error.

    Example: genprint attribute suspicious/ --known models/
    """
    from genprint.answers.results import ERROR, EXIT_CODES, failed
    from genprint.images.sets import ImageSet, ImageSetError
    from genprint.storage.files import check_writable

    with errors(as_json):
        if report and (len(probes) > 1 or report.suffix != ".html"):
            raise ValueError(f"--report {report}: a report is about one probe, and a file that ends in .html")
        for file in filter(None, (report, log)):
            check_writable(file)
        encoder = load_encoder(model)
        near = identifier_for(encoder, known, gallery, rate, histories)
        told = False
        results = []
        for path in probes:
            try:
                images = ImageSet.read(path, str(path))
                features = read_features(encoder, [images])[images.name]
                identifier = near(features)
                results.append(identifier.identify(images.name, features))
            except ImageSetError as error:
                tell(str(error), "error: ")
                results.append(failed(str(path), str(error)))
                continue
            tell_left_out(images.name, results[-1].left_out[len(features.left_out) :])
            if results[-1].threshold is not None and identifier.rate > rate and not told:
                told = True
                tell(
                    f"{len(identifier.features)} sources support no false-attribution rate below "
                    f"{identifier.rate:.3g}; using it"
                )
            if report or log:
                inputs = {
                    "probe": str(path.resolve()), "known": str(known.resolve()) if known else None,
                    "gallery": None if known else str(gallery.resolve()),
                    "model": str(model.resolve()) if model else None, "rate": rate,
                    "histories": histories,
                }  # fmt: skip
                write_case(report, log, encoder, identifier.features, images, features, results[-1], inputs)
        if as_json:
            whole = [result.to_dict() for result in results]
            print(json.dumps(whole[0] if len(whole) == 1 else whole, indent=2))
        else:
            print("\n".join(_attribution_text(result) for result in results))
    answers = [result.answer for result in results]
    raise typer.Exit(EXIT_CODES[answers[0]] if len(answers) == 1 else EXIT_CODES[ERROR] if ERROR in answers else 0)


def _attribution_text(result: Attribution) -> str:
    from genprint.answers.attribution import MISSES

    lines = [f"{result.probe}: {result.answer}{' to ' + result.source if result.source else ''} ({result.reason})"]
    lines += [
        f"  {c.source:<24} log ratio {c.log_ratio:>9.1f}   share {c.share:>6.1%}   {c.images} images enrolled"
        for c in result.candidates[:5]
    ]
    if result.evidence is not None:
        lines += _evidence_lines(result.evidence)
    if result.threshold is not None:
        lines.append(
            f"  score {result.score:.2f} (0 as other sources' images, 1 as its own far from any rival), threshold "
            f"{result.threshold:.2f} for {result.calibrated_at} images: of sources not enrolled, at most "
            f"{result.rate:.1%} come to be attributed, if they are like the enrolled ones"
        )
    if result.p is not None:
        lines.append(
            f"  p {result.p:.3f} of the test that the nearest source draws such images; {MISSES} or less is unknown"
        )
    if result.history != "none":
        lines.append(
            f"  compared with the enrolled images after {result.history}, which the probe seems to have gone through"
        )
    if result.answer != "error":
        lines.append(f"  {result.images} images used, {len(result.left_out)} left out")
    return "\n".join(lines)


def _evidence_lines(evidence: Evidence) -> list[str]:
    end = "most" if evidence.log10_lr > 0 else "least"
    reached = f", the {end} that so many sources support" if abs(evidence.log10_lr) >= evidence.cap else ""
    interval = ""
    if evidence.low is not None and evidence.high is not None:
        interval = f" [{10**evidence.low:.2g}, {10**evidence.high:.2g}]"
    grows = "  ".join(f"{n}: {10**value:.2g}" for n, (value, _, _) in evidence.by_images.items())
    return [
        f"  likelihood ratio {10**evidence.log10_lr:.2g}{interval}{reached}"
        f" ({evidence.sources} sources, sets of {evidence.calibrated_at})",
        f"    that {evidence.hp}, against: {evidence.hd}",
        f"    by number of images  {grows}",
    ]


@app.command()
def verify(
    left: Existing,
    right: Existing,
    known: Annotated[
        Path | None, typer.Option(exists=True, help="Sources like those in question, one sub-folder each.")
    ] = None,
    gallery: Annotated[
        Path | None, typer.Option("--gallery", "-g", exists=True, help="Gallery of such sources.")
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="Largest rate of either error, over the known sources.")
    ] = 0.05,
    histories: Histories = True,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Says whether two image sets have the same source. Exit code: 0 same, 3 different, 4 inconclusive.

    How alike sets of different sources are depends on what they show and went through. It is taken from the known
    sources (--known or --gallery): give models trained on the like. Without these, from the shipped generators.
    With --no-histories both sets are taken to be as they were made, like the known sources.

    Example: genprint verify some/ others/ --known models/
    """
    from genprint.answers.attribution import verify as compare
    from genprint.answers.results import EXIT_CODES
    from genprint.images.sets import ImageSet
    from genprint.scoring.population import Verification

    with errors(as_json):
        if known and gallery:
            raise ValueError("give the known sources as --known or as --gallery, not both")
        encoder = load_encoder(model)
        population = None
        if known or gallery:
            features = enrolled_features(encoder, known, gallery or DEFAULT_GALLERY, histories)
            population = Verification.fit(encoder, features, f"{len(features)} sources of {known or gallery}", rate)
        a, b = read_features(encoder, [ImageSet.read(left, "a"), ImageSet.read(right, "b")]).values()
        result = compare(encoder, str(left), a, str(right), b, population)
        if result.same_above is not None and result.rate > rate and population:
            tell(f"{result.sources} sources support no rate of errors below {result.rate:.3g}; using it")
        show(result.to_dict(), as_json, _verified(result))
    raise typer.Exit(EXIT_CODES[result.answer])


def _verified(result: VerificationResult) -> str:
    lines = [f"{result.left} ({result.images[0]} images), {result.right} ({result.images[1]} images): {result.answer}"]
    if result.same_above is None:
        return "\n".join(
            [*lines, f"  likeness {result.likeness:.2f}; the population has too few images for thresholds"]
        )
    lines += [
        f"  likeness {result.likeness:.2f}: same from {result.same_above:.2f}, different to "
        f"{result.different_below:.2f}; each wrong for at most {result.rate:.1%}",
        f"  by {result.population}; both sets may have gone through: {', '.join(result.histories)}",
    ]
    if result.log10_lr is not None:
        lines += [f"  likelihood ratio {10**result.log10_lr:.2g}", f"    that {result.hp}, against: {result.hd}"]
    if not result.typical:
        lines.append(
            "  but they are unlike the population, which says nothing of them: give sources like them as --known"
        )
    if not result.one_history:
        lines.append("  but hardly through the same, so that unlike says nothing of their sources")
    return "\n".join(lines)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("genprint-demo"),
    seed: Annotated[int, typer.Option(help="Of sampling and splitting.")] = 0,
) -> None:
    """Samples the shipped generators, attributes their images, draws their family tree, writes a report."""
    from genprint.demo import NEXT, run

    with errors():
        with bar("demo", total=1.0) as advance:
            summary = run(load_encoder(None), output, seed, lambda at, what: advance(at=at, extra=what))
        print(summary)
        print(NEXT)


def main() -> None:
    """Entry point of the command ``genprint``."""
    tune_malloc()
    app()
