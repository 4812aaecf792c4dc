"""How enrolled files were saved, as a gallery keeps it: images that are kept as parts do not say it any more."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from genprint.images.decoding import FileFacts

#: Beside the sources' table; a gallery of before does not have it, and one that is only read does not get it.
TABLE = """
CREATE TABLE IF NOT EXISTS saving (
    source TEXT PRIMARY KEY REFERENCES source (name) ON DELETE CASCADE, facts TEXT NOT NULL
) WITHOUT ROWID;
"""


def write(connection: sqlite3.Connection, source: str, facts: Sequence[FileFacts | None]) -> None:
    """Keeps what the files of a source's images say of how they were saved, and nothing else they say."""
    every = [one and [one.format, one.mode, one.quality, one.subsampling, one.tables, one.quantiser] for one in facts]
    kinds = list(dict.fromkeys(map(json.dumps, every)))
    places = {kind: place for place, kind in enumerate(kinds)}
    packed = {"kinds": list(map(json.loads, kinds)), "images": [places[json.dumps(one)] for one in every]}
    if facts:
        connection.execute("INSERT OR REPLACE INTO saving VALUES (?, ?)", (source, json.dumps(packed)))


def read(connection: sqlite3.Connection, source: str, images: int) -> tuple[FileFacts | None, ...]:
    """The same of each of so many images; nothing where it is not known."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'saving'").fetchone():
        return ()
    row = connection.execute("SELECT facts FROM saving WHERE source = ?", (source,)).fetchone()
    packed = json.loads(row[0]) if row else {"kinds": [], "images": []}
    kinds = [_facts(*kind) if kind else None for kind in packed["kinds"]]
    return tuple(kinds[place] for place in packed["images"]) if len(packed["images"]) == images else ()


def _facts(
    kind: str, mode: str, quality: int | None, subsampling: str | None, tables: list[list[int]], quantiser: int | None
) -> FileFacts:
    return FileFacts(kind, mode, quality, subsampling, tuple(map(tuple, tables)), quantiser)
