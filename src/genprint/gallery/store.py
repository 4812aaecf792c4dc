"""Enrolled sources, in one SQLite file that several processes may use at once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from genprint.errors import GenprintError
from genprint.fingerprints.fingerprint import Fingerprint, check_extractors
from genprint.gallery.index import Index
from genprint.model import Model
from genprint.storage.files import digest
from genprint.storage.sqlite import open_database

_TABLES = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS source (
    name TEXT PRIMARY KEY, rows INTEGER NOT NULL, features BLOB NOT NULL, digests TEXT NOT NULL, sha256 TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS history (
    source TEXT NOT NULL REFERENCES source (name) ON DELETE CASCADE, change TEXT NOT NULL, features BLOB NOT NULL,
    sha256 TEXT NOT NULL, PRIMARY KEY (source, change)
);
CREATE TABLE IF NOT EXISTS vector (
    source TEXT NOT NULL REFERENCES source (name) ON DELETE CASCADE, change TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (source, change)
) WITHOUT ROWID;
INSERT OR IGNORE INTO about VALUES ('state', hex(randomblob(16)));
"""
_AS_ENROLLED = "none"  # how these tables name the original condition


class GalleryError(GenprintError, RuntimeError):
    """The gallery cannot be used as asked."""


class NotEnough(GenprintError, ValueError):
    """Too few sources are enrolled for what was asked."""


class Damaged(Exception):
    """What is read is not what was written."""


def merge(old: Fingerprint | None, new: Fingerprint) -> tuple[Fingerprint | None, int]:
    """What is kept of a source when images are added; images it has already are passed over.

    Conditions are kept that old and new images are known in. Where images come in more conditions than before, they
    replace the old ones.

    Returns:
        The fingerprint to keep (None: what is there stays as it is), and how many images it adds.

    Raises:
        GalleryError: the new images are in no condition but the original and the old ones are, which would be lost.
    """
    if old is None:
        return new, len(new)
    known = set(old.digests)
    fresh = new[[i for i, digest in enumerate(new.digests) if digest not in known]]
    if known <= set(new.digests) and set(old.conditions) < set(new.conditions):
        return new, len(fresh)
    if not len(fresh):
        return None, 0
    if old.conditions and not fresh.conditions:
        raise GalleryError(
            f"{old.source}: enrolled in other conditions (JPEG and the like), which would be lost; "
            "enroll the new images in these, too"
        )
    return old + fresh, len(fresh)


