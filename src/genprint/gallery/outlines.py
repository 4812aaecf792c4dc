"""Outlines of enrolled sources: what a look at a gallery needs of each, so that it need not read all features."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.gallery import saved
from genprint.images.decoding import FileFacts

if TYPE_CHECKING:
    from genprint.scoring.base import Scorer
    from genprint.scoring.twins import Centre

#: Beside the sources' table: what is removed or changed there, is removed here.
TABLE = """
CREATE TABLE IF NOT EXISTS centre (
    source TEXT PRIMARY KEY REFERENCES source (name) ON DELETE CASCADE, model TEXT NOT NULL, noise REAL NOT NULL,
    mean BLOB NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, eq=False)
class Outline:
    """What is looked at of a source.

    Attributes:
        source: its name.
        digests: SHA-256 of each image's file.
        facts: what each image's file says of how it was saved, where that is known.
        side: the median of the images' longer sides, in pixels, where that is known.
        centre: of their features; None of few images, or by a scorer that has learned nothing.
    """

    source: str
    digests: tuple[str, ...]
    facts: tuple[FileFacts | None, ...]
    side: float | None
    centre: Centre | None

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.digests)

    @classmethod
    def of(cls, fingerprint: Fingerprint, scorer: Scorer) -> Outline:
        """Of a fingerprint with the features of its images."""
        from genprint.scoring.twins import Centre

        centre = Centre.of(scorer.whiten(fingerprint.values)) if _judged(scorer, fingerprint.count) else None
        return cls(fingerprint.source, fingerprint.digests, fingerprint.facts, fingerprint.side, centre)


def _judged(scorer: Scorer, images: int) -> bool:
    """Whether a source of so many images has a centre."""
    from genprint.scoring.twins import FEWEST  # here, because a gallery can be listed without what scores

    return scorer.learned and images >= FEWEST


def read(
    connection: sqlite3.Connection, model: str, scorer: Scorer, fingerprint: Callable[[str], Fingerprint | None]
) -> list[Outline]:
    """The outline of every source, without sides; centres that are not there yet are made, and kept.

    Args:
        connection: to the gallery, in a transaction.
        model: identity of the model that the scorer is of.
        scorer: not adapted.
        fingerprint: that of a source, by its name.
    """
    from genprint.scoring.twins import Centre

    query = """
    SELECT source.name, source.rows, source.digests, centre.noise, centre.mean
    FROM source LEFT JOIN centre ON centre.source = source.name AND centre.model = ? ORDER BY source.name
    """
    found = []
    for name, images, digests, noise, mean in connection.execute(query, (model,)).fetchall():
        if mean is None and _judged(scorer, images) and (known := fingerprint(name)):
            found.append(Outline.of(known, scorer))
            _write(connection, model, found[-1])
            continue
        centre = None if mean is None else Centre(np.frombuffer(mean, "<f8"), noise)
        found.append(Outline(name, tuple(json.loads(digests)), saved.read(connection, name, images), None, centre))
    return found


def _write(connection: sqlite3.Connection, model: str, outline: Outline) -> None:
    if outline.centre:
        row = (outline.source, model, outline.centre.noise, outline.centre.mean.astype("<f8").tobytes())
        connection.execute("INSERT OR REPLACE INTO centre VALUES (?, ?, ?, ?)", row)
