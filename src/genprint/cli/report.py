"""Commands about reports that were written: whether they hold, whether their log is whole."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genprint.cli.common import AsJson, Model, errors, identifier_for, load_encoder, read_features, show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genprint.answers.results import Attribution
    from genprint.encoder.encoder import SetEncoder
    from genprint.fingerprints.fingerprint import Features
    from genprint.images.sets import ImageSet
    from genprint.report.record import Look

app = typer.Typer(no_args_is_help=True, help="Checks reports of genprint attribute --report.")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(exists=True, help="The JSON of a report.")],
    probe: Annotated[Path | None, typer.Option(exists=True, help="Where the probe lies now, if elsewhere.")] = None,
    known: Annotated[
        Path | None, typer.Option(exists=True, help="Where the known sources lie now, if elsewhere.")
    ] = None,
    gallery: Annotated[Path | None, typer.Option(exists=True, help="Where the gallery lies now, if elsewhere.")] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Makes the attribution of a report again and says what differs. Exit code: 0 nothing, 3 something.

    A report that was changed after it was written is refused (exit code 1).
    """
    from genprint.images.sets import ImageSet
    from genprint.report.record import differences, read

    with errors(as_json):
        case = read(file)
        where = {"probe": probe, "known": known, "gallery": None if known else gallery, "model": model}
        moved = {"known", "gallery"} if known or gallery else set()
        for name, recorded in case["inputs"].items():
            if isinstance(recorded, str) and where[name] is None and name not in moved:
                where[name] = path = Path(recorded)
                if not path.exists():
                    raise ValueError(f"{recorded}: not there any more; say where it lies now with --{name}")
        for name, given in (("probe", where["probe"]), ("gallery", where["gallery"] or where["known"])):
            if given is None:
                raise ValueError(f"{file}: made from an upload; say where the {name} lies with --{name}")
        encoder = load_encoder(where["model"])
        inputs = case["inputs"]
        near = identifier_for(encoder, where["known"], where["gallery"] or Path(), inputs["rate"], inputs["histories"])
        images = ImageSet.read(where["probe"] or Path(), case["attribution"]["probe"])
        features = read_features(encoder, [images])[images.name]
        identifier = near(features)
        result = identifier.identify(images.name, features)
        again = _record(encoder, identifier.features, images, features, result, where["known"], inputs)
        found = differences(case, again)
        text = (
            "\n".join(found)
            if found
            else (f"{file}: made again, all answers and numbers are the same (not looked at: its date, and the page)")
        )
        show({"file": str(file), "same": not found, "differences": found}, as_json, text)
    raise typer.Exit(3 if found else 0)


@app.command()
def log(
    file: Annotated[Path, typer.Argument(exists=True, help="Log of genprint attribute --log.")],
    as_json: AsJson = False,
) -> None:
    """Checks that no entry of a case log was changed or taken out. Exit code: 0 whole, 1 broken."""
    from genprint.report.log import verify as check

    with errors(as_json):
        hashes = check(file)
        text = f"{file}: {len(hashes)} entries, whole"
        text += f"; the last is {hashes[-1]} (keep it elsewhere to see cuts)" if hashes else ""
        show({"file": str(file), "entries": len(hashes), "last": hashes[-1] if hashes else None}, as_json, text)


def write_case(
    page: Path | None,
    log_file: Path | None,
    encoder: SetEncoder,
    enrolled: Mapping[str, Features],
    images: ImageSet,
    features: Features,
    result: Attribution,
    inputs: Mapping[str, str | float | bool | None],
) -> None:
    """Writes the page of an attribution, its JSON beside it, and its entry in the log."""
    from genprint.images.sets import read_sources
    from genprint.report import log as casebook
    from genprint.report import page as case_page
    from genprint.report import record as case
    from genprint.storage.files import write_atomically

    known = Path(str(inputs["known"])) if inputs["known"] else None
    whole = _record(encoder, enrolled, images, features, result, known, inputs)
    if page:
        looks = {f"probe: {images.name}": case.Look.at(images)}
        if known:
            best = result.candidates[0].source
            looks |= {source.name: case.Look.at(source) for source in read_sources(known) if source.name == best}
        tree = case_page.tree_with_probe(encoder, enrolled, images.name, features, result.history)
        write_atomically(page, case_page.page(whole, looks, tree).encode("utf-8", "backslashreplace"))
        write_atomically(page.with_suffix(".json"), case.to_json(whole).encode())
    if log_file:
        casebook.append(log_file, whole)


def _record(
    encoder: SetEncoder,
    enrolled: Mapping[str, Features],
    images: ImageSet,
    features: Features,
    result: Attribution,
    known: Path | None,
    inputs: Mapping[str, str | float | bool | None],
) -> dict[str, Any]:
    """The case, with a look at the files of the probe, and of known sources where they are at hand."""
    from genprint.report import record as case

    look = case.Look.at(images, pictures=False)
    warnings = case.confounds(look, _known_looks(known)) if known else None
    return case.record(result, features, enrolled, encoder.weights_digest_, inputs, look, warnings)


@cache
def _known_looks(known: Path) -> dict[str, Look]:
    """At the files of all known sources, once a command."""
    from genprint.images.sets import read_sources
    from genprint.report.record import Look

    return {source.name: Look.at(source, pictures=False) for source in read_sources(known)}
