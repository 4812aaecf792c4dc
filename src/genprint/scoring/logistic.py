"""Logistic calibration: features of trials whose truth is known are turned into a log likelihood ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import expit

# Of the regression: half a square of the slopes is worth so much log loss, and a step must save so much a row.
_RIDGE, _CONVERGED = 1e-3, 1e-14


@dataclass(frozen=True)
class LogisticCalibration:
    """Turns features into a log likelihood ratio by logistic regression (Brummer & du Preez, 2006).

    Attributes:
        slopes: of the log ratio over each feature; zero for one that would come out below.
        intercept: where all features are zero.
        sources: it was calibrated on. The ratio is kept within as many to one, either way: no more was seen.
    """

    slopes: tuple[float, ...]
    intercept: float
    sources: int

    @classmethod
    def fit(cls, same: Sequence[np.ndarray], different: Sequence[np.ndarray]) -> Self:
        """From features for the true source of probes, and for another; of each source one array ``(n, features)``."""
        values = np.concatenate([*same, *different])
        truth = np.repeat([1, 0], [sum(map(len, same)), sum(map(len, different))])
        weights = np.concatenate(
            [np.full(len(rows), 1 / len(kind) / len(rows)) for kind in (same, different) for rows in kind]
        )
        kept = list(range(values.shape[1]))
        slopes = np.zeros(len(kept))
        while kept:
            *found, intercept = _regression(values[:, kept], truth, weights * len(values) / 2).tolist()
            if min(found) >= 0:
                slopes[kept] = found
                return cls(tuple(slopes.tolist()), intercept, len(same))
            # A negative slope is no finding: with few sources, correlated features may come out so.
            kept.pop(int(np.argmin(found)))
        return cls(tuple(slopes.tolist()), 0.0, len(same))  # no feature separates

    @property
    def cap(self) -> float:
        """Largest natural log of the ratio."""
        return float(np.log(self.sources))

    def llr(self, features: np.ndarray) -> np.ndarray:
        """Natural log of the ratio, capped, of features ``(..., features)``."""
        ratios: np.ndarray = features @ np.array(self.slopes) + self.intercept
        return ratios.clip(-self.cap, self.cap)


def _regression(values: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Slopes and intercept of a logistic regression, by Newton's method: of two features, a few steps.

    Args:
        values: ``(n, features)``.
        truth: of each row, zero or one.
        weights: of each row's log loss.
    """
    rows = np.hstack([values, np.ones((len(values), 1))])
    ridge = np.append(np.full(values.shape[1], _RIDGE), 0)

    def cost(found: np.ndarray) -> float:
        logits = rows @ found
        return float(weights @ (np.logaddexp(0, logits) - truth * logits) + ridge @ np.square(found) / 2)

    found = np.zeros(rows.shape[1])
    before, now = np.inf, cost(found)
    while before - now > _CONVERGED * len(values):
        chances = expit(rows @ found)
        slope = rows.T @ (weights * (chances - truth)) + ridge * found
        curvature = (rows.T * (weights * chances * (1 - chances))) @ rows + np.diag(ridge)
        step = np.linalg.solve(curvature, slope)
        while cost(found - step) > now:  # too far, where hardly any chance is between zero and one
            step /= 2
        found -= step
        before, now = now, cost(found)
    return found
