"""Enrolled sources, in one SQLite file that several processes may use at once."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from genprint.fingerprint import Features, Fingerprint, Fingerprinter

_TABLES = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS source (
    name TEXT PRIMARY KEY, rows INTEGER NOT NULL, features BLOB NOT NULL, digests TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS history (
    source TEXT NOT NULL REFERENCES source (name) ON DELETE CASCADE, change TEXT NOT NULL, features BLOB NOT NULL,
    PRIMARY KEY (source, change)
);
"""


class GalleryError(RuntimeError):
    """The gallery cannot be used as asked."""


class Gallery:
    """Named sources with the features of their images, made by one fingerprinter.

    Features of single images are kept, not only their moments: thresholds need sets of the probe's size.

    Args:
        path: of the SQLite file; None keeps the gallery in memory.
        weights: digest of the fingerprinter's weights; a gallery made with others is refused.

    Raises:
        GalleryError: the file is not a gallery, or was made with another encoder.
    """

    def __init__(self, path: str | Path | None, weights: str):
        self.path = str(path) if path else ":memory:"
        try:
            self._connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
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
        self._connection.execute("BEGIN")
        try:
            yield self._connection
        finally:
            self._connection.execute("COMMIT")

    @staticmethod
    def _read(connection: sqlite3.Connection, name: str) -> Features | None:
        row = connection.execute("SELECT rows, features, digests FROM source WHERE name = ?", (name,)).fetchone()
        if row is None:
            return None
        rows, values, digests = row
        after = connection.execute("SELECT change, features FROM history WHERE source = ? ORDER BY rowid", (name,))
        return Features(
            _unpack(values, rows),
            tuple(json.loads(digests)),
            after={change: _unpack(own, rows) for change, own in after},
        )

    def enroll(self, name: str, features: Features) -> int:
        """Adds a source, or images to one that is there; images it has already are passed over.

        Features after changes are kept where old and new images have them after the same one.

        Returns:
            How many images were added.
        """
        with self._change() as connection:
            old = self._read(connection, name)
            known = set(old.digests) if old else set()
            new = features[[i for i, digest in enumerate(features.digests) if digest not in known]]
            if old and not len(new):
                return 0
            whole = _joined(old, new) if old else new
            connection.execute(
                "INSERT INTO source VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE "
                "SET rows = excluded.rows, features = excluded.features, digests = excluded.digests",
                (name, len(whole), _pack(whole.values), json.dumps(whole.digests)),
            )
            connection.execute("DELETE FROM history WHERE source = ?", (name,))
            connection.executemany(
                "INSERT INTO history VALUES (?, ?, ?)",
                [(name, change, _pack(values)) for change, values in whole.after.items()],
            )
        return len(new)

    def remove(self, name: str) -> None:
        """Forgets a source.

        Raises:
            GalleryError: it is not enrolled.
        """
        with self._change() as connection:
            if not connection.execute("DELETE FROM source WHERE name = ?", (name,)).rowcount:
                raise GalleryError(f"{name}: not enrolled in {self.path}")

    def counts(self) -> dict[str, int]:
        """Number of images of each source, by name."""
        return dict(self._connection.execute("SELECT name, rows FROM source ORDER BY name"))

    def state(self) -> str:
        """SHA-256 of what is enrolled: the same as long as that is."""
        rows = self._connection.execute("SELECT name, digests FROM source ORDER BY name")
        return hashlib.sha256(json.dumps(rows.fetchall()).encode()).hexdigest()

    def features(self) -> dict[str, Features]:
        """Features of each source's images, by name."""
        with self._snapshot() as connection:
            found = {name: self._read(connection, name) for name in self.counts()}
        return {name: own for name, own in found.items() if own}

    def fingerprints(self, fingerprinter: Fingerprinter) -> list[Fingerprint]:
        """The fingerprint of each source, by name."""
        return [fingerprinter.summarise(own, name) for name, own in self.features().items()]


def _pack(values: np.ndarray) -> bytes:
    return values.astype("<f4").tobytes()


def _unpack(values: bytes, rows: int) -> np.ndarray:
    return np.frombuffer(values, "<f4").reshape(rows, -1)


def _joined(old: Features, new: Features) -> Features:
    """The features of both, and after the changes that both know."""
    return Features(
        np.concatenate([old.values, new.values]),
        old.digests + new.digests,
        after={name: np.concatenate([old.after[name], own]) for name, own in new.after.items() if name in old.after},
    )
