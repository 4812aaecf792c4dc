"""Distances that two kinds of evidence agree on: what the encoder sees, and the mean spectrum of the same images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint, OriginalsError
from genprint.fingerprints.residuals import half_spectrum, middle, to_pixels
from genprint.images.decoding import Image
from genprint.scoring.base import Scorer


def by_rank(apart: np.ndarray, known: int | None = None) -> np.ndarray:
    """Distances ``(n, n)`` as ranks, 0 to 1: which share of sources is nearer to one of a pair, the mean of both.

    Ranks are among the first ``known`` sources, or all: so, sources that are added change nothing between others.
    Distances of different units can be added so.
    """
    count = len(apart) if known is None else known
    own = np.empty_like(apart)
    for i, row in enumerate(apart):
        others = np.sort(np.delete(row[:count], i) if i < count else row[:count])
        own[i] = np.searchsorted(others, row, "left") + np.searchsorted(others, row, "right") + 1
    ranks: np.ndarray = (own + own.T) / 4 / count
    np.fill_diagonal(ranks, 0)
    return ranks


def consensus(parts: Sequence[np.ndarray], known: int | None = None) -> np.ndarray:
    """The mean of distances by rank, ``(n, n)``."""
    mean: np.ndarray = np.mean([by_rank(one, known) for one in parts], axis=0)
    return mean


def spectra(sources: Sequence[Fingerprint]) -> list[Fingerprint]:
    """Log spectra of the residuals of the same images, as far as their originals are at hand.

    (Zhang et al., "Detecting and Simulating Artifacts in GAN Fake Images", WIFS 2019.) Where images differ
    in size, of the middle that all have, begun on the 8-px grid.

    Raises:
        OriginalsError: of a source, no image is at hand.
    """
    side = min((min(image.pixels.shape[:2]) for source in sources for image in _images(source)), default=0)
    found = []
    for source in sources:
        order = {digest: i for i, digest in enumerate(source.digests)}
        rows = {}
        for image in _images(source):
            rows[order[image.sha256]] = half_spectrum(to_pixels(middle(image.pixels, side)[None]))[0]
        if not rows:
            raise OriginalsError(f"{source.source}: no original is kept, of which a spectrum could be made")
        kept = sorted(rows)
        values = np.stack([rows[i] for i in kept])
        found.append(replace(source[kept], features=values, extractor=f"spectrum {side}", parts=1, originals=()))
    return found


def _images(source: Fingerprint) -> Iterator[Image]:
    """The images of a source whose originals are at hand, each once."""
    left = set(source.digests)
    for one in source.originals:
        wanted = sorted(left.intersection(one.digests))
        left -= set(wanted)
        yield from one.read(wanted)


def distances(
    scorer: Scorer, sources: Sequence[Fingerprint], along: Sequence[Fingerprint] = (), known: int | None = None
) -> np.ndarray:
    """Distances ``(n, n)`` by an adapted scorer; with spectra, the consensus with their correlation."""
    apart = scorer.distances(sources)
    if not along:
        return apart
    correlated = np.corrcoef(np.stack([spectrum.mean for spectrum in along]))
    return consensus([apart, (1 - correlated).clip(0)], known)
