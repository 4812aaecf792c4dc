"""The command that validates a gallery by its own images."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from genprint.cli.common import errors, show
from genprint.cli.evaluate.common import Seed, Sizes, set_sizes
from genprint.cli.loading import open_gallery
from genprint.cli.options import AsJson, Model, Rate
from genprint.cli.progress import bar


def gallery_command(
    gallery: Annotated[Path, typer.Argument(help="File with the enrolled sources.")],
    size: Sizes = "1,5,10,20",
    condition: Annotated[
        list[str],
        typer.Option(help="What held-back images go through before they are asked, beside being asked as they are."),
    ] = ["JPEG 75", "WebP 80", "scale 50 %"],  # noqa: B006
    rate: Rate = 0.05,
    most: Annotated[int, typer.Option(min=1, help="Disjoint sets of each source, at each size and condition.")] = 4,
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; if left out, GALLERY.validation.html.")
    ] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Validates a gallery by its own images: a dated report, which reports of answers from the gallery refer to.

    Half of each source's images are held back and asked about, with all sources enrolled, and with their own left out.
    Writes a page and, beside it, its record as JSON; its date and digest are kept in the gallery.
    """
    from genprint.evaluation.gallery import Division, validate
    from genprint.fingerprints.conditions import named
    from genprint.gallery.validations import note
    from genprint.report.validation import record, save, summary
    from genprint.storage.files import check_writable

    with errors(as_json):
        began = time.monotonic()
        page = output or gallery.with_name(f"{gallery.name}.validation.html")
        if page.suffix != ".html":
            raise ValueError(f"{page}: the page of a validation ends in .html")
        sizes = set_sizes(size)
        conditions = {processing.name: processing for processing in map(named, condition)}
        opened = open_gallery(gallery, model)
        check_writable(page)
        state, fingerprints = opened.state(), opened.fingerprints()
        division = Division.of(fingerprints, seed)
        with bar("saving images anew") as advance:
            asked = division.deliveries(opened.model, conditions, advance)
        with bar("asking") as advance:
            found = validate(opened.model, division, asked, sizes, rate, most, seed, advance)
        settings = {
            "gallery": str(gallery.resolve()), "rate": rate, "sizes": size, "conditions": ", ".join(conditions),
            "sets of a source at most": most, "seed": seed, "seconds": round(time.monotonic() - began),
            "peak memory, MiB": _peak(),
        }  # fmt: skip
        made = record(found, fingerprints, opened.model, settings)
        save(page, made, found)
        note(gallery, made, state)
        text = "\n".join(
            [*summary(found), *found.lacking, f"{page}, {page.with_suffix('.json')}: SHA-256 {made['sha256']}"]
        )
        show(made, as_json, text)


def _peak() -> int:
    """The most memory that this process has had, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> (20 if sys.platform == "darwin" else 10)
