"""Where the images of a set are: files, an archive, an array, bytes at hand. Plain values that can be pickled.

Iterating any of them gives each image's name with a function that reads it when its turn comes.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from genprint.images import archives
from genprint.images.decoding import MAX_BYTES, Content, Unusable, size_of

# Reasons to leave an image out that may pass.
UNREADABLE, MISSING = "cannot be read", "no such file"
_HEADER = 2**16  # bytes of a file in which its size is looked for first

Member = tuple[str, Callable[[], Content]]


class Members(Protocol):
    """What the images of a set are read from."""

    def __iter__(self) -> Iterator[Member]: ...


class ArraysError(ValueError):
    """The file cannot be read as numpy arrays."""


@dataclass(frozen=True)
class Files:
    """Files, in this order."""

    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Member]:
        for path in self.paths:
            yield str(path), partial(_read_file, path)


@dataclass(frozen=True)
class Archive:
    """A zip or tar, or one top-level folder of it."""

    path: Path
    top: str | None = None

    def __iter__(self) -> Iterator[Member]:
        return archives.members(self.path, self.top)


@dataclass(frozen=True)
class ArrayFile:
    """An array ``(n, h, w, 3)`` or ``(n, h, w)`` in a ``.npy``, or the one of that key in an ``.npz``."""

    path: Path
    name: str
    key: str | None = None

    def load(self) -> np.ndarray:
        """The array; of a ``.npy``, as a memory map.

        Raises:
            ArraysError: it cannot be read.
        """
        return load_arrays(self.path)[self.key or self.path.stem]

    def __iter__(self) -> Iterator[Member]:
        return iter(Contents(self.name, self.load()))


@dataclass(frozen=True, eq=False)
class Contents:
    """What is at hand: arrays, Pillow images, or files' bytes; named ``name[0]`` and so on if no names are given."""

    name: str
    contents: Sequence[Content] | np.ndarray = field(repr=False)
    names: tuple[str, ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.contents)

    def __iter__(self) -> Iterator[Member]:
        for i in range(len(self.contents)):
            yield self.names[i] if self.names else f"{self.name}[{i}]", partial(self.contents.__getitem__, i)


@dataclass(frozen=True)
class Nothing:
    """What cannot be read at all, and why; it is told when its turn comes."""

    reason: str

    def __iter__(self) -> Iterator[Member]:
        raise ArraysError(self.reason)


@dataclass(frozen=True, eq=False)
class Chosen:
    """Some of the images, by name. The others are not read."""

    members: Members
    names: frozenset[str] = field(repr=False)

    def __iter__(self) -> Iterator[Member]:
        return (member for member in self.members if member[0] in self.names)


@dataclass(frozen=True, eq=False)
class Rows:
    """A column of Pillow images of a table with rows, such as a ``datasets.Dataset``."""

    table: Any = field(repr=False)
    column: str = "image"

    def __iter__(self) -> Iterator[Member]:
        for i in range(len(self.table)):
            yield f"row {i}", partial(self._read, i)

    def _read(self, row: int) -> Content:
        content: Content = self.table[row][self.column]
        return content


def files_below(folder: Path) -> tuple[Path, ...]:
    """All files in a folder and below, links to folders followed, each folder once; ordered by path.

    Among them are folders that cannot be listed, so that whoever reads them says so.
    """
    found: list[Path] = []
    seen: set[str] = set()

    def cannot_be_listed(error: OSError) -> None:
        found.append(Path(error.filename))

    for at, folders, files in os.walk(folder, followlinks=True, onerror=cannot_be_listed):
        if (real := os.path.realpath(at)) in seen:  # a link led here again, perhaps from below
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        found += [Path(at, name) for name in files]
    return tuple(sorted(found))


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a ``.npy`` (one, named after the file) or ``.npz``.

    Raises:
        ArraysError: it is damaged, something else, or holds none.
    """
    try:
        if path.suffix.lower() == ".npy":
            return {path.stem: np.load(path, mmap_mode="r", allow_pickle=False)}
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        reason = "damaged, or no array of numbers" if "pickle" in str(error) else error  # numpy advises to load code
        raise ArraysError(f"{path}: cannot be read as numpy arrays: {reason}") from None
    if not arrays:
        raise ArraysError(f"{path}: holds no array")
    return arrays


def size_in_file(path: Path) -> tuple[int, int]:
    """Height and width of the image in a file, of which only the first bytes are read where they say it.

    Raises:
        Unusable: as of ``size_of``, or the file cannot be read.
    """
    try:
        return size_of(_read_file(path, _HEADER))
    except Unusable:
        return size_of(_read_file(path))


def _read_file(path: Path, most: int = -1) -> bytes:
    try:
        if not path.is_file():  # a pipe or device would block for ever
            raise Unusable(_why_no_file(path))
        if path.stat().st_size > MAX_BYTES:
            raise Unusable(f"larger than {MAX_BYTES >> 20} MiB")
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise Unusable(f"{UNREADABLE}: {error.strerror}") from None


def _why_no_file(path: Path) -> str:
    if path.is_dir():
        return f"{UNREADABLE}: a folder that cannot be listed"
    if path.exists():
        return "not a regular file"
    return f"{MISSING}: a link to {os.readlink(path)}" if path.is_symlink() else MISSING
