"""Image sets: the images of one source, read lazily from wherever they are.

What cannot be read is left out with its reason.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from genprint.errors import GenprintError
from genprint.images import archives
from genprint.images.archives import ArchiveError
from genprint.images.decoding import Image, Unusable, decode, size_of
from genprint.images.manifest import TrustList
from genprint.images.members import (
    Archive,
    ArrayFile,
    ArraysError,
    Chosen,
    Contents,
    Files,
    Members,
    Rows,
    files_below,
    load_arrays,
    size_in_file,
)
from genprint.words import counted

log = logging.getLogger("genprint")


class ImageSetError(GenprintError, ValueError):
    """There is no image set at that place, or none of its images can be used."""


@dataclass(frozen=True)
class LeftOut:
    """An image that was left out, and why."""

    name: str
    reason: str


class NothingUsable(ImageSetError):
    """None of the images of a set can be used.

    Attributes:
        origin: where they are.
        left_out: all of them, each with its reason.
    """

    def __init__(self, origin: str, left_out: Sequence[LeftOut]):
        self.origin, self.left_out = origin, tuple(left_out)
        if not left_out:
            message = f"{origin}: there is no file in it; give a folder or archive with images"
        elif [left.name for left in left_out] == [origin]:
            message = f"{origin}: {left_out[0].reason}"
        else:
            shown = "; ".join(f"{Path(left.name).name}: {left.reason}" for left in left_out[:3])
            more = f"; and {len(left_out) - 3} more" if len(left_out) > 3 else ""
            message = f"{origin}: none of {counted(len(left_out), 'file')} can be used ({shown}{more})"
        super().__init__(message)

    def __reduce__(self) -> tuple[type[NothingUsable], tuple[str, tuple[LeftOut, ...]]]:
        return NothingUsable, (self.origin, self.left_out)  # so that it comes back from another process


@dataclass(frozen=True)
class ImageSet:
    """The images of one source: a name, and where its images are. Nothing is read before it is scanned.

    Attributes:
        name: of the source.
        members: where the images are.
        origin: the same, in words, for messages.
        claims: by which trust list what files say of their making is read, too; by default it is not.

    Example:
        >>> images = ImageSet.of(np.zeros((2, 32, 32, 3), np.uint8), name="black")
        >>> [found.reason if isinstance(found, LeftOut) else found.pixels.shape for found in images.scan()]
        [(32, 32, 3), 'same content as black[0]']
    """

    name: str
    members: Members
    origin: str
    claims: TrustList | None = None

    def scan(self) -> Iterator[Image | LeftOut]:
        """Every image, decoded one at a time, or the reason why it is left out. The same bytes twice count once.

        Raises:
            NothingUsable: at the end, if there was no usable image.
            ImageSetError: the archive or array file cannot be read.
        """
        seen: dict[str, str] = {}
        left_out: list[LeftOut] = []
        try:
            for name, read in self.members:
                try:
                    image = decode(name, read(), self.claims)
                    if image.sha256 in seen:
                        raise Unusable(f"same content as {seen[image.sha256]}")
                except Unusable as error:
                    left_out.append(LeftOut(name, str(error)))
                    yield left_out[-1]
                    continue
                seen[image.sha256] = name
                yield image
        except (ArchiveError, ArraysError) as error:
            raise ImageSetError(str(error)) from None
        if not seen:
            raise NothingUsable(self.origin, left_out)

    def __iter__(self) -> Iterator[Image]:
        """The usable images alone; raises as ``scan`` does."""
        return (found for found in self.scan() if isinstance(found, Image))

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Height and width of every image, by its header alone; of none that it shows to be unusable."""
        files = [partial(size_in_file, path) for path in self.files]
        try:
            for find in files or (lambda read=read: size_of(read()) for _, read in self.members):
                with suppress(Unusable):
                    yield find()
        except (ArchiveError, ArraysError) as error:
            raise ImageSetError(str(error)) from None

    @property
    def count(self) -> int | None:
        """Number of files or images in it, where that is known before they are read."""
        return len(self.members) if isinstance(self.members, Sized) else None

    def only(self, names: Iterable[str]) -> ImageSet:
        """The set of the images that have these names; the others are not read."""
        return replace(self, members=Chosen(self.members, frozenset(names)))

    @property
    def files(self) -> tuple[Path, ...]:
        """Where the images are files of their own: these, in order."""
        return self.members.paths if isinstance(self.members, Files) else ()

    @property
    def container(self) -> Path | None:
        """Where they are not: the archive or array file that holds them, if there is one."""
        return self.members.path if isinstance(self.members, Archive | ArrayFile) else None

    @classmethod
    def of(cls, images: Any, name: str | None = None, default: str = "images") -> ImageSet:
        """An image set of whatever holds images.

        Args:
            images: a path (as for ``read``), an image set, a list of paths, of Pillow images or of arrays
                ``(h, w, 3)``; an array uint8 ``(n, h, w, 3)`` or ``(n, h, w)``; a float tensor ``(n, 3, h, w)`` in
                0..1; a ``datasets.Dataset`` with a column ``image``.
            name: of the source; by default that of the path.
            default: name of what has no path.

        Raises:
            ImageSetError: it is none of these.
        """
        if isinstance(images, ImageSet):
            return images if name is None else cls(name, images.members, images.origin)
        if isinstance(images, str | Path):
            return cls.read(images, name)
        name = name or default
        if isinstance(images, np.ndarray):
            return cls.from_array(images, name)
        if hasattr(images, "column_names"):
            return cls(name, Rows(images), name)
        if hasattr(images, "detach"):
            return cls.from_array(_levels(images.detach().cpu().numpy(), name), name)
        found = list(images) if isinstance(images, Iterable) else []
        if found and all(isinstance(one, str | Path) for one in found):
            return cls.from_files(found, name)
        if found and all(isinstance(one, Pillow.Image | np.ndarray) for one in found):
            return cls(name, Contents(name, found), name)
        raise ImageSetError(
            f"{name}: give a path, an ImageSet, a uint8 array (n, h, w, 3), or a list of paths, Pillow images or "
            f"arrays, not {'an empty ' if isinstance(images, Iterable) and not found else ''}{type(images).__name__}"
        )

    @classmethod
    def from_files(cls, paths: Iterable[str | Path], name: str) -> ImageSet:
        """The files given, in their order."""
        return cls(name, Files(tuple(Path(path) for path in paths)), name)

    @classmethod
    def from_array(cls, array: np.ndarray, name: str) -> ImageSet:
        """A uint8 array ``(n, h, w, 3)`` or ``(n, h, w)`` (grey).

        Raises:
            ImageSetError: another shape or dtype.
        """
        check_array(array, name)
        return cls(name, Contents(name, array), name)

    @classmethod
    def read(cls, path: str | Path, name: str | None = None) -> ImageSet:
        """One source: a folder (with all below it, and links followed), a zip or tar, ``.npy``, ``.npz``, or image.

        Raises:
            ImageSetError: no such path, or an archive that cannot be opened.
        """
        path = Path(path)
        name = name or (stem_of(path) if path.is_file() else path.name or path.resolve().name)
        members: Members
        if path.is_dir():
            members = Files(files_below(path))
        elif not path.exists():
            raise ImageSetError(f"{path}: no such file or folder")
        elif path.suffix.lower() in (".npy", ".npz"):
            arrays = arrays_in(path)
            if len(arrays) > 1 and "images" not in arrays:
                raise ImageSetError(f"{path}: holds several arrays and none named 'images'; it is several sources")
            key = "images" if "images" in arrays else next(iter(arrays))
            check_array(arrays[key], name)
            members = ArrayFile(path, name, key)
        elif archives.is_archive(path):
            members = Archive(path)
        else:
            members = Files((path,))
        return cls(name, members, str(path))

    def to_array(self) -> np.ndarray:
        """All images in memory, uint8 ``(n, h, w, 3)``.

        Raises:
            ImageSetError: they are of different sizes, or there are none.
        """
        pixels = [image.pixels for image in self]
        sizes = {one.shape for one in pixels}
        if len(sizes) > 1:
            raise ImageSetError(f"{self.origin}: images of different sizes, {sorted(sizes)[:3]}; one size is needed")
        return np.stack(pixels)


