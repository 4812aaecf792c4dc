"""Thresholds with a stated rate of error, and as much as the data supports of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from genprint.fingerprints.fingerprint import Features

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


def evidence(ratios: np.ndarray) -> np.ndarray:
    """How much better each source explains a probe than all others and an unknown one together, and than that alone.

    The log ratio against an unknown source alone depends on the probe's content; against its rivals, it does not. Of a
    probe whose own source is not enrolled, though, the first says how far off all are. Inverse hyperbolic sines
    are taken, for a Gaussian's log ratios of large sets are far too sure of themselves.

    Args:
        ratios: log ratios of probes against an unknown source, ``(n, sources)``.

    Returns:
        ``(n, sources, 2)``
    """
    with_unknown = np.hstack([ratios, np.zeros((len(ratios), 1))])
    before = np.logaddexp.accumulate(with_unknown, axis=1)[:, :-2]
    after = np.logaddexp.accumulate(with_unknown[:, ::-1], axis=1)[:, -2::-1]
    rivals = np.logaddexp(np.hstack([np.full((len(ratios), 1), -np.inf), before]), after)
    return np.stack([np.arcsinh((ratios - rivals) / 5), np.arcsinh(ratios / 50)], axis=-1)


@dataclass(frozen=True)
class LikelihoodRatio:
    """Turns evidence into a likelihood ratio by logistic regression (Brummer & du Preez, 2006).

    Attributes:
        slopes: of the natural log of the ratio over each kind of evidence; zero for one that would come out below.
        intercept: at no evidence.
        sources: it was calibrated on. The ratio is kept within as many to one, either way: no more was seen.
    """

    slopes: tuple[float, ...]
    intercept: float
    sources: int

    @classmethod
    def fit(cls, same: Sequence[np.ndarray], different: Sequence[np.ndarray]) -> Self:
        """From evidence for the true source of probes, and for another one; of each source one array ``(n, kinds)``."""
        from sklearn.linear_model import LogisticRegression

        values = np.concatenate([*same, *different])
        truth = np.repeat([1, 0], [sum(map(len, same)), sum(map(len, different))])
        weights = np.concatenate(
            [np.full(len(own), 1 / len(kind) / len(own)) for kind in (same, different) for own in kind]
        )
        kept = list(range(values.shape[1]))
        slopes = np.zeros(len(kept))
        while kept:
            model = LogisticRegression(C=1e3).fit(values[:, kept], truth, weights * len(values) / 2)
            found = model.coef_[0]
            if found.min() >= 0:
                slopes[kept] = found
                return cls(tuple(slopes.tolist()), float(model.intercept_[0]), len(same))
            # More of a kind does not speak for less: of few sources, two kinds that go together may come out so.
            kept.pop(int(found.argmin()))
        return cls(tuple(slopes.tolist()), 0.0, len(same))  # no kind tells anything

    @property
    def cap(self) -> float:
        """Largest log10 of the ratio."""
        return float(np.log10(self.sources))

    def log10(self, evidence: np.ndarray) -> np.ndarray:
        """Log10 of the ratio, capped, of evidence ``(..., kinds)``."""
        return ((evidence @ np.array(self.slopes) + self.intercept) / np.log(10)).clip(-self.cap, self.cap)
