"""Frechet distance between sets (Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", 2017)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.base import Comparer
from genprint.scoring.distances import root_distances


def frechet_distance(
    means: np.ndarray, covariances: np.ndarray, mean: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """Squared 2-Wasserstein distances of Gaussians ``(..., d)``, ``(..., d, d)`` from one (Dowson & Landau, 1982)."""
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    # The trace of the root of a product, from the symmetric product with the same eigenvalues.
    shared = np.sqrt(np.linalg.eigvalsh(root @ covariances @ root).clip(0)).sum(-1)
    spreads = np.trace(covariances, axis1=-2, axis2=-1) + np.trace(covariance)
    squared: np.ndarray = np.square(means - mean).sum(-1) + spreads - 2 * shared
    return squared


class Frechet(Comparer):
    """Minus the Frechet distance of Gaussians fitted to the features of two sets.

    Features are reduced to ``dimensions`` principal components of the gallery, and covariances shrunk towards the
    gallery's common one as if that came from ``prior`` images: a probe of one image shows none.
    """

    def __init__(self, dimensions: int = 32, prior: int = 20):
        self.dimensions, self.prior = dimensions, prior

    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        project = principal(gallery, self.dimensions)
        known = [project(source.values) for source in gallery]
        freedom = sum(len(values) - 1 for values in known)
        if not freedom:
            raise ValueError("the Frechet distance needs a source with two images or more")
        common = sum((values - values.mean(0)).T @ (values - values.mean(0)) for values in known) / freedom
        asked = [self._moments(project(probe.values), common) for probe in probes]
        means, covariances = (np.stack(part) for part in zip(*asked, strict=True))
        scores = [frechet_distance(means, covariances, *self._moments(values, common)) for values in known]
        return -np.stack(scores, axis=1)

    def distances(self, sets: Sequence[Fingerprint]) -> np.ndarray:
        """Square roots of the distances between sets, ``(n, n)``."""
        return root_distances(-self.score(sets, sets))

    def _moments(self, values: np.ndarray, common: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        centred = values - values.mean(0)
        covariance = (centred.T @ centred + self.prior * common) / (len(values) - 1 + self.prior)
        return values.mean(0), covariance


def principal(gallery: Sequence[Fingerprint], dimensions: int) -> Callable[[np.ndarray], np.ndarray]:
    """Takes features to so many principal components of the gallery's."""
    from sklearn.decomposition import PCA

    values = np.concatenate([source.values for source in gallery]).astype(np.float64)
    fitted = PCA(min(dimensions, *values.shape), random_state=0).fit(values)
    return lambda features: np.asarray(fitted.transform(features.astype(np.float64)))
