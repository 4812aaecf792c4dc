"""The header control: what files say of themselves alone. What it can do is not a fingerprint."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.spatial.distance import cdist

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.images.decoding import FileFacts, Image
from genprint.scoring.base import Comparer

_NUMBERS, _PLACES = 4, 508
# What it counts that more of a source's images are as near: less than any difference of headers that matters.
_SHARE = 0.01


class Header(Fingerprinter):
    """What an image's file says: numbers, and one place for each entry, by a hash of it.

    Numbers: height and width (logarithms to base two), quality (of 100), WebP's quantiser (of 127). Entries: format,
    mode (RGB, P for a palette, ...), a JPEG's subsampling and tables, and each name in the metadata. Images of arrays,
    and images after a processing, have their size alone.
    """

    method = "header"

    def _features(self, images: Sequence[Image]) -> np.ndarray:
        return np.stack([_row(image) for image in images])

    def _vector(self, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:  # noqa: ARG002
        return mean / max(float(np.linalg.norm(mean)), 1e-12)


class NearestHeader(Comparer):
    """Nearest neighbour by headers.

    Two headers are as far apart as their numbers differ, all together, and one more for each entry that only one of
    them has. An image scores minus the distance to the nearest enrolled image of a source, and, as images of many
    sources have the same header, a hundredth of the share of the source's images that are as near. A set scores the
    mean over its images.
    """

    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        # Headers are few: each is compared once.
        asked, owners = np.unique(np.concatenate([probe.values for probe in probes]), axis=0, return_inverse=True)
        scores = np.empty((len(asked), len(gallery)))
        for i, source in enumerate(gallery):
            known, counts = np.unique(source.values, axis=0, return_counts=True)
            apart = cdist(asked, known, "cityblock")
            nearest = apart.min(1)
            as_near = (apart <= nearest[:, None] + 1e-6) @ counts / len(source)
            scores[:, i] = _SHARE * as_near - nearest
        sizes = np.array([len(probe) for probe in probes])
        starts = np.cumsum([0, *sizes[:-1]])
        means: np.ndarray = np.add.reduceat(scores[owners.ravel()], starts) / sizes[:, None]
        return means.round(9)  # sources with the same headers score alike, in whatever order these come


def _row(image: Image) -> np.ndarray:
    row = np.zeros(_NUMBERS + _PLACES, np.float32)
    row[:2] = np.log2(image.pixels.shape[:2])
    if image.facts:
        row[2:_NUMBERS] = (image.facts.quality or 0) / 100, (image.facts.quantiser or 0) / 127
        for entry in _entries(image.facts):
            row[_NUMBERS + zlib.crc32(entry.encode()) % _PLACES] = 1
    return row


def _entries(facts: FileFacts) -> Iterator[str]:
    """What a header says beside numbers."""
    yield f"format {facts.format}"
    yield f"mode {facts.mode}"
    if facts.subsampling:
        yield f"subsampling {facts.subsampling}"
    if facts.format == "JPEG":
        yield f"tables {facts.tables or facts.quality}"
    for name in facts.metadata:
        yield f"metadata {name}"
