"""SQLite files that several processes may use at once."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote


def read_only(path: Path) -> bool:
    """Whether a file is there and cannot be written, or nothing beside it, as SQLite would."""
    return path.exists() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def is_database(path: str | Path) -> bool:
    """Whether that is an SQLite file, by its first bytes."""
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def tables_of(path: str | Path) -> set[str]:
    """Names of the tables in a file; none if it is not there. The file stays as it is.

    Raises:
        sqlite3.Error: it is no database, or cannot be read.
    """
    if not Path(path).exists():
        return set()
    with closing(_reading(Path(path))) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _reading(path: Path) -> sqlite3.Connection:
    # A folder that cannot be written has no room for what readers share, unless a writer has put it there.
    shared = path.with_name(f"{path.name}-wal").exists()
    how = "mode=ro&immutable=1" if read_only(path) and not shared else "mode=ro"
    address = f"file:{quote(str(path.resolve()))}?{how}"
    return sqlite3.connect(address, timeout=30, isolation_level=None, uri=True)


def open_database(path: str | Path, tables: str, lasting: bool = True) -> sqlite3.Connection:
    """Opens a database, made with these tables if they are not there; statements are committed as they come.

    One that cannot be written, or whose folder cannot, is opened for reading alone.

    Args:
        path: of the file, or ':memory:'; its folder is made.
        tables: SQL that makes them.
        lasting: whether what is written survives a crash of the machine; a cache need not.

    Raises:
        sqlite3.Error: it is something else, or cannot be used.
        OSError: its folder cannot be made.
    """
    if str(path) != ":memory:":
        path = Path(path)
        if read_only(path):
            return _reading(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")
    if not lasting:
        connection.execute("PRAGMA synchronous=NORMAL")
    connection.executescript(tables)
    return connection
