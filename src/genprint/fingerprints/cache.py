"""Features of single images kept on disk, so that subsets, repeats and other questions cost no second pass."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genprint.errors import GenprintError
from genprint.storage.sqlite import open_database

_TABLES = """
CREATE TABLE IF NOT EXISTS feature (
    maker TEXT, image TEXT, value BLOB NOT NULL, PRIMARY KEY (maker, image)
) WITHOUT ROWID;
"""


class CacheError(GenprintError, RuntimeError):
    """The file cannot be used as a cache of features."""


class FeatureCache:
    """Features by the digest of the image's file and the identity of their extractor, in one SQLite file.

    Several processes may use it at once. It is safe to delete.

    Args:
        path: of the file; made if it is not there.

    Raises:
        CacheError: it is something else, or cannot be written.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        try:
            self._connection = open_database(self.path, _TABLES, lasting=False)  # what a crash loses is made again
        except (sqlite3.Error, OSError) as error:
            raise CacheError(
                f"{self.path}: cannot be used as a cache of features ({error}); remove it or name another"
            ) from None

    def get(self, extractor: str, digests: Sequence[str]) -> list[np.ndarray | None]:
        """Features of each image, float32 ``(d,)``; None where they are not there."""
        query = "SELECT value FROM feature WHERE maker = ? AND image = ?"
        try:
            rows = [self._connection.execute(query, (extractor, digest)).fetchone() for digest in digests]
        except sqlite3.Error as error:
            raise CacheError(f"{self.path}: cannot be read ({error}); remove it") from None
        return [np.frombuffer(row[0], "<f4") if row else None for row in rows]

    def put(self, extractor: str, digests: Sequence[str], features: np.ndarray) -> None:
        """Keeps features ``(n, d)``.

        Raises:
            CacheError: the disk is full, or the like.
        """
        rows = [(extractor, digest, row.astype("<f4").tobytes()) for digest, row in zip(digests, features, strict=True)]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR REPLACE INTO feature VALUES (?, ?, ?)", rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise CacheError(f"{self.path}: cannot be written: {error}") from None
