"""Enrolled sources, in one SQLite file that several processes may use at once, and exact search among them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from genprint.fingerprints.fingerprint import Features, Fingerprint, Fingerprinter
from genprint.scoring.conditions import NONE
from genprint.storage.files import digest

_TABLES = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS source (
    name TEXT PRIMARY KEY, rows INTEGER NOT NULL, features BLOB NOT NULL, digests TEXT NOT NULL, sha256 TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS history (
    source TEXT NOT NULL REFERENCES source (name) ON DELETE CASCADE, change TEXT NOT NULL, features BLOB NOT NULL,
    sha256 TEXT NOT NULL, PRIMARY KEY (source, change)
);
CREATE TABLE IF NOT EXISTS vector (
    source TEXT NOT NULL REFERENCES source (name) ON DELETE CASCADE, change TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (source, change)
) WITHOUT ROWID;
INSERT OR IGNORE INTO about VALUES ('state', hex(randomblob(16)));
"""


_BLOCK = 1024


class GalleryError(RuntimeError):
    """The gallery cannot be used as asked."""


class Damaged(Exception):
    """What is read is not what was written."""


@dataclass(frozen=True)
class Index:
    """The vectors of all enrolled sources, in memory, for exact search.

    Attributes:
        names: of the sources.
        vectors: unit vectors, float32 ``(rows, e)``; a source has one as it is and one after each history, in a row.
        starts: the first row of each source.
    """

    names: tuple[str, ...] = field(repr=False)
    vectors: np.ndarray = field(repr=False)
    starts: np.ndarray = field(repr=False)

    def nearest(self, vector: np.ndarray, count: int) -> list[str]:
        """Names of so many sources, by the cosine of their vector in its best state, the nearest first."""
        cosines = self.vectors @ vector.astype(np.float32)
        if len(cosines) > len(self.names):
            cosines = np.maximum.reduceat(cosines, self.starts)
        # The best are in the blocks with the largest maxima; to sort all would take longer than to compute them.
        starts = np.arange(0, len(cosines), _BLOCK)
        blocks = np.argsort(-np.maximum.reduceat(cosines, starts), kind="stable")[:count]
        rows = (starts[blocks][:, None] + np.arange(_BLOCK)).ravel()
        rows = np.sort(rows[rows < len(cosines)])
        return [self.names[i] for i in rows[np.argsort(-cosines[rows], kind="stable")[:count]]]


