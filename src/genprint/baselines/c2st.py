"""Classifier two-sample test (Lopez-Paz & Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genprint.baselines.frechet import principal
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.base import Comparer
from genprint.scoring.distances import root_distances


class ClassifierTwoSample(Comparer):
    """Minus how well a linear classifier tells the probe's images from the gallery set's, each left out once.

    Features are reduced to ``dimensions`` principal components of the gallery, scaled to unit variance. The classifier
    is ridge regression on +1 and -1, both sets weighted alike; how well: the mean of its values for images that it has
    not learned from, times their sign. Unlike their accuracy, that still differs where sets are small or fully apart.
    """

    def __init__(self, dimensions: int = 16, ridge: float = 1.0):
        self.dimensions, self.ridge = dimensions, ridge

    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        project = principal(gallery, self.dimensions)
        scale = np.concatenate([project(source.values) for source in gallery]).std(0) + 1e-6
        known, asked = ([project(found.values) / scale for found in sets] for sets in (gallery, probes))
        return -np.array([[left_out_margin(probe, source, self.ridge) for source in known] for probe in asked])

    def distances(self, sets: Sequence[Fingerprint]) -> np.ndarray:
        """Square roots of the margins between sets, ``(n, n)``."""
        return root_distances(-self.score(sets, sets))


def left_out_margin(a: np.ndarray, b: np.ndarray, ridge: float) -> float:
    """Mean signed value of weighted ridge regression of +1 on ``a`` and -1 on ``b``, each row left out once.

    In closed form: with leverage h, the value without row i is (value - h y) / (1 - h) (Cook & Weisberg, 1982).
    """
    signs = np.repeat([1.0, -1.0], [len(a), len(b)])
    weights = np.sqrt(np.repeat([0.5 / len(a), 0.5 / len(b)], [len(a), len(b)]) * len(signs))
    rows = np.hstack([np.ones((len(signs), 1)), np.concatenate([a, b])]) * weights[:, None]
    penalty = ridge * np.eye(rows.shape[1])
    penalty[0, 0] = 0  # of the intercept
    hat = rows @ np.linalg.solve(rows.T @ rows + penalty, rows.T)
    leverage = np.diag(hat).clip(max=1 - 1e-6)
    values = (hat @ (weights * signs) - leverage * weights * signs) / (1 - leverage) / weights
    margins = values * signs
    return float((margins[signs > 0].mean() + margins[signs < 0].mean()) / 2)
