"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        envvar="GENPRINT_MODEL",
        help="A shipped model, 'pictures' or 'thumbnails', or the folder of a saved one (called pictures: ./pictures). "
        "If left out: a gallery's own; for other images, pictures if those of every set are typically above 64 px, "
        "else thumbnails.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")]
GalleryFile = Annotated[
    Path, typer.Option("--gallery", "-g", envvar="GENPRINT_GALLERY", help="File with the enrolled sources.")
]
Known = Annotated[
    Path | None, typer.Option(exists=True, help="Known sources, one sub-folder each, instead of a gallery.")
]
Conditions = Annotated[
    bool,
    typer.Option(
        help="Compare a probe that looks processed (saved as JPEG, resized and the like) with the known images after "
        "the same processing. It takes a pass over these the first time; of a gallery, it takes kept originals."
    ),
]
Trust = Annotated[
    Path | None,
    typer.Option(
        envvar="GENPRINT_TRUST",
        exists=True,
        help="PEM certificates of the authorities by which signers of C2PA manifests are trusted. What files say is "
        "told beside the answer and changes no decision.",
    ),
]
Originals = Annotated[
    bool,
    typer.Option(
        help="Keep up to 32 images of each source (16 MiB at most) in GALLERY.originals, so that processed probes can "
        "be compared with their like."
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="One source of which no image can be used is an error; if not given, it is left out, and told."
    ),
]
Rate = Annotated[
    float, typer.Option(min=0.0001, max=0.5, help="Largest share of unknown sources that may be attributed wrongly.")
]
DEFAULT_GALLERY = Path("genprint-gallery.sqlite")