class Gallery:
    """Named sources with the features of their images, made by one fingerprinter.

    Features of single images are kept, not only their moments: thresholds need sets of the probe's size.

    Args:
        path: of the SQLite file; None keeps the gallery in memory.
        fingerprinter: with learned weights; a gallery made with others is refused.

    Raises:
        GalleryError: the file is not a gallery, or was made with another encoder.
    """

    def __init__(self, path: str | Path | None, fingerprinter: Fingerprinter):
        self.path = str(path) if path else ":memory:"
        self._fingerprinter = fingerprinter
        weights: str = getattr(fingerprinter, "weights_digest_", fingerprinter.method)
        try:
            self._connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            tables = {name for (name,) in self._connection.execute("SELECT name FROM sqlite_master")}
            if tables and not {"about", "source"} <= tables:
                raise GalleryError(f"{self.path}: a database of something else, not a gallery; give another file")
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA foreign_keys=ON")
            self._connection.executescript(_TABLES)
            self._connection.execute("INSERT OR IGNORE INTO about VALUES ('weights', ?)", (weights,))
            (made_with,) = self._connection.execute("SELECT value FROM about WHERE key = 'weights'").fetchone()
        except sqlite3.Error as error:
            raise GalleryError(f"{self.path}: cannot be opened as a gallery: {error}") from None
        if made_with != weights:
            raise GalleryError(
                f"{self.path}: enrolled with another encoder ({made_with[:12]}..., now {weights[:12]}...); "
                "give that encoder with --model, or enroll anew in another file"
            )

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection
            self._connection.execute("UPDATE about SET value = hex(randomblob(16)) WHERE key = 'state'")
            self._connection.execute("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise GalleryError(f"{self.path}: cannot be written: {error}") from None
            raise

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """What several queries see is of one moment."""
        with self._reading():
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, Damaged) as error:
            raise GalleryError(
                f"{self.path}: damaged ({error}); take a copy of it from before, or enroll anew"
            ) from None

    def _ask(self, query: str, *values: object) -> list[Any]:
        with self._reading():
            return self._connection.execute(query, values).fetchall()

    def enroll(self, name: str, features: Features) -> int:
        """Adds a source, or images to one that is there; images it has already are passed over.

        Features after changes are kept where old and new images have them after the same one. Of images that come with
        more of them than before, the new ones are kept.

        Returns:
            How many images were added.

        Raises:
            GalleryError: the new images have no features after changes and the old ones do, which would be lost.
        """
        return self.enroll_all([(name, features)])[name]

    def enroll_all(self, sources: Iterable[tuple[str, Features]]) -> dict[str, int]:
        """The same for many sources: all of them, or, if anything goes wrong, none.

        Returns:
            How many images were added to each.
        """
        with self._change() as connection:
            return {name: self._add(connection, name, features) for name, features in sources}

    def _add(self, connection: sqlite3.Connection, name: str, features: Features) -> int:
        if not name:
            raise GalleryError("a source needs a name")
        old = _read(connection, name)
        known = set(old.digests) if old else set()
        new = features[[i for i, digest in enumerate(features.digests) if digest not in known]]
        if old and known <= set(features.digests) and set(old.after) < set(features.after):
            whole = features
        elif old and not len(new):
            return 0
        elif old and old.after and not new.after:
            raise GalleryError(
                f"{name}: enrolled with what its images become after JPEG and the like, which would be lost; "
                "read the new images with histories, too"
            )
        else:
            whole = _joined(old, new) if old else new
        connection.execute("DELETE FROM source WHERE name = ?", (name,))
        values, digests = _pack(whole.values), json.dumps(whole.digests)
        row = (name, len(whole), values, digests, digest(values + digests.encode()))
        connection.execute("INSERT INTO source VALUES (?, ?, ?, ?, ?)", row)
        after = {change: _pack(own) for change, own in whole.after.items()}
        connection.executemany(
            "INSERT INTO history VALUES (?, ?, ?, ?)",
            [(name, change, own, digest(own)) for change, own in after.items()],
        )
        connection.executemany(
            "INSERT INTO vector VALUES (?, ?, ?)",
            [(name, change, _pack(self._vector(whole.with_history(change)))) for change in (NONE, *whole.after)],
        )
        return len(new)

    def _vector(self, features: Features) -> np.ndarray:
        return self._fingerprinter.summarise(features, "", scatter=False).vector

    def remove(self, name: str) -> None:
        """Forgets a source.

        Raises:
            GalleryError: it is not enrolled.
        """
        with self._change() as connection:
            if not connection.execute("DELETE FROM source WHERE name = ?", (name,)).rowcount:
                raise GalleryError(f"{name}: not enrolled in {self.path}")

    def __len__(self) -> int:
        """Number of sources."""
        ((count,),) = self._ask("SELECT count(*) FROM source")
        return int(count)

    def counts(self) -> dict[str, int]:
        """Number of images of each source, by name."""
        return dict(self._ask("SELECT name, rows FROM source ORDER BY name"))

    def without_histories(self) -> list[str]:
        """Names of sources with fewer histories than another. Probes are compared after those alone that all have."""
        query = "SELECT name, count(change) FROM source LEFT JOIN history ON source = name GROUP BY name ORDER BY name"
        counts = dict(self._ask(query))
        return [name for name, count in counts.items() if count < max(counts.values())]

    def state(self) -> str:
        """The same as long as nothing is enrolled or removed."""
        ((value,),) = self._ask("SELECT value FROM about WHERE key = 'state'")
        return str(value)

    def index(self) -> Index:
        """What search needs, read into memory."""
        rows = self._ask("SELECT source, value FROM vector ORDER BY source, change")
        owners = [source for source, _ in rows]
        starts = [i for i, owner in enumerate(owners) if i == 0 or owner != owners[i - 1]]
        vectors = _unpack(b"".join(value for _, value in rows), len(rows)) if rows else np.empty((0, 0), np.float32)
        return Index(tuple(owners[i] for i in starts), vectors, np.array(starts, int))

    def vectors(self) -> tuple[tuple[str, ...], np.ndarray]:
        """Names of the sources and the unit vector of each, float32 ``(n, e)``, of its images as they are."""
        query = "SELECT source, value FROM vector WHERE change = ? ORDER BY source"
        rows = self._ask(query, NONE)
        vectors = _unpack(b"".join(value for _, value in rows), len(rows)) if rows else np.empty((0, 0), np.float32)
        return tuple(source for source, _ in rows), vectors

    def features(self, names: Iterable[str] | None = None, histories: bool = True) -> dict[str, Features]:
        """Features of each source's images, by name; of all sources, or of those named that are enrolled.

        Args:
            histories: also of the images after these.
        """
        with self._snapshot() as connection:
            wanted = sorted(self.counts() if names is None else names)
            found = {name: _read(connection, name, histories) for name in wanted}
        return {name: own for name, own in found.items() if own}

    def fingerprints(self) -> list[Fingerprint]:
        """The fingerprint of each source, by name."""
        return [self._fingerprinter.summarise(own, name) for name, own in self.features().items()]


def _read(connection: sqlite3.Connection, name: str, histories: bool = True) -> Features | None:
    query = "SELECT rows, features, digests, sha256 FROM source WHERE name = ?"
    row = connection.execute(query, (name,)).fetchone()
    if row is None:
        return None
    rows, values, digests, sha256 = row
    query = "SELECT change, features, sha256 FROM history WHERE source = ? ORDER BY rowid"
    after = connection.execute(query, (name,)).fetchall() if histories else []
    if digest(values + digests.encode()) != sha256 or any(digest(own) != expected for _, own, expected in after):
        raise Damaged(f"the features of {name} are not those that were enrolled")
    return Features(
        _unpack(values, rows),
        tuple(json.loads(digests)),
        after={change: _unpack(own, rows) for change, own, _ in after},
    )


def _joined(old: Features, new: Features) -> Features:
    """The features of both, and after the changes that both know."""
    return Features(
        np.concatenate([old.values, new.values]),
        old.digests + new.digests,
        after={name: np.concatenate([old.after[name], own]) for name, own in new.after.items() if name in old.after},
    )


def _pack(values: np.ndarray) -> bytes:
    return values.astype("<f4").tobytes()


def _unpack(values: bytes, rows: int) -> np.ndarray:
    return np.frombuffer(values, "<f4").reshape(rows, -1)
