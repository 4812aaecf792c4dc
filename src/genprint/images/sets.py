"""Image sets: the images of one source, read lazily from wherever they are.

What cannot be read is left out with its reason.
"""

from __future__ import annotations

import logging
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Self

import numpy as np

from genprint.images.decoding import Content, Image, Unusable, decode

MAX_BYTES = 2**28
# Reasons to leave an image out that may pass.
UNREADABLE, MISSING = "cannot be read", "no such file"

log = logging.getLogger("genprint")

# A member's name, and how to get at its bytes (or pixels) when its turn comes.
Member = tuple[str, Callable[[], Content]]


class ImageSetError(ValueError):
    """There is no image set at that place, or none of its images can be used."""


@dataclass(frozen=True)
class LeftOut:
    """An image that was left out, and why."""

    name: str
    reason: str


class ImageSet:
    """The images of one source. Iterating decodes them one at a time; nothing is kept.

    ``left_out`` tells what the latest pass could not use. A pass that finds no usable image raises
    ``ImageSetError``. The same bytes twice count once.

    Example:
        >>> images = ImageSet.from_array(np.zeros((2, 32, 32, 3), np.uint8), name="black")
        >>> [image.pixels.shape for image in images], images.left_out
        ([(32, 32, 3)], [LeftOut(name='black[1]', reason='same content as black[0]')])
    """

    def __init__(self, name: str, members: Callable[[], Iterable[Member]], origin: str | None = None):
        self.name = name
        self.origin = origin or name
        self.left_out: list[LeftOut] = []
        #: where the images are files of their own: these, in order
        self.files: tuple[Path, ...] = ()
        #: where they are not: the archive or array file that holds them, if there is one
        self.container: Path | None = None
        self._members = members

    def __repr__(self) -> str:
        return f"ImageSet({self.name!r}, origin={self.origin!r})"

    @classmethod
    def from_files(cls, paths: Iterable[str | Path], name: str) -> ImageSet:
        """The files given, in their order."""
        files = tuple(Path(path) for path in paths)
        made = cls(name, lambda: ((str(path), partial(_read_file, path)) for path in files))
        made.files = files
        return made

    @classmethod
    def from_array(cls, array: np.ndarray, name: str) -> ImageSet:
        """A uint8 array ``(n, h, w, 3)`` or ``(n, h, w)`` (grey).

        Raises:
            ImageSetError: another shape or dtype.
        """
        if array.dtype != np.uint8 or array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] != 3):
            raise ImageSetError(
                f"{name}: images are uint8 of shape (n, h, w, 3) or (n, h, w), not {array.dtype} {array.shape}"
            )
        return cls(name, lambda: ((f"{name}[{i}]", partial(array.__getitem__, i)) for i in range(len(array))))

    @classmethod
    def read(cls, path: str | Path, name: str | None = None) -> ImageSet:
        """One source: a folder (with all below it), a zip or tar, a ``.npy`` or ``.npz``, or a single image.

        Raises:
            ImageSetError: no such path, or an archive that cannot be opened.
        """
        path = Path(path)
        name = name or (_stem(path) if path.is_file() else path.name or path.resolve().name)
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if not file.is_dir())
            image_set = cls.from_files(files, name)
        elif not path.exists():
            raise ImageSetError(f"{path}: no such file or folder")
        elif path.suffix.lower() in (".npy", ".npz"):
            arrays = _arrays(path)
            if len(arrays) > 1 and "images" not in arrays:
                raise ImageSetError(f"{path}: holds several arrays and none named 'images'; it is several sources")
            image_set = cls.from_array(arrays.get("images", next(iter(arrays.values()))), name)
        elif _is_archive(path):
            image_set = cls(name, lambda: _archive_members(path))
        else:
            image_set = cls.from_files([path], name)
        image_set.origin = str(path)
        image_set.container = None if image_set.files else path
        return image_set

    def __iter__(self) -> Iterator[Image]:
        self.left_out = []
        seen: dict[str, str] = {}
        for name, read in self._members():
            try:
                content = read()
                image = decode(name, content)
                if image.sha256 in seen:
                    raise Unusable(f"same content as {seen[image.sha256]}")
            except Unusable as error:
                self.left_out.append(LeftOut(name, str(error)))
                continue
            seen[image.sha256] = name
            yield image
        if not seen:
            raise ImageSetError(self.nothing())

    def to_array(self) -> np.ndarray:
        """All images in memory, uint8 ``(n, h, w, 3)``.

        Raises:
            ImageSetError: they are of different sizes, or there are none.
        """
        pixels = [image.pixels for image in self]
        sizes = {own.shape for own in pixels}
        if len(sizes) > 1:
            raise ImageSetError(f"{self.origin}: images of different sizes, {sorted(sizes)[:3]}; one size is needed")
        return np.stack(pixels)

    def nothing(self) -> str:
        """Why none of its images can be used, as the latest pass found."""
        if not self.left_out:
            return f"{self.origin}: there is no file in it; give a folder or archive with images"
        shown = "; ".join(f"{Path(left.name).name}: {left.reason}" for left in self.left_out[:3])
        more = f"; and {len(self.left_out) - 3} more" if len(self.left_out) > 3 else ""
        return f"{self.origin}: none of {len(self.left_out)} files can be used ({shown}{more})"