class GalleryStore:
    """Named sources with the features of their images, made by one model.

    Features of single images are kept, not only their moments: thresholds need sets of the probe's size.

    Args:
        path: of the SQLite file; None keeps the gallery in memory.
        model: a gallery that was made with another extractor is refused.

    Raises:
        GalleryError: the file is not a gallery, or was made with another extractor.
    """

    def __init__(self, path: str | Path | None, model: Model):
        self.path = str(path) if path else ":memory:"
        self.model = model
        try:
            with closing(sqlite3.connect(self.path)) as asked:
                tables = {name for (name,) in asked.execute("SELECT name FROM sqlite_master")}
            if tables and not {"about", "source"} <= tables:
                raise GalleryError(f"{self.path}: a database of something else, not a gallery; give another file")
            self._connection = open_database(self.path, _TABLES)
            self._check_extractor()
        except sqlite3.Error as error:
            raise GalleryError(f"{self.path}: cannot be opened as a gallery: {error}") from None

    def _check_extractor(self) -> None:
        """Refuses features of another extractor; a gallery of before 0.2 knows its model's weights alone."""
        now = self.model.fingerprinter.extractor_id
        about = dict(self._connection.execute("SELECT key, value FROM about"))
        if "extractor" not in about and about.get("weights") in (None, self.model.weights_digest):
            self._connection.execute("INSERT OR IGNORE INTO about VALUES ('extractor', ?)", (now,))
            about = dict(self._connection.execute("SELECT key, value FROM about"))
        made_with = about.get("extractor", f"a model with weights {about.get('weights')}")
        if made_with != now:
            raise GalleryError(
                f"{self.path}: enrolled with another model: its features are of {made_with}, and now they would be of "
                f"{now}. Give that model with --model, or enroll the images anew in another file"
            )

    @property
    def in_memory(self) -> bool:
        """Whether it is kept in no file."""
        return self.path == ":memory:"

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection
            self._connection.execute("UPDATE about SET value = hex(randomblob(16)) WHERE key = 'state'")
            self._connection.execute("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise GalleryError(f"{self.path}: cannot be written: {error}") from None
            raise

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """What several queries see is of one moment."""
        with self._reading():
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, Damaged) as error:
            raise GalleryError(
                f"{self.path}: damaged ({error}); take a copy of it from before, or enroll anew"
            ) from None

    def _ask(self, query: str, *values: object) -> list[Any]:
        with self._reading():
            return self._connection.execute(query, values).fetchall()

    def add(self, name: str, fingerprint: Fingerprint) -> int:
        """Adds a source, or images to one that is there; ``merge`` says what is kept.

        Returns:
            How many images were added.
        """
        return self.add_all([(name, fingerprint)])[name]

    def add_all(self, sources: Iterable[tuple[str, Fingerprint]]) -> dict[str, int]:
        """The same for many sources: all of them, or, if anything goes wrong, none.

        Returns:
            How many images were added to each.
        """
        with self._change() as connection:
            return {name: self._add(connection, name, fingerprint) for name, fingerprint in sources}

    def _add(self, connection: sqlite3.Connection, name: str, fingerprint: Fingerprint) -> int:
        if not name:
            raise GalleryError("a source needs a name")
        check_extractors(self.path, self.model.fingerprinter.extractor_id, name, fingerprint.extractor)
        kept, added = merge(self._read(connection, name), fingerprint)
        if kept is None:
            return added
        connection.execute("DELETE FROM source WHERE name = ?", (name,))
        values, digests = _pack(kept.values), json.dumps(kept.digests)
        row = (name, len(kept), values, digests, digest(values + digests.encode()))
        connection.execute("INSERT INTO source VALUES (?, ?, ?, ?, ?)", row)
        packed = {condition: _pack(values) for condition, values in kept.conditions.items()}
        connection.executemany(
            "INSERT INTO history VALUES (?, ?, ?, ?)",
            [(name, condition, values, digest(values)) for condition, values in packed.items()],
        )
        connection.executemany(
            "INSERT INTO vector VALUES (?, ?, ?)",
            [
                (name, condition, _pack(self.model.fingerprinter.embed(kept.under(condition))))
                for condition in (_AS_ENROLLED, *kept.conditions)
            ],
        )
        return added

    def remove(self, name: str) -> None:
        """Removes a source.

        Raises:
            GalleryError: it is not enrolled.
        """
        with self._change() as connection:
            if not connection.execute("DELETE FROM source WHERE name = ?", (name,)).rowcount:
                raise GalleryError(f"{name}: not enrolled in {self.path}")

    def __len__(self) -> int:
        """Number of sources."""
        ((count,),) = self._ask("SELECT count(*) FROM source")
        return int(count)

    def counts(self) -> dict[str, int]:
        """Number of images of each source, by name."""
        return dict(self._ask("SELECT name, rows FROM source ORDER BY name"))

    def lacking_conditions(self) -> list[str]:
        """Names of sources in fewer conditions than another. Probes are compared in those alone that all are in."""
        query = "SELECT name, count(change) FROM source LEFT JOIN history ON source = name GROUP BY name ORDER BY name"
        counts = dict(self._ask(query))
        return [name for name, count in counts.items() if count < max(counts.values())]

    def state(self) -> str:
        """The same as long as nothing is enrolled or removed."""
        ((value,),) = self._ask("SELECT value FROM about WHERE key = 'state'")
        return str(value)

    def index(self) -> Index:
        """What search needs, read into memory."""
        rows = self._ask("SELECT source, value FROM vector ORDER BY source, change")
        owners = [source for source, _ in rows]
        starts = [i for i, owner in enumerate(owners) if i == 0 or owner != owners[i - 1]]
        vectors = _unpack(b"".join(value for _, value in rows), len(rows)) if rows else np.empty((0, 0), np.float32)
        return Index(tuple(owners[i] for i in starts), vectors, np.array(starts, int))

    def vectors(self) -> tuple[tuple[str, ...], np.ndarray]:
        """Names of the sources and the unit vector of each, float32 ``(n, e)``, of its images as they are."""
        query = "SELECT source, value FROM vector WHERE change = ? ORDER BY source"
        rows = self._ask(query, _AS_ENROLLED)
        vectors = _unpack(b"".join(value for _, value in rows), len(rows)) if rows else np.empty((0, 0), np.float32)
        return tuple(source for source, _ in rows), vectors

    def fingerprints(self, names: Iterable[str] | None = None, conditions: bool = True) -> dict[str, Fingerprint]:
        """The fingerprint of each source, by name; of all sources, or of those named that are enrolled.

        Args:
            names: of the sources.
            conditions: whether also in those that are not the original.
        """
        with self._snapshot() as connection:
            wanted = sorted(self.counts() if names is None else names)
            found = {name: self._read(connection, name, conditions) for name in wanted}
        return {name: fingerprint for name, fingerprint in found.items() if fingerprint}

    def _read(self, connection: sqlite3.Connection, name: str, conditions: bool = True) -> Fingerprint | None:
        query = "SELECT rows, features, digests, sha256 FROM source WHERE name = ?"
        row = connection.execute(query, (name,)).fetchone()
        if row is None:
            return None
        rows, values, digests, sha256 = row
        query = "SELECT change, features, sha256 FROM history WHERE source = ? ORDER BY rowid"
        after = connection.execute(query, (name,)).fetchall() if conditions else []
        if digest(values + digests.encode()) != sha256 or any(digest(packed) != stated for _, packed, stated in after):
            raise Damaged(f"the features of {name} are not those that were enrolled")
        fingerprinter = self.model.fingerprinter
        return Fingerprint(
            name, _unpack(values, rows), tuple(json.loads(digests)), fingerprinter.extractor_id, fingerprinter.parts,
            conditions={condition: _unpack(packed, rows) for condition, packed, _ in after},
        )  # fmt: skip


def _pack(values: np.ndarray) -> bytes:
    return values.astype("<f4").tobytes()


def _unpack(values: bytes, rows: int) -> np.ndarray:
    return np.frombuffer(values, "<f4").reshape(rows, -1)
