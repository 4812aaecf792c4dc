"""Originals: enrolled images as they were, kept beside a gallery so that it can be had in any condition later.

They are in a file of their own, which can be left out, deleted or kept elsewhere: they show pictures, fingerprints do
not.
"""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard, TypeVar

from PIL import Image as Pillow

from genprint.fingerprints.cache import Cache
from genprint.fingerprints.conditions import KEPT
from genprint.fingerprints.fingerprint import OriginalsError
from genprint.fingerprints.originals import Images
from genprint.images.decoding import Content, Image, Unusable, decode
from genprint.images.members import Member
from genprint.images.sets import ImageSet
from genprint.storage.files import digest
from genprint.storage.sqlite import open_database

if TYPE_CHECKING:
    from genprint.fingerprints.fingerprinter import Fingerprinter

Found = TypeVar("Found")
#: Bytes of a source's originals, at most. Of an image that is larger than its share, a part is kept.
KEPT_BYTES = 2**24
_SIDE, _GRID = 384, 16  # px of such a part, noise even; chroma blocks of JPEG lie in it as they lay in the image
_TABLES = """
CREATE TABLE IF NOT EXISTS original (
    source TEXT NOT NULL, image TEXT NOT NULL, content BLOB NOT NULL, sha256 TEXT NOT NULL, side INTEGER NOT NULL,
    PRIMARY KEY (source, image)
);
"""


@dataclass(frozen=True)
class KeptImages:
    """Kept images of one source, named by the digests that they were enrolled under."""

    path: Path
    source: str
    images: tuple[str, ...]

    def __iter__(self) -> Iterator[Member]:
        with _opened(self.path) as connection:
            for image in self.images:
                yield image, partial(self._read, connection, image)

    def _read(self, connection: sqlite3.Connection, image: str) -> Content:
        query = "SELECT content, sha256 FROM original WHERE source = ? AND image = ?"
        row: tuple[bytes, str] | None = connection.execute(query, (self.source, image)).fetchone()
        if row is None:
            raise Unusable(f"no longer among the originals in {self.path}")
        if digest(row[0]) != row[1]:
            raise Unusable(f"changed in {self.path} since it was enrolled")
        return row[0]


class OriginalsStore:
    """The originals of a gallery's sources, in one SQLite file; it is made with the first that is kept.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path):
        self.path = path

    def check(self) -> None:
        """Makes the file if it is not there.

        Raises:
            OriginalsError: it cannot be used.
        """
        with _opened(self.path):
            pass

    def keep(self, source: str, images: ImageSet, names: Mapping[str, str]) -> None:
        """Keeps images of a source: the first ``KEPT`` by digest, together with what is kept of it already.

        Args:
            source: its name.
            images: where they are.
            names: of the images in that set, by digest.

        Raises:
            OriginalsError: the file cannot be written.
        """
        had = set(self.contents(source))
        wanted = set(sorted(had | names.keys())[:KEPT])
        fresh = list(_read(images.only(names[image] for image in wanted - had), wanted - had))
        with _opened(self.path) as connection:
            connection.execute("BEGIN IMMEDIATE")
            gone = [(source, image) for image in had - wanted]
            connection.executemany("DELETE FROM original WHERE source = ? AND image = ?", gone)
            rows = [(source, image, content, digest(content), side) for image, content, side in fresh]
            connection.executemany("INSERT OR REPLACE INTO original VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")

    def remove(self, source: str) -> None:
        """Erases a source's originals: they cannot be read from the file any more."""
        if self.path.exists():
            with _opened(self.path) as connection:
                connection.execute("DELETE FROM original WHERE source = ?", (source,))
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def contents(self, source: str) -> dict[str, str]:
        """SHA-256 of what is kept of each of a source's images, by the digest it was enrolled under."""
        query = "SELECT image, sha256 FROM original WHERE source = ? ORDER BY image"
        return self._ask(lambda connection: dict(connection.execute(query, (source,)).fetchall()), {})

    def behind(self, fingerprinter: Fingerprinter, cache: Cache | None) -> dict[str, tuple[Images, ...]]:
        """What is kept of every source, as fingerprints have it, by its name."""
        query = "SELECT source, image, sha256, side FROM original ORDER BY source, image"
        rows: list[tuple[str, str, str, int]] = self._ask(lambda connection: connection.execute(query).fetchall(), [])
        made: dict[str, tuple[Images, ...]] = {}
        for source, own in groupby(rows, key=lambda row: row[0]):
            _, digests, contents, sides = zip(*own, strict=True)
            images = ImageSet(source, KeptImages(self.path, source, digests), str(self.path))
            named, kept = dict(zip(digests, digests, strict=True)), dict(zip(digests, contents, strict=True))
            made[source] = (Images(fingerprinter, images, named, cache, sides, kept),)
        return made

    def sizes(self) -> dict[str, tuple[int, int]]:
        """How many images are kept of each source, and their bytes."""
        query = "SELECT source, count(*), sum(length(content)) FROM original GROUP BY source"
        return self._ask(lambda asked: {name: (count, size) for name, count, size in asked.execute(query)}, {})

    def _ask(self, ask: Callable[[sqlite3.Connection], Found], nothing: Found) -> Found:
        if not self.path.exists():
            return nothing
        with _opened(self.path) as connection:
            return ask(connection)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(open_database(path, _TABLES)) as connection:
            connection.execute("PRAGMA secure_delete=ON")
            yield connection
    except (sqlite3.Error, OSError) as error:
        raise OriginalsError(
            f"{path}: cannot be used as the originals of a gallery ({error}); remove it, and enroll anew"
        ) from None


def _read(images: ImageSet, wanted: set[str]) -> Iterator[tuple[str, bytes, int]]:
    """Digest of each wanted image, what is kept of it, and its longer side.

    Kept is its file, or of a large one a part, without loss.
    """
    for name, read in images.members:
        try:
            content = read()
            image = decode(name, content)
        except Unusable:
            continue  # as it was left out when it was fingerprinted
        if image.sha256 in wanted:
            wanted = wanted - {image.sha256}
            yield image.sha256, content if _small(content) else _part(image), max(image.pixels.shape)


def _small(content: Content) -> TypeGuard[bytes]:
    return isinstance(content, bytes) and len(content) <= KEPT_BYTES // KEPT


def _part(image: Image) -> bytes:
    """The middle of an image as PNG, its edges on the grid."""
    height, width = image.pixels.shape[:2]
    top, left = (max(0, side - _SIDE) // 2 // _GRID * _GRID for side in (height, width))
    buffer = io.BytesIO()
    Pillow.fromarray(image.pixels[top : top + _SIDE, left : left + _SIDE]).save(buffer, "PNG")
    return buffer.getvalue()
