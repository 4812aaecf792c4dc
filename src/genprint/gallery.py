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

    def enroll(self, name: str, features: Features) -> int:
        """Adds a source, or images to one that is there; images it has already are passed over.

        Returns:
            How many images were added.
        """
        with self._change() as connection:
            row = connection.execute("SELECT features, digests FROM source WHERE name = ?", (name,)).fetchone()
            old = _unpack(*row) if row else Features(np.empty((0, features.values.shape[1]), np.float32), ())
            known = set(old.digests)
            new = [i for i, digest in enumerate(features.digests) if digest not in known]
            values = np.concatenate([old.values, features.values[new]]).astype(np.float32)
            digests = [*old.digests, *(features.digests[i] for i in new)]
            connection.execute(
                "INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?)",
                (name, len(values), values.tobytes(), json.dumps(digests)),
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
        rows = self._connection.execute("SELECT name, features, digests FROM source ORDER BY name")
        return {name: _unpack(values, digests) for name, values, digests in rows}

    def fingerprints(self, fingerprinter: Fingerprinter) -> list[Fingerprint]:
        """The fingerprint of each source, by name."""
        return [fingerprinter.summarise(own, name) for name, own in self.features().items()]


def _unpack(values: bytes, digests: str) -> Features:
    names = tuple(json.loads(digests))
    return Features(np.frombuffer(values, np.float32).reshape(len(names), -1), names)
