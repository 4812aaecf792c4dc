"""Commands about image sets: attribute, verify, mixture, lineage."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genprint.cli.common import EXIT_CODES, csv_bytes, errors, say, show, tell, tell_left_out
from genprint.cli.loading import known_gallery, load_model, tell_small, too_small, warn_small
from genprint.cli.options import DEFAULT_GALLERY, AsJson, Conditions, GalleryFile, Known, Model, Rate, Strict, Trust
from genprint.cli.probes import Each, answer_table, probes_of, summary
from genprint.cli.progress import bar
from genprint.words import all_printable, counted

if TYPE_CHECKING:
    from genprint.answers.results import Attribution
    from genprint.api import Gallery
    from genprint.fingerprints.fingerprinter import Progress
    from genprint.images.sets import ImageSet

Existing = Annotated[Path, typer.Argument(exists=True)]


def attribute(
    probes: Annotated[list[Path], typer.Argument(exists=True, help="Image sets in question, each of one source.")],
    known: Known = None,
    gallery: GalleryFile = DEFAULT_GALLERY,
    rate: Rate = 0.05,
    conditions: Conditions = True,
    each: Annotated[
        Each | None,
        typer.Option(help="Many probes: every image of each path is one, or every sub-folder. Left out: every path."),
    ] = None,
    together: Annotated[bool, typer.Option("--together", help="All paths are one probe.")] = False,
    table: Annotated[
        Path | None, typer.Option("--csv", help="Also write a table here, a row a probe, as it is answered.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Also write a page (.html) about one probe, and its JSON beside it, for report reproduce."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="Also add the answers to this log, each entry chained to the one before.")
    ] = None,
    strict: Strict = False,
    trust: Trust = None,
    stress: Annotated[
        bool,
        typer.Option(
            "--stress",
            help="Also ask again after plausible deliveries (JPEG, WebP, half size, cropped) and of parts of the "
            "images: what would be attributed to another source then is inconclusive.",
        ),
    ] = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Says which known source made a set of images, or that none of them did.

    Exit code for one probe: 0 attributed, 3 unknown, 4 inconclusive, 1 error; for several: 1 if any is an error.

    Example: genprint attribute suspicious/ --known models/
    """
    from genprint.images.manifest import TrustList
    from genprint.storage.files import check_writable

    several = not together and (each is not None or len(probes) > 1)
    with errors(as_json):
        if report and (several or report.suffix != ".html"):
            raise ValueError(f"--report {report}: a report is about one probe, and a file that ends in .html")
        for file in filter(None, (report, log, table)):
            check_writable(file)
        TrustList.read(trust)  # what cannot be used is found before sources are read
        asked = probes_of(probes, each, together)
        sources = known_gallery(known, gallery, model, conditions, strict)
        from genprint.cli import text
        from genprint.report.log import append_results

        results: list[Attribution] = []
        small: list[str] = []
        with answer_table(table, stress) as rows, bar("reading images") as advance:
            for name, images in asked:
                small += [] if isinstance(images, str) else too_small(sources.model, [images])
                result = _answer(
                    sources, name, images, rate, conditions, advance, trust, stress, bool(report) or stress
                )
                # What an answer was asked with is large where there are many.
                results.append(result if log or report else replace(result, asked=None))
                if rows:
                    rows.add(result)
        tell_small(small)
        supported = max((one.evidence.rate or 0 for one in results if one.evidence), default=0)
        if supported > rate:
            few = counted(len(sources), "source")
            tell(f"{few}: no false-attribution rate below {supported:.3g} is supported; using it")
        if log:
            append_results(log, results)
        if report and results[0].asked:
            results[0].save(report)
        if as_json:
            whole = [result.to_dict() for result in results]
            say(json.dumps(whole if several else whole[0], indent=2))
        elif table:
            say(f"{summary(results)}; {table}")
        elif several or results[0].evidence:  # of one that failed, all is said
            said = (text.attribution(all_printable(one)) if one.evidence else f"{one.probe}: error" for one in results)
            say("\n".join(said))
    codes = [EXIT_CODES[result.decision] for result in results]
    raise typer.Exit(int(EXIT_CODES["error"] in codes) if several else codes[0])


