"""Features of enrolled images, and the vector of each source, as a gallery keeps them."""

from __future__ import annotations

import json
import sqlite3

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.storage.files import digest

TABLES = """
CREATE TABLE IF NOT EXISTS source (
    name TEXT PRIMARY KEY, rows INTEGER NOT NULL, features BLOB NOT NULL, digests TEXT NOT NULL, sha256 TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS vector (
    source TEXT NOT NULL REFERENCES source (name) ON DELETE CASCADE, change TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (source, change)
) WITHOUT ROWID;
"""
#: How the tables name the original condition; before 0.2, there were vectors in others.
AS_ENROLLED = "none"


class Damaged(Exception):
    """What is read is not what was written."""


def write(connection: sqlite3.Connection, name: str, kept: Fingerprint, vector: np.ndarray) -> None:
    """Keeps a source's features and its unit vector, in place of those that are there."""
    connection.execute("DELETE FROM source WHERE name = ?", (name,))
    values, digests = _pack(kept.values), json.dumps(kept.digests)
    row = (name, len(kept), values, digests, digest(values + digests.encode()))
    connection.execute("INSERT INTO source VALUES (?, ?, ?, ?, ?)", row)
    connection.execute("INSERT INTO vector VALUES (?, ?, ?)", (name, AS_ENROLLED, _pack(vector)))


def read(connection: sqlite3.Connection, name: str, extractor: str, parts: int) -> Fingerprint | None:
    """The fingerprint of a source, None if it is not enrolled.

    Args:
        connection: to the gallery.
        name: of the source.
        extractor: of the gallery's features.
        parts: that these come in.

    Raises:
        Damaged: the features are not those that were written.
    """
    query = "SELECT rows, features, digests, sha256 FROM source WHERE name = ?"
    row = connection.execute(query, (name,)).fetchone()
    if row is None:
        return None
    rows, values, digests, sha256 = row
    if digest(values + digests.encode()) != sha256:
        raise Damaged(f"the features of {name} are not those that were enrolled")
    return Fingerprint(name, _unpack(values, rows), tuple(json.loads(digests)), extractor, parts)


def vectors(connection: sqlite3.Connection, condition: str | None = None) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and unit vectors, float32 ``(n, e)``, ordered by source; in one condition, or in all that there are."""
    query = "SELECT source, value FROM vector WHERE change = coalesce(?, change) ORDER BY source, change"
    rows = connection.execute(query, (condition,)).fetchall()
    found = _unpack(b"".join(value for _, value in rows), len(rows)) if rows else np.empty((0, 0), np.float32)
    return tuple(source for source, _ in rows), found


def _pack(values: np.ndarray) -> bytes:
    return values.astype("<f4").tobytes()


def _unpack(values: bytes, rows: int) -> np.ndarray:
    return np.frombuffer(values, "<f4").reshape(rows, -1)
