"""Resumable bulk fingerprinting: piles of any size, in chunks that are computed once and recorded in an SQLite ledger.

A chunk is a few files of one source. A run that was killed goes on where it was, and images added later cost no second
pass over most others. Chunks are the same on one machine and on a cluster, and so, to the bit where the arithmetic is,
are the fingerprints.
"""

from __future__ import annotations

import io
import os
import sqlite3
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from genprint.errors import GenprintError
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Fingerprinter, Progress
from genprint.images.members import MISSING, UNREADABLE
from genprint.images.sets import ImageSet, LeftOut, NothingUsable
from genprint.storage.files import digest, write_atomically
from genprint.storage.sqlite import open_database

# Files. Smaller ones cost a cluster more to hand out than to make.
CHUNK = 1024


_TABLES = """
CREATE TABLE IF NOT EXISTS chunk (
    key TEXT PRIMARY KEY, features BLOB NOT NULL, digest TEXT NOT NULL, complete INTEGER NOT NULL
);
"""


class LedgerError(GenprintError, RuntimeError):
    """The file cannot be used as a ledger."""


@dataclass(frozen=True)
class Chunk:
    """A part of a set, read in one go; ``key`` follows from its files' names, sizes and times, and the extractor."""

    key: str
    images: ImageSet = field(repr=False)


