"""Thresholds with a stated rate of error, and as much as the data supports of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from genprint.fingerprint import Features

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
    values = np.concatenate(scores)
    weights = np.concatenate([np.full(len(own), 1 / len(own)) for own in scores]) / (len(scores) + 1)
    order = np.argsort(values)[::-1]
    # Going down from the largest: how much of a fresh source would lie above each value.
    above = smallest_rate(len(scores)) + np.concatenate([[0.0], np.cumsum(weights[order])[:-1]])
    return float(values[order][np.nonzero(above <= rate + 1e-12)[0][-1]])


def disjoint_subsets(features: Features, size: int, most: int, rng: np.random.Generator) -> list[Features]:
    """Up to ``most`` disjoint subsets of ``size`` images each; of fewer images, the one set there is."""
    order = rng.permutation(len(features))
    count = max(1, min(most, len(features) // size))
    return [features[order[i * size : (i + 1) * size]] for i in range(count)]


def relative_evidence(ratios: np.ndarray) -> np.ndarray:
    """How much better each source explains a probe than all the others and an unknown one together.

    Alone, a log ratio against an unknown source depends on the probe's content; against its rivals, it does not.
    Its inverse hyperbolic sine is taken, for a Gaussian's log ratios of large sets are far too sure of themselves.

    Args:
        ratios: log ratios of probes against an unknown source, ``(n, sources)``.

    Returns:
        ``(n, sources)``
    """
    with_unknown = np.hstack([ratios, np.zeros((len(ratios), 1))])
    before = np.logaddexp.accumulate(with_unknown, axis=1)[:, :-2]
    after = np.logaddexp.accumulate(with_unknown[:, ::-1], axis=1)[:, -2::-1]
    rivals = np.logaddexp(np.hstack([np.full((len(ratios), 1), -np.inf), before]), after)
    return np.arcsinh((ratios - rivals) / 5)


@dataclass(frozen=True)
class LikelihoodRatio:
    """Turns evidence into a likelihood ratio by logistic regression (Brummer & du Preez, 2006).

    Attributes:
        slope: of the natural log of the ratio over the evidence.
        intercept: at no evidence.
        sources: it was calibrated on. The ratio is kept within as many to one, either way: no more was seen.
    """

    slope: float
    intercept: float
    sources: int

    @classmethod
    def fit(cls, same: Sequence[np.ndarray], different: Sequence[np.ndarray]) -> Self:
        """From evidence for the true source of probes, and for another one; of each source one array."""
        from sklearn.linear_model import LogisticRegression

        values = np.concatenate([*same, *different])
        truth = np.repeat([1, 0], [sum(map(len, same)), sum(map(len, different))])
        weights = np.concatenate(
            [np.full(len(own), 1 / len(kind) / len(own)) for kind in (same, different) for own in kind]
        )
        model = LogisticRegression(C=1e3).fit(values[:, None], truth, weights * len(values) / 2)
        return cls(float(model.coef_[0, 0]), float(model.intercept_[0]), len(same))

    @property
    def cap(self) -> float:
        """Largest log10 of the ratio."""
        return float(np.log10(self.sources))

    def log10(self, evidence: np.ndarray) -> np.ndarray:
        """Log10 of the ratio, capped."""
        return ((self.slope * evidence + self.intercept) / np.log(10)).clip(-self.cap, self.cap)
