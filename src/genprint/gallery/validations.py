"""Validations of a gallery, kept in its file: so they go where it goes, and are told from those of another state."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genprint.errors import GenprintError
from genprint.storage.sqlite import open_database, tables_of

_TABLE = """
CREATE TABLE IF NOT EXISTS validation (
    number INTEGER PRIMARY KEY, written TEXT NOT NULL, sha256 TEXT NOT NULL, state TEXT NOT NULL, model TEXT NOT NULL,
    record TEXT NOT NULL
);
"""


class ValidationError(GenprintError, RuntimeError):
    """A validation cannot be kept."""


@dataclass(frozen=True)
class Noted:
    """The latest validation of a gallery.

    Attributes:
        written: when, ISO 8601.
        sha256: digest of its record.
        current: whether the gallery, and the model's identity, are as they were then.
    """

    written: str
    sha256: str
    current: bool

    @property
    def said(self) -> str:
        """In a sentence."""
        changed = "" if self.current else "; the gallery or the model has changed since, so that it no longer holds"
        return f"validated {self.written} (SHA-256 {self.sha256}){changed}"


def note(path: Path, record: Mapping[str, Any], state: str) -> None:
    """Keeps the record of a validation in the gallery's file; the gallery's state stays what it is.

    Args:
        path: of the gallery.
        record: with ``written``, ``sha256`` and ``model``.
        state: of the gallery when it was measured.

    Raises:
        ValidationError: the file cannot be written.
    """
    row = (record["written"], record["sha256"], state, record["model"], json.dumps(record))
    try:
        with closing(open_database(path, _TABLE)) as connection:
            connection.execute(
                "INSERT INTO validation (written, sha256, state, model, record) VALUES (?, ?, ?, ?, ?)", row
            )
    except (sqlite3.Error, OSError) as error:
        raise ValidationError(
            f"{path}: the validation cannot be kept in it ({error}); copy the gallery to where it can be written"
        ) from None


def latest(path: Path, model: str) -> Noted | None:
    """The latest validation of the gallery in that file, seen with the model of that identity; None if there is none.

    Raises:
        ValidationError: the file cannot be read.
    """
    query = "SELECT written, sha256, state, model FROM validation ORDER BY number DESC LIMIT 1"
    try:
        if "validation" not in tables_of(path):
            return None
        with closing(open_database(path, "")) as connection:
            row = connection.execute(query).fetchone()
            now = connection.execute("SELECT value FROM about WHERE key = 'state'").fetchone()
    except (sqlite3.Error, OSError) as error:
        raise ValidationError(f"{path}: whether it was validated cannot be read: {error}") from None
    if row is None:
        return None
    written, sha256, state, by = row
    return Noted(written, sha256, current=(state,) == now and by == model)
