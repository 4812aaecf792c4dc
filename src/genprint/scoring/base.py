"""Scorers: compare fingerprints, knowing how many images stand behind each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from genprint.fingerprints.fingerprint import Features, Fingerprint, Fingerprinter, by_part, scatter_of
from genprint.scoring.plda import PLDA, root_distances


class Scorer(Protocol):
    """Scores probe fingerprints against gallery fingerprints; higher is more alike."""

    def score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        """Scores, float64 ``(n_probes, n_gallery)``."""
        ...


class Comparer(Protocol):
    """Scores probe sets against gallery sets by the features of their images; higher is more alike.

    What evaluation sees of every method, whether it has fingerprints or not.
    """

    def score(self, probes: Sequence[Features], gallery: Sequence[Features]) -> np.ndarray:
        """Scores, float64 ``(n_probes, n_gallery)``."""
        ...


@dataclass(frozen=True)
class ByFingerprint:
    """The comparer that a fingerprinter and a scorer make."""

    fingerprinter: Fingerprinter
    scorer: Scorer

    def score(self, probes: Sequence[Features], gallery: Sequence[Features]) -> np.ndarray:
        vector = isinstance(self.scorer, Cosine)  # the others compare moments
        return self.scorer.score(
            [self.fingerprinter.summarise(own, "", vector, scatter=False) for own in probes],
            [self.fingerprinter.summarise(own, "", vector, scatter=not vector) for own in gallery],
        )

    def distances(self, sets: Sequence[Features]) -> np.ndarray:
        """Distances between sets, ``(n, n)``: the scorer's own where it has such, else one minus the cosine."""
        if isinstance(self.scorer, PLDA):
            return self.apart(self.adapted(sets), sets)
        vector = not hasattr(self.scorer, "distances")
        summaries = [self.fingerprinter.summarise(own, "", vector, scatter=not vector) for own in sets]
        if not vector:
            return self.scorer.distances(summaries)  # type: ignore[attr-defined]
        apart = 1 - Cosine().score(summaries, summaries)
        np.fill_diagonal(apart, 0)
        return apart.clip(0)

    def adapted(self, sets: Iterable[Features]) -> PLDA:
        """The scorer, a PLDA, adapted to these sets: of many, only sums of scatter fit into memory."""
        assert isinstance(self.scorer, PLDA)
        return self.scorer.adapt(self.fingerprinter.summarise(own, "", vector=False) for own in sets)

    def apart(self, plda: PLDA, sets: Sequence[Features]) -> np.ndarray:
        """Distances ``(n, n)`` between sets by a PLDA as it is."""
        return plda.apart([self.fingerprinter.summarise(own, "", vector=False, scatter=False) for own in sets])


class Cosine:
    """Cosine of the vectors. It does not know the counts."""

    def score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        return np.stack([p.vector for p in probes]) @ np.stack([g.vector for g in gallery]).T


class LDA:
    """Minus half the squared Mahalanobis distance of the means, within-source covariance from the gallery alone.

    For probes of any size this ranks sources as the mean log-posterior of a linear discriminant does. The
    covariance is shrunk towards a multiple of the identity after scaling each feature to unit variance (the OAS
    weight of Chen et al., "Shrinkage Algorithms for MMSE Covariance Estimation", 2010, equation 23). Of features in
    several parts, the mean.
    """

    def score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        freedom = sum(g.count - 1 for g in gallery)
        parts = np.sum([scatter_of(g) for g in gallery], axis=0) / max(1, freedom)
        means = (by_part(np.stack([f.mean for f in own]), len(parts)) for own in (probes, gallery))
        squared = np.zeros((len(probes), len(gallery)))
        for within, left, right in zip(parts, *means, strict=True):
            scale = 1 / np.sqrt(np.diag(within) + 1e-12)
            shrunk = _shrunk(within * np.outer(scale, scale), freedom)
            white = scale[:, None] * np.linalg.cholesky(np.linalg.inv(shrunk))
            squared += np.square((left @ white)[:, None] - right @ white).sum(2)
        return -squared / 2 / len(parts)

    def distances(self, fingerprints: Sequence[Fingerprint]) -> np.ndarray:
        """Mahalanobis distances between sources' means, ``(n, n)``."""
        return root_distances(-2 * self.score(fingerprints, fingerprints))


def _shrunk(covariance: np.ndarray, freedom: int) -> np.ndarray:
    """A covariance estimate with so many degrees of freedom, by the OAS weight."""
    size, trace, square = len(covariance), np.trace(covariance), np.square(covariance).sum()
    weight = ((1 - 2 / size) * square + trace**2) / ((freedom + 1 - 2 / size) * (square - trace**2 / size) + 1e-12)
    weight = min(1.0, weight)
    return (1 - weight) * covariance + weight * trace / size * np.eye(size)
