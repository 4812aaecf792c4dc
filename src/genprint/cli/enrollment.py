"""Commands about the gallery: enroll, enroll-all, remove, sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genprint.cli.common import (
    DEFAULT_GALLERY,
    AsJson,
    GalleryFile,
    Histories,
    Model,
    errors,
    load_encoder,
    open_gallery,
    read_features,
    show,
    warn_of_histories,
)


def enroll(
    name: Annotated[str, typer.Argument(help="Name of the source.")],
    images: Annotated[list[Path], typer.Argument(exists=True, help="Its images: folders, archives or files.")],
    gallery: GalleryFile = DEFAULT_GALLERY,
    histories: Histories = True,
    model: Model = None,
) -> None:
    """Enrolls a source from images known to be its own; again, to add more images."""
    from genprint.gallery.store import Gallery
    from genprint.images.sets import ImageSet

    with errors():
        encoder = load_encoder(model)
        store = Gallery(gallery, encoder)
        for path in images:
            image_set = ImageSet.read(path, name)
            added = store.enroll(name, read_features(encoder, [image_set], histories)[image_set.name])
            print(f"{name}: {added} images added from {path}; {store.counts()[name]} enrolled in {gallery}")
        warn_of_histories(store)


def enroll_all(
    data: Annotated[Path, typer.Argument(exists=True, help="Folder with one sub-folder for each source.")],
    gallery: GalleryFile = DEFAULT_GALLERY,
    histories: Histories = True,
    model: Model = None,
) -> None:
    """Enrolls every source of a folder: all of them, or none if anything goes wrong."""
    from genprint.gallery.store import Gallery
    from genprint.images.sets import read_sources

    with errors():
        encoder = load_encoder(model)
        store = Gallery(gallery, encoder)
        added = store.enroll_all(read_features(encoder, read_sources(data), histories).items())
        print(f"{len(added)} sources, {sum(added.values())} images added; {len(store)} sources enrolled in {gallery}")
        warn_of_histories(store)


def remove(
    name: Annotated[str, typer.Argument(help="Name of the source.")],
    gallery: GalleryFile = DEFAULT_GALLERY,
    model: Model = None,
) -> None:
    """Forgets an enrolled source."""
    with errors():
        open_gallery(load_encoder(model), gallery).remove(name)
        print(f"{name}: removed from {gallery}")


def sources(gallery: GalleryFile = DEFAULT_GALLERY, model: Model = None, as_json: AsJson = False) -> None:
    """Lists the enrolled sources."""
    with errors(as_json):
        counts = open_gallery(load_encoder(model), gallery).counts()
        show(counts, as_json, "\n".join(f"{name}\t{count} images" for name, count in counts.items()))
