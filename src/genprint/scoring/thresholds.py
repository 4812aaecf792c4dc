"""Thresholds with a stated rate of error, and as much as the data supports of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint

# Sizes of sets that are calibrated for; others go by the nearest.
SIZES = (1, 2, 5, 10, 20, 50)


def smallest_rate(sources: int) -> float:
    """The smallest rate of error over sources that so many calibration sources support: 1 / (sources + 1)."""
    return 1 / (sources + 1)


def upper_threshold(scores: Sequence[np.ndarray], rate: float) -> float:
    """The score that a fresh source's score exceeds with at most the given probability.

    ``scores`` has the scores of each calibration source, any number of each. If the fresh source is exchangeable with
    them, the bound holds: their distributions are averaged and one more source counts as exceeding
    everything (Dunn, Wasserman & Ramdas, "Distribution-free prediction sets for two-layer hierarchical models",
    2022, pooling of CDFs).

    Raises:
        ValueError: the rate is below what so many sources support.

    Example:
        >>> upper_threshold([np.array([1.0, 3.0]), np.array([2.0]), np.array([0.5])], rate=0.25)
        3.0
    """
    if rate < smallest_rate(len(scores)) - 1e-12:
        raise ValueError(f"{len(scores)} sources support no rate below {smallest_rate(len(scores)):.3g}")
    pooled = np.concatenate(scores)
    weights = np.concatenate([np.full(len(values), 1 / len(values)) for values in scores]) / (len(scores) + 1)
    order = np.argsort(pooled)[::-1]
    # Going down from the largest: how much of a fresh source would lie above each value.
    above = smallest_rate(len(scores)) + np.concatenate([[0.0], np.cumsum(weights[order])[:-1]])
    return float(pooled[order][np.nonzero(above <= rate + 1e-12)[0][-1]])


def disjoint_subsets(fingerprint: Fingerprint, size: int, most: int, rng: np.random.Generator) -> list[Fingerprint]:
    """Up to ``most`` disjoint subsets of ``size`` images each; of fewer images, the one set there is."""
    order = rng.permutation(len(fingerprint))
    count = max(1, min(most, len(fingerprint) // size))
    return [fingerprint[order[i * size : (i + 1) * size]] for i in range(count)]
