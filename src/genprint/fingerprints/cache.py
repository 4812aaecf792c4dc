"""What was worked out once, kept on disk: features of images, and what a gallery was asked about itself."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genprint.errors import GenprintError
from genprint.storage.sqlite import open_database, read_only

_TABLES = """
DROP TABLE IF EXISTS feature;  -- of before 0.2
CREATE TABLE IF NOT EXISTS made (
    maker TEXT, about TEXT, value BLOB NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (maker, about)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS made_used ON made (used);
CREATE INDEX IF NOT EXISTS made_about ON made (about);
"""
_LEFT = 0.9  # of the size, when the least recently used goes


class CacheError(GenprintError, RuntimeError):
    """The file cannot be used as a cache."""


class Cache:
    """Values by what made them and what they are about, in one SQLite file.

    Several processes and threads may use it at once. It is safe to delete.

    Args:
        path: of the file; made if it is not there.
        size: most bytes; what was not used for longest goes first. None: as many as come.

    Where the file is there and cannot be written, what is in it is used, and nothing is added.

    Raises:
        CacheError: it is something else, or cannot be written.
    """

    def __init__(self, path: str | Path, size: int | None = None):
        self.path, self.size = Path(path), size
        self._threads, self._read_only = threading.local(), read_only(Path(path))
        try:
            self._connection.execute("UPDATE made SET used = used WHERE false")  # fails where it cannot be written
        except (sqlite3.Error, OSError) as error:
            raise CacheError(f"{self.path}: cannot be used as a cache ({error}); remove it or name another") from None

    @property
    def _connection(self) -> sqlite3.Connection:
        """Of this thread: SQLite's may not be shared."""
        if not hasattr(self._threads, "connection"):
            self._threads.connection = open_database(self.path, _TABLES, lasting=False)  # a crash loses little
        connection: sqlite3.Connection = self._threads.connection
        return connection

    def get(self, maker: str, about: Sequence[str]) -> list[bytes | None]:
        """The values about each; None where they are not there."""
        query = "SELECT value FROM made WHERE maker = ? AND about = ?"
        try:
            rows = [self._connection.execute(query, (maker, one)).fetchone() for one in about]
        except sqlite3.Error as error:
            raise CacheError(f"{self.path}: cannot be read ({error}); remove it") from None
        if self.size is not None and not self._read_only:
            found = [(_now(), maker, one) for one, row in zip(about, rows, strict=True) if row]
            self._change("UPDATE made SET used = ? WHERE maker = ? AND about = ?", found)
        return [row[0] if row else None for row in rows]

    def put(self, maker: str, about: Sequence[str], values: Sequence[bytes]) -> None:
        """Keeps the values about each.

        Raises:
            CacheError: the disk is full, or the like.
        """
        if self._read_only:
            return
        rows = [(maker, one, value, _now()) for one, value in zip(about, values, strict=True)]
        self._change("INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?)", rows)

    def features(self, maker: str, digests: Sequence[str]) -> list[np.ndarray | None]:
        """Features of images, float32 ``(d,)`` each, by their digests; None where they are not there."""
        return [None if value is None else np.frombuffer(value, "<f4") for value in self.get(maker, digests)]

    def put_features(self, maker: str, digests: Sequence[str], features: np.ndarray) -> None:
        """Keeps features ``(n, d)``. Raises as ``put`` does."""
        self.put(maker, digests, [row.astype("<f4").tobytes() for row in features])

    def forget(self, about: Sequence[str]) -> None:
        """Erases whatever was made about these."""
        if not self._read_only:
            self._change("DELETE FROM made WHERE about = ?", [(one,) for one in about])

    def _change(self, query: str, rows: Sequence[tuple[object, ...]]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(query, rows)
            if self.size is not None and self._bytes() > self.size:
                self._drop()
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise CacheError(f"{self.path}: cannot be written: {error}") from None

    def _bytes(self) -> int:
        """Of the file, less what is free in it."""
        asked = ("page_count", "freelist_count", "page_size")
        pages, free, size = (self._connection.execute(f"PRAGMA {what}").fetchone()[0] for what in asked)
        return int((pages - free) * size)

    def _drop(self) -> None:
        """What was not used for longest, a tenth of all at a time."""
        assert self.size is not None
        while self._bytes() > _LEFT * self.size:
            (rows,) = self._connection.execute("SELECT count(*) FROM made").fetchone()
            oldest = "SELECT maker, about FROM made ORDER BY used LIMIT ?"
            self._connection.execute(f"DELETE FROM made WHERE (maker, about) IN ({oldest})", (rows // 10 + 1,))
            if rows <= 1:
                return


def _now() -> int:
    return time.time_ns()
