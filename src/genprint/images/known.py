"""Several sources, in whatever form they are given: a folder or archive of them, image sets, or a mapping."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from genprint.images import archives
from genprint.images.archives import ArchiveError
from genprint.images.members import Archive, ArrayFile, Nothing
from genprint.images.sets import ImageSet, ImageSetError, LeftOut, arrays_in, check_array, stem_of
from genprint.words import counted, first_of, printable

log = logging.getLogger("genprint")


def as_sources(sources: Any) -> list[ImageSet]:
    """Image sets of several sources, one each.

    Args:
        sources: a folder, archive or ``.npz`` as for ``read_sources``, image sets, or a mapping from names to images.
    """
    if isinstance(sources, str | Path):
        return read_sources(sources)
    if isinstance(sources, Mapping):
        return [ImageSet.of(images, name) for name, images in sources.items()]
    if isinstance(sources, Iterable):
        sets = list(sources)
        if sets and all(isinstance(images, ImageSet) for images in sets):
            if len({images.name for images in sets}) < len(sets):
                raise ValueError(f"two image sets are named alike: {', '.join(sorted(one.name for one in sets))}")
            return sets
    raise ValueError(
        f"known sources are a folder with a sub-folder for each, image sets, or a mapping from names to images, not "
        f"{type(sources).__name__}"
    )


def usable(sets: Iterable[ImageSet]) -> tuple[list[ImageSet], tuple[LeftOut, ...]]:
    """The sets that have a usable image, and the names of the others with the reason. Each is read up to the first."""
    having, lacking = [], []
    for images in sets:
        try:
            next(iter(images))
            having.append(images)
        except ImageSetError as error:
            lacking.append(LeftOut(images.name, str(error)))
    return having, tuple(lacking)


def read_sources(path: str | Path, told: bool = True) -> list[ImageSet]:
    """Several sources, named and in the order of their names.

    A folder gives one source for each sub-folder, archive or array file in it (the ImageFolder layout); an
    archive, one for each of its top-level folders; an ``.npz``, one for each array. A source that cannot be read is an
    error when it is scanned.

    Args:
        path: of the folder, archive or file.
        told: whether it is told, as a warning of the logger ``genprint``, what of it may have been meant otherwise.

    Raises:
        ImageSetError: there is no source there, or two of one name.
    """
    path = Path(path)
    sets: list[ImageSet] = []
    if path.is_dir():
        entries = [entry for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]
        inside = [entry for entry in entries if _holds_images(entry)]
        endings = Pillow.registered_extensions()
        stray = [entry.name for entry in entries if entry not in inside and entry.suffix.lower() in endings]
        if stray and told:
            what = f"{counted(len(stray), 'image')} beside the sub-folders, such as {printable(stray[0])}"
            log.warning("%s: %s: of no source, so passed over", path, what)
        sets = [_source(entry, path) for entry in inside]
    elif not path.exists():
        raise ImageSetError(f"{path}: no such file or folder")
    elif path.suffix.lower() == ".npz":
        for name, array in sorted(arrays_in(path).items()):
            check_array(array, name)
            sets.append(ImageSet(name, ArrayFile(path, name, name), f"{path}:{name}"))
    elif archives.is_archive(path):
        try:
            tops = {top for name, _ in archives.members(path) if (top := archives.top_folder(name))}
        except ArchiveError as error:
            raise ImageSetError(str(error)) from None
        sets = [ImageSet(top, Archive(path, top), f"{path}:{top}") for top in sorted(tops)]
    if not sets:
        raise ImageSetError(f"{path}: no sources in it; each source needs a sub-folder of images of its own")
    if told and len(sets) == 1 and len(folders := _folders_in(sets[0])) > 1:
        what = f"one source, {printable(sets[0].name)}, of which all images lie in sub-folders"
        log.warning(
            "%s: %s (%s); if each of these is a source, give the folder that they are in, or pack them by themselves",
            path, what, printable(first_of(folders)),
        )  # fmt: skip
    named: dict[str, ImageSet] = {}
    for images in sets:
        twin = named.setdefault(images.name, images)
        if twin is not images:
            raise ImageSetError(f"{twin.origin} and {images.origin}: both are named {images.name}; rename one")
    return sets


def _folders_in(images: ImageSet) -> list[str]:
    """Sub-folders of a source, by its members' names, if all of these lie in one; else none."""
    if images.files:
        below = [path.relative_to(images.origin).parts for path in images.files]
    elif isinstance(images.members, Archive):
        below = [Path(name.removeprefix("./")).parts[1:] for name, _ in images.members]
    else:
        below = []
    return sorted({parts[0] for parts in below}) if all(len(parts) > 1 for parts in below) else []


def _holds_images(entry: Path) -> bool:
    """Whether what lies in a folder of sources is one; a link that leads nowhere was meant to be."""
    if entry.is_dir() or (entry.is_symlink() and not entry.exists()):
        return True
    return entry.suffix.lower() in (".npy", ".npz") or archives.is_archive(entry)


def _source(entry: Path, folder: Path) -> ImageSet:
    """One source of a folder of such."""
    try:
        if entry.is_dir() and folder.resolve().is_relative_to(entry.resolve()):
            raise ImageSetError(f"{entry}: a link to a folder that it lies in")
        return ImageSet.read(entry)
    except ImageSetError as error:
        return ImageSet(stem_of(entry) if entry.is_file() else entry.name, Nothing(str(error)), str(entry))
