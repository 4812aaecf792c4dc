"""Commands about the gallery: enroll, enroll-all, remove, sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genprint.cli.common import (
    DEFAULT_GALLERY,
    AsJson,
    Conditions,
    GalleryFile,
    Model,
    errors,
    load_model,
    open_gallery,
    show,
    warn_of_conditions,
)
from genprint.cli.common import enroll as enroll_images


def enroll(
    name: Annotated[str, typer.Argument(help="Name of the source.")],
    images: Annotated[list[Path], typer.Argument(exists=True, help="Its images: folders, archives or files.")],
    gallery: GalleryFile = DEFAULT_GALLERY,
    conditions: Conditions = True,
    model: Model = None,
) -> None:
    """Enrolls a source from images known to be its own; again, to add more images."""
    from genprint.api import Gallery

    with errors():
        store = Gallery(gallery, load_model(model))
        for path in images:
            added = enroll_images(store, path, name, conditions)[name]
            print(f"{name}: {added} images added from {path}; {store.counts()[name]} enrolled in {gallery}")
        warn_of_conditions(store)


def enroll_all(
    data: Annotated[Path, typer.Argument(exists=True, help="Folder with one sub-folder for each source.")],
    gallery: GalleryFile = DEFAULT_GALLERY,
    conditions: Conditions = True,
    model: Model = None,
) -> None:
    """Enrolls every source of a folder: all of them, or none if anything goes wrong."""
    from genprint.api import Gallery

    with errors():
        store = Gallery(gallery, load_model(model))
        added = enroll_images(store, data, None, conditions)
        print(f"{len(added)} sources, {sum(added.values())} images added; {len(store)} sources enrolled in {gallery}")
        warn_of_conditions(store)


def remove(
    name: Annotated[str, typer.Argument(help="Name of the source.")],
    gallery: GalleryFile = DEFAULT_GALLERY,
    model: Model = None,
) -> None:
    """Removes an enrolled source."""
    with errors():
        open_gallery(gallery, model).remove(name)
        print(f"{name}: removed from {gallery}")


def sources(gallery: GalleryFile = DEFAULT_GALLERY, model: Model = None, as_json: AsJson = False) -> None:
    """Lists the enrolled sources."""
    with errors(as_json):
        counts = open_gallery(gallery, model).counts()
        show(counts, as_json, "\n".join(f"{name}\t{count} images" for name, count in counts.items()))
