"""Commands that look closer at one set or folder: mixture, audit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genprint.cli.common import (
    DEFAULT_GALLERY,
    AsJson,
    GalleryFile,
    Known,
    Model,
    enrolled_features,
    errors,
    load_encoder,
    read_features,
    show,
)
from genprint.files import write_atomically

if TYPE_CHECKING:
    from genprint.mixture import Mixture


def mixture(
    probe: Annotated[Path, typer.Argument(exists=True, help="Image set that may be of several sources.")],
    known: Known = None,
    gallery: GalleryFile = DEFAULT_GALLERY,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write whose each image likely is, as CSV, here.")
    ] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Says in what shares a set holds images of the known sources, and whose each image likely is.

    Exit code: 0 one source or several, 3 not made of the known ones.

    Example: genprint mixture pile/ --known models/ -o whose.csv
    """
    from genprint.attribution import EXIT_CODES
    from genprint.images import ImageSet
    from genprint.mixture import unmix

    with errors(as_json):
        encoder = load_encoder(model)
        enrolled = enrolled_features(encoder, known, gallery)
        features = read_features(encoder, [ImageSet.read(probe, str(probe))])[str(probe)]
        result = unmix(encoder, enrolled, str(probe), features)
        if output:
            rows = [f'"{m.image}",{m.sha256},"{m.source}",{m.probability:.4f}' for m in result.members]
            write_atomically(output, "\n".join(["image,sha256,source,probability", *rows, ""]).encode())
        show(result.to_dict(), as_json, _mixture_text(result))
    raise typer.Exit(EXIT_CODES.get(result.answer, 0))


def _mixture_text(result: Mixture) -> str:
    said = {
        "single": "nothing speaks against one source",
        "mixed": "images of several sources",
        "unknown": "not made of the known sources alone; the shares are no answer",
    }
    lines = [f"{result.probe}: {result.answer} ({said[result.answer]})"]
    lines += [f"  {s.source:<24} {s.share:>6.1%} [{s.low:.1%}, {s.high:.1%}]" for s in result.shares if s.high > 0.005]
    first = result.shares[0].source
    lines.append(
        f"  p {result.mixed_p:.3f} that all are of {first}; p {result.fit_p:.3f} that known sources draw these"
    )
    lines.append(f"  {result.images} images used, {len(result.left_out)} left out")
    return "\n".join(lines)
