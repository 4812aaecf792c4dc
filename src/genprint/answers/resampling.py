"""Sources as they might have been with other images: what says how sure a tree is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Progress

Resampled = Iterator[list[Fingerprint]]


def bootstrapped(sources: Sequence[Fingerprint], count: int, seed: int, progress: Progress | None = None) -> Resampled:
    """The sources with their images drawn with replacement, ``count`` times (Efron, 1979).

    An image that is drawn twice counts twice in the mean, and is one image still. The mean of ``n`` images drawn from
    ``n`` varies about that of the source as the mean of ``n / 2`` does: once by which images there were, once by which
    were drawn. For distances that allow for the number of images, a drawn set therefore is one of ``n / 2``: of pairs
    of drawn images, brought to vary as single ones do about the mean of all that were drawn.
    """

    def draw(source: Fingerprint, rng: np.random.Generator) -> Fingerprint:
        worth = max(1, len(source) // 2)
        pairs = source.values[rng.integers(len(source), size=(worth, 2))].mean(1)
        mean = pairs.mean(0)
        return replace(source[np.arange(worth)], features=mean + np.sqrt(2, dtype=pairs.dtype) * (pairs - mean))

    return _each(sources, count, seed, progress, draw)


def halves(sources: Sequence[Fingerprint], count: int, seed: int, progress: Progress | None = None) -> Resampled:
    """Random halves of the sources' images, ``count`` times: without replacement, so that none counts twice."""

    def draw(source: Fingerprint, rng: np.random.Generator) -> Fingerprint:
        return source[rng.permutation(len(source))[: max(1, len(source) // 2)]]

    return _each(sources, count, seed, progress, draw)


def _each(
    sources: Sequence[Fingerprint],
    count: int,
    seed: int,
    progress: Progress | None,
    draw: Callable[[Fingerprint, np.random.Generator], Fingerprint],
) -> Resampled:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield [draw(source, rng) for source in sources]
        if progress:
            progress(1)


#: How images are drawn, by name.
RESAMPLINGS = {"bootstrap": bootstrapped, "halves": halves}