def _answer(
    sources: Gallery, name: str, images: ImageSet | str, rate: float, conditions: bool, progress: Progress,
    trust: Path | None, stress: bool, thorough: bool,
) -> Attribution:  # fmt: skip
    """The answer to one probe; of one that cannot be read, the reason."""
    from genprint.answers.results import failed
    from genprint.images.sets import ImageSetError, NothingUsable

    try:
        if isinstance(images, str):
            raise ImageSetError(images)
        result = sources.attribute(images, None, rate, conditions, progress, trust, stress, thorough)
    except ImageSetError as error:
        tell(str(error), "error: ")
        left_out = error.left_out if isinstance(error, NothingUsable) else ()
        return replace(failed(name, str(error)), left_out=left_out)
    tell_left_out(result.probe, result.left_out)
    return result


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
    conditions: Conditions = True,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Says whether two image sets have the same source. Exit code: 0 same, 3 different, 4 inconclusive.

    Sets from different models look more similar when they share content or processing, so the thresholds are set on
    known sources (--known or --gallery) with the same; without these, on sources that came with the model.
    With --no-conditions both sets are taken to be unprocessed, like the known sources.

    Example: genprint verify some/ others/ --known models/
    """
    from genprint import api
    from genprint.images.sets import ImageSet

    with errors(as_json):
        if known and gallery:
            raise ValueError("give the known sources as --known or as --gallery, not both")
        judges = None
        if known or gallery:
            judges = known_gallery(known, gallery or DEFAULT_GALLERY, model, conditions, strict)
        sets = [ImageSet.read(path, str(path)) for path in (left, right)]
        loaded = judges.model if judges else load_model(model, sets)
        if judges:
            warn_small(loaded, sets)
        with bar("reading images") as advance:
            result = api.verify(
                *sets, population=judges, model=loaded, rate=rate, conditions=conditions, progress=advance
            )
        from genprint.cli import text

        tell_left_out(f"{left}, {right}", result.left_out)
        if judges and result.evidence.same_above is not None and result.rate > rate:
            few = counted(result.sources, "source")
            tell(f"{few}: no rate of errors below {result.rate:.3g} is supported; using it")
        show(result.to_dict(), as_json, text.verification(all_printable(result)))
    raise typer.Exit(EXIT_CODES[result.decision])


def mixture(
    probe: Annotated[Path, typer.Argument(exists=True, help="Image set that may be of several sources.")],
    known: Known = None,
    gallery: GalleryFile = DEFAULT_GALLERY,
    conditions: Conditions = True,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write whose each image likely is, as CSV, here.")
    ] = None,
    strict: Strict = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Says in what shares a set holds images of the known sources, and whose each image likely is.

    Exit code: 0 one source or several, 3 not made of the known ones.

    Example: genprint mixture pile/ --known models/ -o whose.csv
    """
    from genprint.images.sets import ImageSet
    from genprint.storage.files import check_writable, write_atomically

    with errors(as_json):
        if output:
            check_writable(output)
        sources = known_gallery(known, gallery, model, conditions, strict)
        from genprint.cli import text

        pile = ImageSet.read(probe, str(probe))
        warn_small(sources.model, [pile])
        with bar("reading images") as advance:
            result = sources.mixture(pile, conditions, advance)
        tell_left_out(str(probe), result.left_out)
        if output:
            rows = [(m.image, m.sha256, m.source, f"{m.probability:.4f}") for m in result.members]
            write_atomically(output, csv_bytes([("image", "sha256", "source", "probability"), *rows]))
        show(result.to_dict(), as_json, text.mixture(all_printable(result)))
    raise typer.Exit(EXIT_CODES[result.decision])


def lineage(
    child: Annotated[Path, typer.Argument(exists=True, help="Images of the model in question.")],
    parent: Annotated[Path, typer.Argument(exists=True, help="Images of the model it may be derived from.")],
    apart: Annotated[
        list[Path],
        typer.Option(exists=True, help="Images of a model like the parent, known to be trained apart; several times."),
    ],
    paired: Annotated[
        bool,
        typer.Option(
            "--paired",
            help="All sets were made of the same prompts or latents: images are compared with those of the same file "
            "name or number, and a child has to follow its parent image by image.",
        ),
    ] = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Says whether CHILD is derived from PARENT (tuned, quantised, other sampler) rather than trained apart.

    Other seeds of the parent's architecture, on the same images, are the right --apart. Give sets of different prompts
    or latents, or --paired. Not told: which of two is the parent, and siblings. Exit code: 0 derived, 3 nearer one of
    the others, 4 inconclusive.

    Example: genprint lineage suspect/ ours/ --apart ours-seed-1/ --apart ours-seed-2/
    """
    from genprint import api
    from genprint.images.sets import ImageSet

    with errors(as_json):
        paths = [child, parent, *apart]
        if len({path.resolve() for path in paths}) < len(paths):
            raise ValueError("child, parent and every --apart are different sets; one is given twice")
        one, other, *others = (ImageSet.read(path, str(path)) for path in paths)
        loaded = load_model(model, [one, other, *others])
        with bar("reading images") as advance:
            result = api.lineage(one, other, others, model=loaded, progress=advance, paired=paired)
        from genprint.cli import text

        show(result.to_dict(), as_json, text.lineage(all_printable(result)))
    raise typer.Exit(EXIT_CODES[result.decision])
