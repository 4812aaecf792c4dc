"""The command that reads what a source is built like: structure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genprint.cli.common import errors, show, tell_left_out
from genprint.cli.loading import load_model
from genprint.cli.options import AsJson, Model
from genprint.cli.progress import bar
from genprint.words import all_printable

if TYPE_CHECKING:
    from genprint.answers.structure import Structure


def structure(
    images: Annotated[Path, typer.Argument(exists=True, help="Images of one source.")],
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Says what can be read of how the source of IMAGES is built: its last doubling, and whether JPEG came before.

    Only what leaves a trace that is seen is stated; 'unknown' does not mean that there is none. Only the model for
    thumbnails can read it, and takes images of any size. Exit code: 0 something was read, 3 nothing.

    Example: genprint structure suspicious/
    """
    from genprint import api
    from genprint.images.sets import ImageSet
    from genprint.shipped import PREFIX, THUMBNAILS

    with errors(as_json):
        loaded = load_model(model or PREFIX + THUMBNAILS)
        with bar("reading images") as advance:
            result = api.structure(ImageSet.read(images, str(images)), model=loaded, progress=advance)
        tell_left_out(str(images), result.left_out)
        show(result.to_dict(), as_json, _text(all_printable(result)))
    raise typer.Exit(0 if any(trait.answer != "unknown" for trait in result.traits) else 3)


def _text(result: Structure) -> str:
    lines = [result.verdict]
    for trait in result.traits:
        chances = ", ".join(f"{answer} {chance:.2f}" for answer, chance in trait.probabilities.items())
        lines.append(f"  {trait.question}: {trait.answer} ({chances})")
        lines += [
            f"    {known.where} ({known.sources} sources, sets of {known.images}): {known.wrong} of "
            f"{known.right + known.wrong} stated were wrong, {known.missed} of {known.right + known.missed} missed"
            for known in trait.known
        ]
    return "\n".join(lines)