def read_sources(path: str | Path) -> list[ImageSet]:
    """Several sources, named and in the order of their names.

    A folder gives one source for each sub-folder, archive or array file in it (the ImageFolder layout); an
    archive, one for each of its top-level folders; an ``.npz``, one for each array.

    Raises:
        ImageSetError: there is no source there, or two of one name.
    """
    path = Path(path)
    if path.is_dir():
        entries = [entry for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]
        inside = [e for e in entries if e.is_dir() or e.suffix.lower() in (".npy", ".npz") or _is_archive(e)]
        for entry in set(entries) - set(inside):
            log.info("%s: not in a sub-folder, so of no source; passed over", entry)
        sets = [ImageSet.read(entry) for entry in inside]
    elif not path.exists():
        raise ImageSetError(f"{path}: no such file or folder")
    elif path.suffix.lower() == ".npz":
        sets = [ImageSet.from_array(array, name) for name, array in sorted(_arrays(path).items())]
    elif _is_archive(path):
        tops = {top for name, _ in _archive_members(path) if (top := _top(name))}
        sets = [ImageSet(top, partial(_archive_members, path, top), f"{path}:{top}") for top in sorted(tops)]
    else:
        sets = []
    for images in sets:
        if not images.files and images.container is None:
            images.container = path
    if not sets:
        raise ImageSetError(f"{path}: no sources in it; each source needs a sub-folder of images of its own")
    named: dict[str, ImageSet] = {}
    for images in sets:
        twin = named.setdefault(images.name, images)
        if twin is not images:
            raise ImageSetError(f"{twin.origin} and {images.origin}: both are named {images.name}; rename one")
    return sets


def _stem(path: Path) -> str:
    """The name of a file less its ending, as of ``.tar.gz``."""
    return path.stem.removesuffix(".tar")


def _top(member: str) -> str | None:
    """The top-level folder of an archive's member; None of a file beside such, and of what systems add."""
    top, _, rest = member.removeprefix("./").partition("/")
    return None if not rest or top.startswith(".") or top == "__MACOSX" else top


def _read_file(path: Path) -> bytes:
    try:
        if not path.is_file():  # a pipe or device would block for ever
            raise Unusable("not a regular file" if path.exists() else MISSING)
        if path.stat().st_size > MAX_BYTES:
            raise Unusable(f"larger than {MAX_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise Unusable(f"{UNREADABLE}: {error.strerror}") from None


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        if path.suffix.lower() == ".npy":
            return {path.stem: np.load(path, mmap_mode="r", allow_pickle=False)}
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ImageSetError(f"{path}: cannot be read as numpy arrays: {error}") from None
    if not arrays:
        raise ImageSetError(f"{path}: holds no array")
    return arrays


def _is_archive(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")


class _Header(tarfile.TarInfo):
    """What comes before a member of a tar. A damaged one is an error: ``tarfile`` takes it for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(f"damaged ({error})") from None


def _archive_members(path: Path, top: str | None = None) -> Iterator[Member]:
    """Members of a zip or tar (of one top-level folder), read in place and in order: nothing is unpacked to disk."""
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    if info.is_dir() or (top and _top(info.filename) != top):
                        continue
                    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                        yield info.filename, _unbounded
                    else:
                        yield info.filename, partial(_bounded, partial(archive.open, info), info.file_size)
        else:
            with tarfile.open(path, tarinfo=_Header) as tar:
                for entry in tar:
                    if entry.isfile() and (not top or _top(entry.name) == top):
                        yield entry.name, partial(_bounded, partial(tar.extractfile, entry), entry.size)
    except (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, OSError, EOFError) as error:
        raise ImageSetError(f"{path}: cannot be read as an archive: {error}") from None


def _unbounded() -> bytes:
    raise Unusable("packed by a method that unpacks it whole, however large; only stored and deflated are read")


def _bounded(opener: Callable[[], IO[bytes] | None], size: int) -> bytes:
    """Reads a member, however large it claims to be or turns out."""
    if size > MAX_BYTES:
        raise Unusable(f"larger than {MAX_BYTES >> 20} MiB")
    try:
        file = opener()
        data = file.read(MAX_BYTES + 1) if file else b""
    except Exception as error:  # damaged members raise whatever their codec raises
        raise Unusable(f"cannot be unpacked: {error}") from None
    if len(data) > MAX_BYTES:
        raise Unusable(f"larger than {MAX_BYTES >> 20} MiB")
    return data
