"""Thresholds with a stated error rate over sources, as low as the number of sources supports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint

# Set sizes, in images, at which thresholds and calibrations are fitted.
SIZES = (1, 2, 5, 10, 20, 50)


def smallest_rate(sources: int) -> float:
    """The smallest rate of error over sources that so many calibration sources support: 1 / (sources + 1)."""
    return 1 / (sources + 1)


def upper_threshold(scores: Sequence[np.ndarray], rate: float) -> float:
    """The score that a fresh source's score exceeds with at most the given probability.

    The bound holds if the fresh source is exchangeable with the calibration sources: their distributions are averaged,
    and one more source counts as exceeding everything (Dunn, Wasserman & Ramdas, "Distribution-free prediction sets for
    two-layer hierarchical models", 2022, pooling of CDFs).

    Args:
        scores: of each calibration source, float arrays ``(n_source,)``.
        rate: probability that the fresh source may exceed the threshold.

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
