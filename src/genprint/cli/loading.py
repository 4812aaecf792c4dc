"""What commands answer with: models, sources and galleries, loaded and enrolled; what is odd about them is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from genprint.cli.common import tell, tell_left_out, tell_source_left_out
from genprint.cli.progress import bar
from genprint.errors import GenprintError
from genprint.words import counted, first_of

if TYPE_CHECKING:
    from genprint.api import Gallery
    from genprint.fingerprints.cache import Cache
    from genprint.gallery.enrolling import Added
    from genprint.gallery.store import GalleryStore
    from genprint.images.sets import ImageSet, LeftOut
    from genprint.model import Model as LoadedModel

_cache: Cache | None = None


def use_cache(path: Path | None) -> None:
    """Features are read from and kept in that file from now on; None: no more."""
    global _cache
    if path is None:
        _cache = None
    else:
        from genprint.fingerprints.cache import Cache

        _cache = Cache(path)


def load_model(model: str | None, sets: Sequence[ImageSet] = (), gallery: GalleryStore | None = None) -> LoadedModel:
    """The model of that name or folder; where none is given, the one of the gallery or for these sets.

    It keeps features in the cache, if one is used. What was chosen by sizes is said, and which sets it does not suit.
    """
    from genprint import api

    loaded = api.load(model) if model else api.choose(sets, gallery)
    if sets and not model and not (gallery and gallery.maker.bound):
        tell(f"model: {loaded.name}, by the sizes of the images (--model takes another)")
    warn_small(loaded, sets)
    return replace(loaded, cache=_cache) if _cache else loaded


def warn_small(model: LoadedModel, sets: Sequence[ImageSet]) -> None:
    """Says which sets' images are too small for the model."""
    tell_small(too_small(model, sets))


def too_small(model: LoadedModel, sets: Sequence[ImageSet]) -> list[str]:
    """Names of the sets whose images are too small for the model."""
    from genprint import shipped

    return shipped.too_small(model.name, sets)


def tell_small(names: Sequence[str]) -> None:
    """That images of these sets are too small for the model for pictures."""
    from genprint.images.decoding import THUMBNAIL_SIDE

    if names:
        tell(
            f"{first_of(names)}: images of {THUMBNAIL_SIDE} px or less, which the model for pictures tells apart worse "
            "than the model for thumbnails",
            "warning: ",
        )


def listed_gallery(path: Path) -> GalleryStore:
    """The gallery in that file, without a model: what needs none does not wait for one.

    Raises:
        GalleryError: there is none.
    """
    from genprint.gallery.store import GalleryStore

    _check_there(path)
    return GalleryStore(path, None)


def open_gallery(path: Path, model: str | None) -> Gallery:
    """The gallery in that file.

    Raises:
        GalleryError: there is none.
    """
    _check_there(path)
    from genprint import api

    return api.open(path, load_model(model, gallery=listed_gallery(path)))


def _check_there(path: Path) -> None:
    if not path.exists():
        raise GenprintError(
            f"{path}: no such file; enroll sources (genprint enroll NAME IMAGES), or give their folder with --known"
        )


class Sources(list["ImageSet"]):
    """Image sets, and what was left out.

    Attributes:
        left_out: sources of which no image can be used, and why.
        images_left_out: of each source that was read, images that could not be used, and why.
    """

    def __init__(self, sets: Sequence[ImageSet], left_out: Sequence[LeftOut]):
        super().__init__(sets)
        self.left_out = tuple(left_out)
        self.images_left_out: dict[str, tuple[LeftOut, ...]] = {}


def sources_of(data: Path, strict: bool) -> Sources:
    """The sources in a folder or archive; those of which no image can be used are left out, and told.

    Raises:
        ImageSetError: there is none, or, if strict, one cannot be used.
    """
    from genprint.images.known import read_sources, usable
    from genprint.images.sets import ImageSetError

    having, lacking = usable(read_sources(data))
    if lacking and (strict or not having):
        raise ImageSetError(lacking[0].reason)
    for left in lacking:
        tell_source_left_out(left.name, left.reason)
    return Sources(having, lacking)


def known_gallery(
    known: Path | None, gallery: Path, model: str | None, conditions: bool, strict: bool = False
) -> Gallery:
    """The known sources: those of a folder, in memory, or of a gallery's file.

    Raises:
        GenprintError: there are none.
    """
    if known is None:
        if not len(listed_gallery(gallery)):
            raise GenprintError(
                f"{gallery}: nothing is enrolled in it; enroll sources (genprint enroll NAME IMAGES), or give their "
                "folder with --known"
            )
        opened = open_gallery(gallery, model)
        lacking = opened.lacking_originals() if conditions else []
        if lacking:
            tell(
                f"of {counted(len(lacking), 'source')} ({first_of(lacking)}) no originals are kept, so that probes "
                "that were saved as JPEG or the like cannot be compared with their like. Enroll again, with "
                "--originals.",
                "warning: ",
            )
        return opened
    from genprint import api
    from genprint.images.known import read_sources

    made = api.Gallery(None, load_model(model, read_sources(known, told=False)))
    enroll(made, known, None, strict=strict)
    return made


def enroll(
    gallery: Gallery, sources: Path, name: str | None, originals: bool = True, strict: bool = False
) -> list[Added]:
    """Enrolls sources (or one, if it is named) with a progress bar; says what was left out."""
    with bar("reading images") as advance:
        added = gallery.enroll(sources, name, originals, advance, strict)
    for source in added:
        if source.reason:
            tell_source_left_out(source.source, source.reason)
        else:
            tell_left_out(source.source, source.left_out)
    for concern in gallery.concerns:
        tell(concern.said, "warning: ")
    return added
