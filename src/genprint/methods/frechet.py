"""Frechet distance between sets (Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import sqrtm

from genprint.fingerprint import Features


def frechet_distance(mean: np.ndarray, covariance: np.ndarray, mean_: np.ndarray, covariance_: np.ndarray) -> float:
    """Squared 2-Wasserstein distance of two Gaussians (Dowson & Landau, 1982)."""
    root = sqrtm(covariance @ covariance_)
    return float(np.square(mean - mean_).sum() + np.trace(covariance + covariance_ - 2 * root.real))


class Frechet:
    """Minus the Frechet distance of Gaussians fitted to the features of two sets.

    Features are reduced to ``dimensions`` principal components of the gallery, and covariances shrunk towards the
    gallery's common one as if that came from ``prior`` images: a probe of one image has none of its own.
    """

    def __init__(self, dimensions: int = 32, prior: int = 20):
        self.dimensions, self.prior = dimensions, prior

    def score(self, probes: Sequence[Features], gallery: Sequence[Features]) -> np.ndarray:
        project = _principal(gallery, self.dimensions)
        known = [project(own.values) for own in gallery]
        common = np.mean([np.cov(own, rowvar=False) for own in known], axis=0)
        moments = [self._moments(own, common) for own in known]
        asked = [self._moments(project(own.values), common) for own in probes]
        return -np.array([[frechet_distance(*a, *b) for b in moments] for a in asked])

    def _moments(self, values: np.ndarray, common: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        centred = values - values.mean(0)
        covariance = (centred.T @ centred + self.prior * common) / (len(values) - 1 + self.prior)
        return values.mean(0), covariance


def _principal(gallery: Sequence[Features], dimensions: int):
    from sklearn.decomposition import PCA

    values = np.concatenate([own.values for own in gallery])
    return PCA(min(dimensions, *values.shape), random_state=0).fit(values).transform