def stem_of(path: Path) -> str:
    """The name of a file less its ending, as of ``.tar.gz``."""
    return path.stem.removesuffix(".tar")


def arrays_in(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a ``.npy`` or ``.npz``, by name.

    Raises:
        ImageSetError: it cannot be read, or holds none.
    """
    try:
        return load_arrays(path)
    except ArraysError as error:
        raise ImageSetError(str(error)) from None


def check_array(array: np.ndarray, name: str) -> None:
    """Refuses what is no array of images.

    Raises:
        ImageSetError: another shape or dtype.
    """
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] != 3):
        raise ImageSetError(
            f"{name}: images are uint8 of shape (n, h, w, 3) or (n, h, w), not {array.dtype} {array.shape}"
        )


def _levels(array: np.ndarray, name: str) -> np.ndarray:
    """A tensor's images as levels: floats ``(n, 3, h, w)`` in 0..1, rounded to 8 bits."""
    if array.ndim != 4 or array.shape[1] != 3 or array.dtype.kind != "f" or array.min() < 0 or array.max() > 1:
        raise ImageSetError(
            f"{name}: a tensor of images holds floats in 0..1 of shape (n, 3, h, w), not {array.dtype} {array.shape}"
        )
    return (255 * array).round().astype(np.uint8).transpose(0, 2, 3, 1)
