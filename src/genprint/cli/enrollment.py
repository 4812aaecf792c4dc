"""Commands about the gallery: enroll, enroll-all, remove, sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genprint.cli.common import errors, say, show, tell
from genprint.cli.loading import enroll as enroll_images
from genprint.cli.loading import listed_gallery, load_model
from genprint.cli.options import DEFAULT_GALLERY, AsJson, GalleryFile, Model, Originals, Strict
from genprint.words import counted, printable


def enroll(
    name: Annotated[str, typer.Argument(help="Name of the source.")],
    images: Annotated[list[Path], typer.Argument(exists=True, help="Its images: folders, archives or files.")],
    gallery: GalleryFile = DEFAULT_GALLERY,
    originals: Originals = True,
    model: Model = None,
) -> None:
    """Enrolls a source from images known to be its own; again, to add more images.

    The first images say which model a new gallery is made with, if --model does not.
    """
    from genprint.api import Gallery
    from genprint.gallery.store import GalleryStore
    from genprint.images.sets import ImageSet

    with errors():
        sets = [ImageSet.read(path, name) for path in images]
        store = Gallery(gallery, load_model(model, sets, GalleryStore(gallery, None)))
        for path in images:
            (added,) = enroll_images(store, path, name, originals)
            more = counted(added.images, "image")
            say(f"{name}: {more} added from {path}; {store.counts()[name]} enrolled in {gallery}")


def enroll_all(
    data: Annotated[Path, typer.Argument(exists=True, help="Folder with one sub-folder for each source.")],
    gallery: GalleryFile = DEFAULT_GALLERY,
    originals: Originals = True,
    strict: Strict = False,
    model: Model = None,
) -> None:
    """Enrolls every source of a folder, or none if anything goes wrong. Stopped, it goes on where it was when called
    again.

    Exit code: 0 all are enrolled, 1 some were left out, for none of their images can be used.
    """
    from genprint.api import Gallery
    from genprint.gallery.store import GalleryStore
    from genprint.images.known import read_sources

    with errors():
        store = Gallery(gallery, load_model(model, read_sources(data, told=False), GalleryStore(gallery, None)))
        try:
            done = enroll_images(store, data, None, originals, strict)
        except KeyboardInterrupt:
            tell("stopped: nothing was enrolled; called again, it goes on where it was")
            raise
        left_out = [one.source for one in done if one.reason]
        images = counted(sum(one.images for one in done), "image")
        say(
            f"{counted(len(done) - len(left_out), 'source')}, {images} added; "
            f"{counted(len(store), 'source')} enrolled in {gallery}"
            + (f"; {counted(len(left_out), 'source')} left out: {', '.join(left_out)}" if left_out else "")
        )
    if left_out:
        raise typer.Exit(1)


def remove(
    name: Annotated[str, typer.Argument(help="Name of the source.")],
    gallery: GalleryFile = DEFAULT_GALLERY,
) -> None:
    """Removes an enrolled source, and erases its originals."""
    with errors():
        listed_gallery(gallery).remove(name)
        say(f"{name}: removed from {gallery}")


def sources(gallery: GalleryFile = DEFAULT_GALLERY, as_json: AsJson = False) -> None:
    """Lists the enrolled sources, how many images each has, and what of these is kept as originals."""
    with errors(as_json):
        listed = listed_gallery(gallery)
        counts, kept = listed.counts(), listed.originals()
        lines = []
        for name, count in counts.items():
            images, size = kept.get(name, (0, 0))
            originals = f"{counted(images, 'original')}, {size / 2**20:.1f} MiB" if images else "no originals"
            lines.append(f"{printable(name)}\t{counted(count, 'image')}\t{originals}")
        found = {
            name: dict(zip(("images", "originals", "bytes"), (count, *kept.get(name, (0, 0))), strict=True))
            for name, count in counts.items()
        }
        show(found, as_json, "\n".join(lines))
