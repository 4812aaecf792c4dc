"""Archives: members of zips and tars, read in place and in order; nothing is unpacked to disk."""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Self

from genprint.images.decoding import MAX_BYTES, Unusable

_UNBOUNDED = "packed by a method that unpacks it whole, however large; only stored and deflated are read"
_LINK = "a link in an archive, which is not followed"
_SUFFIXES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")


class ArchiveError(ValueError):
    """The file cannot be read as an archive."""


def is_archive(path: Path) -> bool:
    """Whether a file is an archive, by its name."""
    return path.is_file() and path.suffix.lower() in _SUFFIXES


def top_folder(member: str) -> str | None:
    """The top-level folder of a member; None of a file beside such, and of what operating systems add."""
    top, _, rest = member.removeprefix("./").partition("/")
    return None if not rest or top.startswith(".") or top == "__MACOSX" else top


def members(path: Path, top: str | None = None) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Names of the members (of one top-level folder), each with a function that reads it.

    Raises:
        ArchiveError: it is damaged, or no archive.
    """
    try:
        yield from _zip_members(path, top) if path.suffix.lower() == ".zip" else _tar_members(path, top)
    except (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, OSError, EOFError) as error:
        raise ArchiveError(f"{path}: cannot be read as an archive: {error}") from None


def _zip_members(path: Path, top: str | None) -> Iterator[tuple[str, Callable[[], bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = _with_slashes(info.filename)
            if name.endswith("/") or (top and top_folder(name) != top):
                continue
            if stat.S_ISLNK(info.external_attr >> 16):
                yield name, partial(_refuse, _LINK)
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                yield name, partial(_refuse, _UNBOUNDED)
            else:
                yield name, partial(_bounded, partial(archive.open, info), info.file_size)


def _tar_members(path: Path, top: str | None) -> Iterator[tuple[str, Callable[[], bytes]]]:
    with tarfile.open(path, tarinfo=_Header) as tar:
        for entry in tar:
            name = _with_slashes(entry.name)
            if entry.isdir() or (top and top_folder(name) != top):
                continue
            if entry.isfile():
                yield name, partial(_bounded, partial(tar.extractfile, entry), entry.size)
            elif entry.islnk():
                yield name, partial(_refuse, f"the same file as {_with_slashes(entry.linkname)}")
            else:
                yield name, partial(_refuse, _LINK if entry.issym() else "not a regular file")


def _with_slashes(name: str) -> str:
    """The name of a member. Some packers on Windows part folders by backslashes, against the formats."""
    return name.replace("\\", "/")


class _Header(tarfile.TarInfo):
    """What comes before a member of a tar. A damaged one is an error: ``tarfile`` takes it for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(f"damaged ({error})") from None


def _refuse(reason: str) -> bytes:
    raise Unusable(reason)


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
