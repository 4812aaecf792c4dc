"""Scorers: compare fingerprints, knowing how many images stand behind each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy.linalg import eigh

from genprint.fingerprint import Features, Fingerprint, Fingerprinter


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


@dataclass(frozen=True)
class PLDA:
    """Log likelihood ratio: the probe is of the gallery's source, against of some other source.

    Two Gaussians: sources vary with covariance ``between`` about ``mean``, images of one source with covariance
    ``within`` about their source's mean. (Ioffe, "Probabilistic Linear Discriminant Analysis", 2006; in the
    two-covariance form of Brummer & de Villiers, 2010.) The within-source covariance is drawn towards what the
    gallery's own images show, as if the learned one came from ``prior_images`` images.

    Attributes:
        mean: ``(d,)``
        within: ``(d, d)``
        between: ``(d, d)``
    """

    mean: np.ndarray
    within: np.ndarray
    between: np.ndarray
    prior_images: float = 300.0

    @classmethod
    def fit(cls, fingerprints: Iterable[Fingerprint]) -> PLDA:
        """Estimates both covariances from one fingerprint of each of many sources, by moments, one at a time."""
        counts, means, within = [], [], np.zeros(())
        for fingerprint in fingerprints:
            counts.append(fingerprint.count)
            means.append(fingerprint.mean)
            within = within + _scatter(fingerprint)
        within /= sum(counts) - len(counts)
        within += 1e-6 * np.trace(within) / len(within) * np.eye(len(within))  # a feature may be constant
        # The means scatter by the sources and by the few images behind each; the second part goes.
        between = np.cov(np.stack(means), rowvar=False) - within * np.mean(1 / np.array(counts))
        values, vectors = eigh(between, within)
        inverse = np.linalg.inv(vectors)
        return cls(np.mean(means, axis=0), within, inverse.T @ np.diag(values.clip(1e-3)) @ inverse)

    def directions(self) -> np.ndarray:
        """Columns are the linear discriminants, ``(d, d)``, the strongest first; within-source variance is one."""
        ridge = self.within + 1e-3 * np.diag(np.diag(self.within))
        return np.ascontiguousarray(eigh(self.between, ridge)[1][:, ::-1])

    def along(self, directions: np.ndarray) -> PLDA:
        """The same of features less ``mean`` along ``directions``, ``(d, k)``."""
        within, between = (directions.T @ own @ directions for own in (self.within, self.between))
        return PLDA(np.zeros(len(within)), within, between, self.prior_images)

    def adapt(self, gallery: Iterable[Fingerprint]) -> PLDA:
        """With the within-source covariance the gallery's own images suggest, one source at a time."""
        freedom, scatter = 0, np.zeros_like(self.within)
        for own in gallery:
            freedom += own.count - 1
            scatter += _scatter(own)
        within = (self.prior_images * self.within + scatter) / (self.prior_images + freedom)
        return PLDA(self.mean, within, self.between, self.prior_images)

    def score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        return self.adapt(gallery).compare(probes, gallery)

    @cached_property
    def _diagonal(self) -> tuple[np.ndarray, np.ndarray]:
        return eigh(self.between, self.within)

    @cached_property
    def _log_volume(self) -> float:
        """Of the coordinates of ``_diagonal`` against those of the features."""
        return float(np.linalg.slogdet(self._diagonal[1])[1])

    def compare(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        """Scores as they follow from these covariances, without adapting them to the gallery."""
        means, counts = self.coordinates(probes)
        unknown = _log_normal(means, self._diagonal[0] + 1 / counts)
        return self._predict(means, counts, gallery) - unknown[:, None]

    def log_density(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        """Log density of each probe's mean, were it of each gallery source, ``(n_probes, n_gallery)``.

        In the coordinates of the features, so that densities under different covariances can be compared.
        """
        return self._predict(*self.coordinates(probes), gallery) + self._log_volume

    def alike(self, left: Sequence[Fingerprint], right: Sequence[Fingerprint]) -> np.ndarray:
        """Cosines ``(n_left, n_right)`` of the unit vectors that ``apart`` takes distances between."""
        return self._unit(left) @ self._unit(right).T

    def _unit(self, fingerprints: Sequence[Fingerprint]) -> np.ndarray:
        means, counts = self.coordinates(fingerprints)
        unit = means / np.sqrt(self._diagonal[0] + 1 / counts)
        return unit / np.linalg.norm(unit, axis=1, keepdims=True)

    def project(self, features: np.ndarray) -> np.ndarray:
        """Features ``(n, d)`` in coordinates where within is the identity and between is diagonal."""
        return (features - self.mean) @ self._diagonal[1]

    def coordinates(self, fingerprints: Sequence[Fingerprint]) -> tuple[np.ndarray, np.ndarray]:
        """Means ``(n, d)`` in the coordinates of ``project``, and counts ``(n, 1)``."""
        means = self.project(np.stack([own.mean for own in fingerprints]))
        return means, np.array([own.count for own in fingerprints])[:, None]

    def _predict(self, means: np.ndarray, counts: np.ndarray, gallery: Sequence[Fingerprint]) -> np.ndarray:
        """Log densities of probes in these coordinates, were they of each gallery source, ``(n_probes, n_gallery)``."""
        between = self._diagonal[0]
        known, images = self.coordinates(gallery)
        posterior = between / (1 + images * between)
        expected = images * posterior * known
        densities = np.empty((len(means), len(gallery)))
        for count in np.unique(counts):
            # Probes of one size share their variances, and squares of differences come as products of matrices.
            same = counts[:, 0] == count
            precision = 1 / (posterior + 1 / count)
            weighed = expected * precision
            squared = np.square(means[same]) @ precision.T - 2 * means[same] @ weighed.T + (expected * weighed).sum(1)
            densities[same] = -(squared + np.log(2 * np.pi / precision).sum(1)) / 2
        return densities

    def distances(self, fingerprints: Sequence[Fingerprint]) -> np.ndarray:
        """Distances ``(n, n)`` as ``apart`` has them, adapted to these sources' own images."""
        return self.adapt(fingerprints).apart(fingerprints)

    def apart(self, fingerprints: Sequence[Fingerprint]) -> np.ndarray:
        """Distances between sources, ``(n, n)``, by the covariances as they are here: unit vectors' Euclidean ones.

        Each discriminant of a mean is divided by how much it varies over all sources and images, so that none outweighs
        the others for how strong its traces are, only for how many sources share it; then the means get length one.
        (Garcia-Romero & Espy-Wilson, "Analysis of i-vector Length Normalization in Speaker Recognition Systems", 2011.)
        """
        unit = self._unit(fingerprints)
        # In place: of many sources, one such matrix is as much as fits.
        squared = np.empty((len(unit), len(unit)))
        for rows in np.array_split(np.arange(len(unit)), len(unit) // 1000 + 1):
            # By parts: OpenBLAS's threaded product of 20,000 rows with themselves ends in a segmentation fault.
            np.matmul(unit[rows], -2 * unit.T, out=squared[rows[0] : rows[-1] + 1])
        squared += 2
        return root_distances(squared)


def root_distances(squared: np.ndarray) -> np.ndarray:
    """Distances from estimates of their squares ``(n, n)``: below zero is zero, symmetric, zero diagonal. In place."""
    apart = np.sqrt(np.maximum(squared, 0, out=squared), out=squared)
    np.fill_diagonal(apart, 0)
    apart += apart.T
    apart /= 2
    return apart


def _scatter(fingerprint: Fingerprint) -> np.ndarray:
    if fingerprint.scatter is None:
        raise ValueError(f"{fingerprint.source}: PLDA needs fingerprints with a scatter matrix")
    return fingerprint.scatter


def _log_normal(x: np.ndarray, variance: np.ndarray) -> np.ndarray:
    return -(np.square(x) / variance + np.log(2 * np.pi * variance)).sum(-1) / 2


class LDA:
    """Minus half the squared Mahalanobis distance of the means, within-source covariance from the gallery alone.

    For probes of any size this ranks sources as the mean log-posterior of a linear discriminant does. The
    covariance is shrunk towards a multiple of the identity after scaling each feature to unit variance (the OAS
    weight of Chen et al., "Shrinkage Algorithms for MMSE Covariance Estimation", 2010, equation 23).
    """

    def score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        freedom = sum(g.count - 1 for g in gallery)
        within = np.sum([_scatter(g) for g in gallery], axis=0) / max(1, freedom)
        scale = 1 / np.sqrt(np.diag(within) + 1e-12)
        within = within * np.outer(scale, scale)
        size, trace, square = len(within), np.trace(within), np.square(within).sum()
        weight = ((1 - 2 / size) * square + trace**2) / ((freedom + 1 - 2 / size) * (square - trace**2 / size) + 1e-12)
        weight = min(1.0, weight)
        shrunk = (1 - weight) * within + weight * trace / size * np.eye(size)
        white = np.linalg.cholesky(np.linalg.inv(shrunk))
        left, right = ((np.stack([f.mean for f in own]) * scale) @ white for own in (probes, gallery))
        return -np.square(left[:, None] - right[None]).sum(2) / 2

    def distances(self, fingerprints: Sequence[Fingerprint]) -> np.ndarray:
        """Mahalanobis distances between sources' means, ``(n, n)``."""
        return root_distances(-2 * self.score(fingerprints, fingerprints))
