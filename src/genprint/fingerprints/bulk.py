"""Fingerprints of piles of any size: read in chunks, each of which is made once, wherever and whenever that is.

A chunk is a few files of one source. What is made of it goes into a ledger, so a run that was killed goes on where it
was, and images added later cost no second pass over most others. Chunks are the same on one machine and on a cluster,
and so, to the bit where the arithmetic is, are the fingerprints.
"""

from __future__ import annotations

import io
import os
import sqlite3
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from genprint.fingerprints.fingerprint import Features, Fingerprint, Fingerprinter, Progress
from genprint.images.sets import MISSING, UNREADABLE, ImageSet, ImageSetError, LeftOut
from genprint.storage.files import digest, write_atomically

# Files. Smaller ones cost a cluster more to hand out than to make.
CHUNK = 1024


class LedgerError(RuntimeError):
    """The file cannot be used as a ledger."""


@dataclass(frozen=True)
class Chunk:
    """A part of a set that is read in one go; ``key`` follows from its files' names, sizes and times, and the maker."""

    key: str
    images: ImageSet = field(repr=False)


def chunks(images: ImageSet, maker: str, size: int = CHUNK) -> list[Chunk]:
    """The parts of a set: at most ``size`` files each, or the whole where images are not files of their own.

    Parts end where a file's name says so, not after so many: a file that is added changes the part it is in alone.
    """
    if not images.files:
        # In memory, nothing tells whether the images are the same as before: the key is one that never comes again.
        stated = [_stated(images.container)] if images.container else [uuid.uuid4().hex]
        return [Chunk(_key(maker, images.name, images.origin, *stated), images)]
    parts: list[list[Path]] = [[]]
    for path in images.files:
        ends = zlib.crc32(os.fsencode(path.name)) % max(1, size // 2) == 0
        if parts[-1] and (ends or len(parts[-1]) == size):
            parts.append([])
        parts[-1].append(path.absolute())  # a worker elsewhere has another working directory
    return [Chunk(_key(maker, *map(_stated, part)), ImageSet.from_files(part, images.name)) for part in parts]


def _stated(path: Path) -> str:
    try:
        about = os.stat(path)
        return f"{path} {about.st_size} {about.st_mtime_ns}"
    except OSError:  # unreadable: that will be the reason why it is left out
        return str(path)


def _key(*parts: str) -> str:
    return digest("\n".join(parts).encode("utf-8", "surrogateescape"))


@dataclass(frozen=True)
class Made:
    """What came of a chunk: its features as bytes; not ``complete`` if a file could not be read, and may be yet."""

    key: str
    features: bytes
    complete: bool


# Makes chunks' features in any order; each comes once.
Runner = Callable[[Fingerprinter, Sequence[Chunk]], Iterator[Made]]


def make(fingerprinter: Fingerprinter, chunk: Chunk) -> Made:
    """Makes a chunk. One without a usable image is no error."""
    try:
        features = fingerprinter.features(chunk.images)
    except ImageSetError:
        features = Features(np.empty((0, 0), np.float32), (), tuple(chunk.images.left_out))
    complete = not any(left.reason.startswith((UNREADABLE, MISSING)) for left in features.left_out)
    return Made(chunk.key, pack(features), complete)


def here(fingerprinter: Fingerprinter, missing: Sequence[Chunk]) -> Iterator[Made]:
    """Makes one chunk after the other in this process."""
    return (make(fingerprinter, chunk) for chunk in missing)


def pack(features: Features) -> bytes:
    """Features as the bytes of an ``.npz``."""
    file = io.BytesIO()
    left_out = [(left.name, left.reason) for left in features.left_out]
    np.savez(
        file, values=features.values, digests=np.array(features.digests, "U64"), names=_text(features.names),
        left_out=_text([text for pair in left_out for text in pair]),
    )  # fmt: skip
    return file.getvalue()


def unpack(data: bytes) -> Features:
    """Features from what ``pack`` gave."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        names, left = (file[key].tobytes().decode("utf-8", "surrogateescape") for key in ("names", "left_out"))
        texts = iter(left.split("\0")[:-1])
        left_out = tuple(LeftOut(name, reason) for name, reason in zip(texts, texts, strict=True))
        return Features(file["values"], tuple(map(str, file["digests"])), left_out, tuple(names.split("\0")[:-1]))


def _text(names: Sequence[str]) -> np.ndarray:
    """Names, which may be no UTF-8, as bytes; none holds a zero."""
    return np.frombuffer("".join(f"{name}\0" for name in names).encode("utf-8", "surrogateescape"), np.uint8)


class Ledger:
    """Chunks that are made, in one SQLite file. It is safe to delete.

    Raises:
        LedgerError: the file is something else or damaged, cannot be written, or the disk is full.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        with self._errors("cannot be used as a ledger", "remove it or name another"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS chunk "
                "(key TEXT PRIMARY KEY, features BLOB NOT NULL, digest TEXT NOT NULL, complete INTEGER NOT NULL)"
            )

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

    def __getitem__(self, key: str) -> Features:
        with self._errors("cannot be read", "remove it"):
            query = "SELECT features, digest FROM chunk WHERE key = ?"
            data, expected = self._connection.execute(query, (key,)).fetchone()
        if digest(data) != expected:
            raise LedgerError(f"{self.path}: damaged; remove it")
        return unpack(data)

    def put(self, made: Made) -> None:
        """Keeps a chunk."""
        with self._errors("cannot be written", "free some space and call again; what is there is kept"):
            row = (made.key, made.features, digest(made.features), made.complete)
            self._connection.execute("INSERT OR REPLACE INTO chunk VALUES (?, ?, ?, ?)", row)


def fingerprint(
    fingerprinter: Fingerprinter,
    sets: Sequence[ImageSet],
    ledger: Ledger,
    run: Runner = here,
    progress: Progress | None = None,
    size: int = CHUNK,
) -> Iterator[tuple[Fingerprint, list[LeftOut]]]:
    """The fingerprint of each set, and what was left out of it. Of an image, memory keeps its name and digest alone.

    Args:
        run: makes the chunks that the ledger lacks; ``genprint.fingerprints.cluster.Cluster.run`` does it on many machines.
        progress: told of the images of each chunk.
        size: files in a chunk.

    Raises:
        ImageSetError: a set has no usable image.
        LedgerError: the ledger cannot be written.
    """
    parts = [chunks(images, fingerprinter.maker(), size) for images in sets]
    every = [chunk for own in parts for chunk in own]
    many = {chunk.key: max(1, len(chunk.images.files)) for chunk in every}
    missing = [chunk for chunk in every if chunk.key not in ledger]
    if progress:
        progress(sum(many.values()) - sum(many[chunk.key] for chunk in missing))
    for made in run(fingerprinter, missing):
        ledger.put(made)
        if progress:
            progress(many[made.key])
    for images, own in zip(sets, parts, strict=True):
        yield _merge(fingerprinter, images, (ledger[chunk.key] for chunk in own))


def _merge(
    fingerprinter: Fingerprinter, images: ImageSet, parts: Iterable[Features]
) -> tuple[Fingerprint, list[LeftOut]]:
    """One fingerprint of all parts; the same bytes in two of them count once."""
    seen: dict[str, str] = {}
    left_out: list[LeftOut] = []
    made: list[Fingerprint] = []
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
            made.append(fingerprinter.summarise(part[fresh], images.name, vector=False))
            if len(made) > 1:
                made = [made[0] + made[1]]
    if not made:
        images.left_out = left_out
        raise ImageSetError(images.nothing())
    return fingerprinter.combine(made), left_out


def save(path: Path, fingerprints: Sequence[Fingerprint], maker: str) -> None:
    """Writes fingerprints as an ``.npz``: ``sources``, ``counts``, ``vectors``, ``means``, and the ``maker``."""
    file = io.BytesIO()
    np.savez(
        file, sources=np.array([own.source for own in fingerprints]), counts=[own.count for own in fingerprints],
        vectors=np.stack([own.vector for own in fingerprints]), means=np.stack([own.mean for own in fingerprints]),
        maker=np.array(maker),
    )  # fmt: skip
    write_atomically(path, file.getvalue())
