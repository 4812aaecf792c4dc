"""Enrolled sources, in one SQLite file that several processes may use at once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genprint.errors import GenprintError
from genprint.fingerprints.cache import Cache, CacheError
from genprint.fingerprints.fingerprint import Fingerprint, Originals, check_extractors, side_of
from genprint.fingerprints.originals import Images
from genprint.gallery import features, looks, outlines, saved
from genprint.gallery.enrolling import merge
from genprint.gallery.index import Index
from genprint.gallery.maker import Maker
from genprint.gallery.originals import OriginalsStore
from genprint.storage.sqlite import open_database, tables_of

if TYPE_CHECKING:
    from genprint.model import Model

#: Bytes of a gallery's cache, at most.
CACHED_BYTES = 2**30

_TABLES = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT OR IGNORE INTO about VALUES ('state', hex(randomblob(16)));
"""
_TABLES += features.TABLES + saved.TABLE + looks.TABLE + outlines.TABLE


class GalleryError(GenprintError, RuntimeError):
    """The gallery cannot be used as asked."""


class NotEnough(GenprintError, ValueError):
    """Too few sources are enrolled for what was asked."""


class GalleryStore:
    """Named sources with the features of their images, made by one model.

    Features of single images are kept, not only their moments: thresholds need sets of the probe's size. Beside the
    file are perhaps others: ``FILE.originals`` with images, so that the sources can be had in other conditions, and
    ``FILE.cache`` with what was worked out from them, which is safe to delete.

    Args:
        path: of the SQLite file; None keeps the gallery in memory.
        model: a gallery that was made with another extractor is refused. None: sources can be listed and removed.

    Raises:
        GalleryError: the file is not a gallery, or was made with another extractor.
    """

    def __init__(self, path: str | Path | None, model: Model | None):
        self.path = str(path) if path else ":memory:"
        self._model = model
        self._kept = OriginalsStore(Path(f"{path}.originals")) if path else None
        self._at_hand: dict[str, tuple[Originals, ...]] = {}  # of a gallery in memory
        try:
            tables = set() if self.in_memory else tables_of(self.path)
            if tables and not {"about", "source"} <= tables:
                raise GalleryError(f"{self.path}: a database of something else, not a gallery; give another file")
            self._connection = open_database(self.path, _TABLES)
            if model:
                self._check_extractor(model, bind=self.maker.bound)
        except sqlite3.Error as error:
            why = (
                "it is a folder; give the file that its sources were enrolled in" if Path(self.path).is_dir() else error
            )
            raise GalleryError(f"{self.path}: cannot be opened as a gallery: {why}") from None

    @property
    def model(self) -> Model:
        """What fingerprints and compares."""
        if self._model is None:
            raise GalleryError(f"{self.path}: was opened without a model")
        return self._model

    @cached_property
    def cache(self) -> Cache | None:
        """What was worked out from the gallery; the model's own cache if it has one, None if none can be written."""
        if self._model and self._model.cache:
            return self._model.cache
        try:
            return None if self.in_memory else Cache(f"{self.path}.cache", CACHED_BYTES)
        except CacheError:
            return None

    def _check_extractor(self, model: Model, bind: bool) -> None:
        """Refuses a model of another extractor; if so wanted, refuses all others from now on."""
        maker = self.maker
        if not maker.fits(model):
            raise GalleryError(
                f"{self.path}: enrolled with another model: its features are of {maker.features}, and now they "
                f"would be of {model.fingerprinter.extractor_id}. Give that model with --model, or enroll the images "
                "anew in another file"
            )
        if bind:
            maker.bind(model)

    @property
    def maker(self) -> Maker:
        """Which model it is enrolled with."""
        with self._reading():
            return Maker.of(self._connection)

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
        except (sqlite3.Error, features.Damaged) as error:
            raise GalleryError(
                f"{self.path}: damaged ({error}); take a copy of it from before, or enroll anew"
            ) from None

    def _ask(self, query: str, *values: object) -> list[Any]:
        with self._reading():
            return self._connection.execute(query, values).fetchall()

    def add(self, name: str, fingerprint: Fingerprint, originals: bool = True) -> int:
        """Adds a source, or images to one that is there; ``merge`` says what is kept.

        Returns:
            How many images were added.
        """
        return self.add_all([(name, fingerprint)], originals)[name]

    def add_all(self, sources: Iterable[tuple[str, Fingerprint]], originals: bool = True) -> dict[str, int]:
        """The same for many sources: all of them, or, if anything goes wrong, none.

        Args:
            sources: names and fingerprints.
            originals: whether images are kept, too, as far as the fingerprints have them.

        Returns:
            How many images were added to each.
        """
        sources = list(sources)
        if originals and self._kept and any(fingerprint.originals for _, fingerprint in sources):
            self._kept.check()
        model = self.model
        with self._change() as connection:
            self._check_extractor(model, bind=True)
            added = {name: self._add(connection, name, fingerprint) for name, fingerprint in sources}
        for name, fingerprint in sources if originals else []:
            self._keep_originals(name, fingerprint)
        return added

    def _add(self, connection: sqlite3.Connection, name: str, fingerprint: Fingerprint) -> int:
        if not name:
            raise GalleryError("a source needs a name")
        check_extractors(self.path, self.model.fingerprinter.extractor_id, name, fingerprint.extractor)
        kept, added = merge(self._read(connection, name, Maker.of(connection)), fingerprint)
        if kept is not None:
            features.write(connection, name, kept, self.model.fingerprinter.embed(kept))
            saved.write(connection, name, kept.facts)
            looks.write(connection, name, kept.looks)
        return added

    def _read(self, connection: sqlite3.Connection, name: str, maker: Maker) -> Fingerprint | None:
        found = features.read(connection, name, maker.features, self.model.fingerprinter.parts)
        if found is None:
            return None
        facts, seen = saved.read(connection, name, len(found)), looks.read(connection, name, len(found))
        return replace(found, facts=facts, looks=seen)

    def _keep_originals(self, name: str, fingerprint: Fingerprint) -> None:
        if self._kept is None:
            self._at_hand[name] = self._at_hand.get(name, ()) + fingerprint.originals
            return
        for one in fingerprint.originals:
            if isinstance(one, Images):
                shown = {image: one.names[image] for image in fingerprint.digests if image in one.names}
                self._kept.keep(name, one.images, shown)

    def _originals(self, caching: bool = True) -> Mapping[str, tuple[Originals, ...]]:
        """Of each source that there are any of; what is made of them is kept, if so wanted."""
        if self._kept is None:
            return self._at_hand
        return self._kept.behind(self._model.fingerprinter, self.cache if caching else None) if self._model else {}

    def remove(self, name: str) -> None:
        """Removes a source, and erases its originals.

        Raises:
            GalleryError: it is not enrolled.
        """
        with self._change() as connection:
            digests = connection.execute("SELECT digests FROM source WHERE name = ?", (name,)).fetchone()
            if not connection.execute("DELETE FROM source WHERE name = ?", (name,)).rowcount:
                raise GalleryError(f"{name}: not enrolled in {self.path}")
            self._at_hand.pop(name, None)
            contents = self._kept.contents(name) if self._kept else {}
            if self._kept:
                self._kept.remove(name)
            if not self.in_memory and Path(f"{self.path}.cache").exists():
                cache = Cache(f"{self.path}.cache", CACHED_BYTES)
                cache.forget([*json.loads(digests[0]), *contents.values()])  # of parts of large images, too

    def originals(self) -> dict[str, tuple[int, int]]:
        """How many images of each source are kept as originals in the gallery's folder, and their bytes."""
        return self._kept.sizes() if self._kept else {}

    def __len__(self) -> int:
        """Number of sources."""
        ((count,),) = self._ask("SELECT count(*) FROM source")
        return int(count)

    def counts(self) -> dict[str, int]:
        """Number of images of each source, by name."""
        return dict(self._ask("SELECT name, rows FROM source ORDER BY name"))

    def lacking_originals(self) -> list[str]:
        """Names of sources without originals. If there are any, probes are compared in the original condition alone."""
        kept = self._originals()
        return [name for name in self.counts() if not kept.get(name)]

    def state(self) -> str:
        """The same as long as nothing is enrolled or removed."""
        ((value,),) = self._ask("SELECT value FROM about WHERE key = 'state'")
        return str(value)

    def index(self) -> Index:
        """What search needs, read into memory."""
        with self._reading():
            owners, vectors = features.vectors(self._connection)
        starts = [i for i, owner in enumerate(owners) if i == 0 or owner != owners[i - 1]]
        return Index(tuple(owners[i] for i in starts), vectors, np.array(starts, int))

    def vectors(self) -> tuple[tuple[str, ...], np.ndarray]:
        """Names of the sources and the unit vector of each, float32 ``(n, e)``, of its images as they are."""
        with self._reading():
            return features.vectors(self._connection, features.AS_ENROLLED)

    def fingerprints(self, names: Iterable[str] | None = None, caching: bool = True) -> dict[str, Fingerprint]:
        """The fingerprint of each source, by name; of all sources, or of those named that are enrolled.

        Args:
            names: of sources.
            caching: whether what is made of originals later is kept in ``cache``, which that makes if it is not there.
        """
        with self._snapshot() as connection:
            wanted = sorted(self.counts() if names is None else names)
            maker = Maker.of(connection)
            found = {name: self._read(connection, name, maker) for name in wanted}
        kept = self._originals(caching)
        return {name: replace(own, originals=kept.get(name, ())) for name, own in found.items() if own}

    def outlines(self) -> list[outlines.Outline]:
        """What a look at the gallery needs of each source; what is not kept yet, is made and kept."""
        originals, model = self._originals(caching=False), self.model
        with self._reading(), self._change() as connection:
            read = partial(self._read, connection, maker=Maker.of(connection))
            every = outlines.read(connection, model.identity, model.scorer, read)
        return [replace(one, side=side_of(originals.get(one.source, ()))) for one in every]