def chunks(images: ImageSet, extractor: str, size: int = CHUNK) -> list[Chunk]:
    """The parts of a set: at most ``size`` files each, or the whole where images are not files of their own.

    Parts end where a file's name says so, not after so many: a file that is added changes the part it is in alone.
    """
    if not images.files:
        # In memory, nothing tells whether the images are the same as before: the key is one that never comes again.
        stated = [_stated(images.container)] if images.container else [uuid.uuid4().hex]
        return [Chunk(_key(extractor, images.name, images.origin, *stated), images)]
    parts: list[list[Path]] = [[]]
    for path in images.files:
        ends = zlib.crc32(os.fsencode(path.name)) % max(1, size // 2) == 0
        if parts[-1] and (ends or len(parts[-1]) == size):
            parts.append([])
        parts[-1].append(path.absolute())  # a worker elsewhere has another working directory
    return [Chunk(_key(extractor, *map(_stated, part)), ImageSet.from_files(part, images.name)) for part in parts]


def _stated(path: Path) -> str:
    try:
        about = os.stat(path)
        return f"{path} {about.st_size} {about.st_mtime_ns}"
    except OSError:  # unreadable: that will be the reason why it is left out
        return str(path)


def _key(*parts: str) -> str:
    return digest("\n".join(parts).encode("utf-8", "surrogateescape"))


@dataclass(frozen=True)
class ChunkResult:
    """The fingerprint of a chunk, as bytes. ``complete=False``: a file failed for a reason that may pass; try again."""

    key: str
    fingerprint: bytes
    complete: bool


# Computes chunks in any order; each comes once.
Runner = Callable[[Fingerprinter, Sequence[Chunk]], Iterator[ChunkResult]]


def compute(fingerprinter: Fingerprinter, chunk: Chunk) -> ChunkResult:
    """Computes a chunk. One without a usable image is no error."""
    try:
        found = fingerprinter.extract(chunk.images)
    except NothingUsable as error:
        found = Fingerprint(chunk.images.name, np.empty((0, 0), np.float32), (), left_out=error.left_out)
    complete = not any(left.reason.startswith((UNREADABLE, MISSING)) for left in found.left_out)
    return ChunkResult(chunk.key, pack(found), complete)


def local(fingerprinter: Fingerprinter, missing: Sequence[Chunk]) -> Iterator[ChunkResult]:
    """Computes one chunk after the other in this process."""
    return (compute(fingerprinter, chunk) for chunk in missing)


def pack(fingerprint: Fingerprint) -> bytes:
    """The features of a fingerprint, names and what was left out, as the bytes of an ``.npz``."""
    file = io.BytesIO()
    left_out = [(left.name, left.reason) for left in fingerprint.left_out]
    np.savez(
        file, values=fingerprint.values, digests=np.array(fingerprint.digests, "U64"), names=_text(fingerprint.names),
        left_out=_text([text for pair in left_out for text in pair]),
    )  # fmt: skip
    return file.getvalue()


def unpack(data: bytes, source: str, fingerprinter: Fingerprinter) -> Fingerprint:
    """The fingerprint from what ``pack`` gave."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        names, left = (file[key].tobytes().decode("utf-8", "surrogateescape") for key in ("names", "left_out"))
        texts = iter(left.split("\0")[:-1])
        left_out = tuple(LeftOut(name, reason) for name, reason in zip(texts, texts, strict=True))
        return Fingerprint(
            source, file["values"], tuple(map(str, file["digests"])), fingerprinter.extractor_id, fingerprinter.parts,
            tuple(names.split("\0")[:-1]), left_out,
        )  # fmt: skip


def _text(names: Sequence[str]) -> np.ndarray:
    """Names, which may be no UTF-8, as bytes; none holds a zero."""
    return np.frombuffer("".join(f"{name}\0" for name in names).encode("utf-8", "surrogateescape"), np.uint8)


class Ledger:
    """Chunks that are computed, in one SQLite file. It is safe to delete.

    Raises:
        LedgerError: the file is something else or damaged, cannot be written, or the disk is full.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        with self._errors("cannot be used as a ledger", "remove it or name another"):
            self._connection = open_database(self.path, _TABLES)

    @contextmanager
    def _errors(self, what: str, remedy: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(f"{self.path}: {what} ({error}); {remedy}") from None

    def __contains__(self, key: str) -> bool:
        """Whether the chunk is there, and complete."""
        with self._errors("cannot be read", "remove it"):
            query = "SELECT complete FROM chunk WHERE key = ?"
            return bool((self._connection.execute(query, (key,)).fetchone() or [0])[0])

    def __getitem__(self, key: str) -> bytes:
        with self._errors("cannot be read", "remove it"):
            query = "SELECT features, digest FROM chunk WHERE key = ?"
            data, expected = self._connection.execute(query, (key,)).fetchone()
        if digest(data) != expected:
            raise LedgerError(f"{self.path}: damaged; remove it")
        return bytes(data)

    def put(self, result: ChunkResult) -> None:
        """Keeps a chunk."""
        with self._errors("cannot be written", "free some space and call again; what is there is kept"):
            row = (result.key, result.fingerprint, digest(result.fingerprint), result.complete)
            self._connection.execute("INSERT OR REPLACE INTO chunk VALUES (?, ?, ?, ?)", row)


def fingerprint(
    fingerprinter: Fingerprinter,
    sets: Sequence[ImageSet],
    ledger: Ledger,
    runner: Runner = local,
    progress: Progress | None = None,
    size: int = CHUNK,
) -> Iterator[Fingerprint]:
    """The fingerprint of each set, with moments alone. Of an image, memory keeps its name and digest.

    Args:
        fingerprinter: that makes features.
        sets: of one source each.
        ledger: of chunks that are computed.
        runner: computes the chunks that the ledger lacks; ``genprint.fingerprints.cluster.Cluster.run`` does it on many
            machines.
        progress: called with the number of images of each chunk.
        size: files in a chunk.

    Raises:
        ImageSetError: a set has no usable image.
        LedgerError: the ledger cannot be written.
    """
    by_set = [chunks(images, fingerprinter.extractor_id, size) for images in sets]
    every = [chunk for parts in by_set for chunk in parts]
    many = {chunk.key: max(1, len(chunk.images.files)) for chunk in every}
    missing = [chunk for chunk in every if chunk.key not in ledger]
    if progress:
        progress(sum(many.values()) - sum(many[chunk.key] for chunk in missing))
    for result in runner(fingerprinter, missing):
        ledger.put(result)
        if progress:
            progress(many[result.key])
    for images, parts in zip(sets, by_set, strict=True):
        yield _merge(images, (unpack(ledger[chunk.key], images.name, fingerprinter) for chunk in parts))


def _merge(images: ImageSet, parts: Iterable[Fingerprint]) -> Fingerprint:
    """One fingerprint of all parts; the same bytes in two of them count once."""
    seen: dict[str, str] = {}
    left_out: list[LeftOut] = []
    whole: Fingerprint | None = None
    for part in parts:
        left_out += part.left_out
        fresh = []
        for i, (sha256, name) in enumerate(zip(part.digests, part.names, strict=True)):
            if sha256 in seen:
                left_out.append(LeftOut(name, f"same content as {seen[sha256]}"))
            else:
                seen[sha256] = name
                fresh.append(i)
        if fresh:
            moments = part[fresh].pooled()
            whole = whole + moments if whole else moments
    if whole is None:
        raise NothingUsable(images.origin, left_out)
    return replace(whole, left_out=tuple(left_out))


def save(path: Path, fingerprints: Sequence[Fingerprint], fingerprinter: Fingerprinter) -> None:
    """Writes fingerprints as an ``.npz``: ``sources``, ``counts``, ``vectors``, ``means``, and the ``extractor``."""
    file = io.BytesIO()
    np.savez(
        file, sources=np.array([found.source for found in fingerprints]), counts=[len(found) for found in fingerprints],
        vectors=np.stack([fingerprinter.embed(found) for found in fingerprints]),
        means=np.stack([found.mean for found in fingerprints]), extractor=np.array(fingerprinter.extractor_id),
    )  # fmt: skip
    write_atomically(path, file.getvalue())
