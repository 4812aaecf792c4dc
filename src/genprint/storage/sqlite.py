"""SQLite files that several processes may use at once."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def open_database(path: str | Path, tables: str, lasting: bool = True) -> sqlite3.Connection:
    """Opens a database, made with these tables if they are not there; statements are committed as they come.

    Args:
        path: of the file, or ':memory:'; its folder is made.
        tables: SQL that makes them.
        lasting: whether what is written survives a crash of the machine; a cache need not.

    Raises:
        sqlite3.Error: it is something else, or cannot be used.
        OSError: its folder cannot be made.
    """
    if str(path) != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")
    if not lasting:
        connection.execute("PRAGMA synchronous=NORMAL")
    connection.executescript(tables)
    return connection
