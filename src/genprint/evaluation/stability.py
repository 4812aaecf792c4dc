"""Stability: whether fingerprints of disjoint sets of one source agree, and those of different sources do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA

from genprint.baselines.frechet import frechet_distance
from genprint.evaluation.intervals import Mean, over_sources
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.words import counted

_DIMENSIONS = 32


@dataclass(frozen=True)
class Stability:
    """Of fingerprints of sets of one size.

    Attributes:
        within: cosine between fingerprints of disjoint sets of one source.
        between: cosine between those of different sources; a collapsed map has 1 in both.
        ratio: mean Frechet distance between sources' fingerprints over that between halves of one source's (FDR);
            1 where sources cannot be told apart.
        sets: disjoint sets of the source that has fewest.
    """

    within: Mean
    between: Mean
    ratio: float
    sets: int


def stability(
    fingerprints: Mapping[str, Fingerprint], fingerprinter: Fingerprinter, size: int, seed: int = 0
) -> Stability:
    """Cuts each source's images, in random order, into disjoint sets of ``size``.

    Raises:
        ValueError: a source has too few images for four sets.
    """
    rng = np.random.default_rng([seed, size])
    vectors = []
    for name, source in fingerprints.items():
        count = len(source) // size
        if count < 4:
            raise ValueError(f"{name}: {counted(len(source), 'image')}: too few for four sets of {size}")
        parts = np.split(rng.permutation(len(source))[: count * size], count)
        vectors.append(np.stack([fingerprinter.embed(source[part]) for part in parts]))
    means = np.stack([rows.mean(0) for rows in vectors])
    counts = np.array([len(rows) for rows in vectors])
    # The mean cosine of different vectors of one source, from their sum: |sum|^2 = n + n (n - 1) cosine.
    within = (counts * np.square(means).sum(1) - 1) / (counts - 1)
    cross = means @ means.T
    between = (cross.sum(1) - np.diag(cross)) / (len(means) - 1)
    return Stability(
        over_sources(within, seed), over_sources(between, seed), _distance_ratio(vectors), int(counts.min())
    )


def _distance_ratio(vectors: list[np.ndarray]) -> float:
    """Frechet distance between sources over that between halves, in the vectors' principal components.

    Covariances are shrunk by half to the common one.

    The halves of a source are as large as what is compared between sources, so that size alone makes no difference.
    """
    reduced = PCA(min(_DIMENSIONS, *np.concatenate(vectors).shape), random_state=0).fit(np.concatenate(vectors))
    vectors = [reduced.transform(rows) for rows in vectors]
    halves = [(rows[::2], rows[1::2]) for rows in vectors]
    common = np.mean([np.cov(rows, rowvar=False) for rows in vectors], axis=0)
    moments = [[(part.mean(0), (np.cov(part, rowvar=False) + common) / 2) for part in pair] for pair in halves]
    same = np.mean([frechet_distance(*a, *b) for a, b in moments])
    apart = [frechet_distance(*moments[i][0], *moments[j][1]) for i in range(len(moments)) for j in range(i)]
    return float(np.mean(apart) / same)
