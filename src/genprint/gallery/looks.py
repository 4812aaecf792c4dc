"""What enrolled images look like, as a gallery keeps it: so that a probe's image is found that is a copy of one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from genprint.images.copies import HASHES, Look

#: Beside the sources' table; a gallery of before does not have it, and one that is only read does not get it.
TABLE = """
CREATE TABLE IF NOT EXISTS look (
    source TEXT PRIMARY KEY REFERENCES source (name) ON DELETE CASCADE, names TEXT NOT NULL, looks BLOB NOT NULL
) WITHOUT ROWID;
"""
_PIXELS = 32  # bytes of a SHA-256
_ROW = _PIXELS + HASHES
_NOTHING = bytes(HASHES)  # of a picture without hashes: no real hash is empty, as half of its bits are set


def write(connection: sqlite3.Connection, source: str, looks: Sequence[Look | None]) -> None:
    """Keeps the looks of a source's images, in the order of these."""
    rows = [bytes.fromhex(one.pixels) + (one.hashes or _NOTHING) if one else bytes(_ROW) for one in looks]
    names = [one and one.name for one in looks]
    if looks:
        connection.execute("INSERT OR REPLACE INTO look VALUES (?, ?, ?)", (source, json.dumps(names), b"".join(rows)))


def read(connection: sqlite3.Connection, source: str, images: int) -> tuple[Look | None, ...]:
    """The same of each of so many images; nothing where it is not known."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'look'").fetchone():
        return ()
    row = connection.execute("SELECT names, looks FROM look WHERE source = ?", (source,)).fetchone()
    names, packed = (json.loads(row[0]), row[1]) if row else ([], b"")
    if len(names) != images or len(packed) != images * _ROW:
        return ()
    rows = (packed[start : start + _ROW] for start in range(0, len(packed), _ROW))
    return tuple(None if name is None else _look(name, row) for name, row in zip(names, rows, strict=True))


def _look(name: str, row: bytes) -> Look:
    hashes = row[_PIXELS:]
    return Look(name, row[:_PIXELS].hex(), b"" if hashes == _NOTHING else hashes)
