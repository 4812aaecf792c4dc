"""Databases that cannot be written are read as they are."""

import os
import sqlite3

import pytest

from genprint.storage.sqlite import open_database

TABLES = "CREATE TABLE IF NOT EXISTS pair (one, other);"


def unwritable(monkeypatch, *paths):
    """Those paths cannot be written any more, as far as SQLite and the library can tell."""
    asked, connect = os.access, sqlite3.connect

    def access(path, mode, **more):
        return asked(path, mode, **more) and not (mode & os.W_OK and str(path) in map(str, paths))

    def connected(database, *arguments, **more):
        name = str(database)
        mine = any(name.startswith((str(path), f"file:{path}")) for path in paths)
        if mine and not ("mode=ro" in name and "immutable=1" in name):
            raise sqlite3.OperationalError("attempt to write a readonly database")  # its log cannot be made
        return connect(database, *arguments, **more)

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(sqlite3, "connect", connected)


@pytest.mark.parametrize("name", ["a.sqlite", "with space, 50 % and #?.sqlite"])
def test_what_cannot_be_written_is_read(tmp_path, monkeypatch, name):
    made = open_database(tmp_path / name, TABLES)
    made.execute("INSERT INTO pair VALUES (1, 2)")
    made.close()
    before = (tmp_path / name).read_bytes()
    unwritable(monkeypatch, tmp_path)
    opened = open_database(tmp_path / name, TABLES)
    assert opened.execute("SELECT * FROM pair").fetchall() == [(1, 2)]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        opened.execute("INSERT INTO pair VALUES (3, 4)")
    assert (tmp_path / name).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_one_is_made_with_its_folder(tmp_path):
    made = open_database(tmp_path / "deep" / "down" / "a.sqlite", TABLES)
    made.execute("INSERT INTO pair VALUES (1, 2)")
    assert open_database(tmp_path / "deep" / "down" / "a.sqlite", TABLES).execute(
        "SELECT one FROM pair"
    ).fetchone() == (1,)
