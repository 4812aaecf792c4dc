"""PLDA: log likelihood ratios of fingerprints, from covariances between sources and within them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from scipy.linalg import eigh, lapack, solve_triangular

from genprint.fingerprints.fingerprint import Fingerprint, by_part
from genprint.scoring.distances import root_distances
from genprint.scoring.frame import PLDAFrame, Sources
from genprint.scoring.gaussians import Gaussians, spreads
from genprint.scoring.posterior import Posterior, RoughPosterior
from genprint.scoring.scatter import pooled_scatter

# Features of large images are means over tiles, and vary far less than those of the small ones a scorer is learned
# from. A learned within-source covariance wider than the gallery's regularises hard galleries; beyond three times as
# wide, it swamps the gallery's own estimate.
_WIDEST = 3.0
_LEAST_SCALE = 1e-2  # enrolled images that hardly differ at all do not make it singular


@dataclass(frozen=True, eq=False)
class PLDA:
    """Log likelihood ratio: the probe is of the gallery's source, against of some other source.

    Two Gaussians: sources vary with covariance ``between`` about ``mean``, images of one source with covariance
    ``within`` about their source's mean. (Ioffe, "Probabilistic Linear Discriminant Analysis", 2006; in the
    two-covariance form of Brummer & de Villiers, 2010.) The within-source covariance is drawn towards what the
    gallery's own images show, as if the learned one came from ``prior_images`` images; where it is more than three
    times as wide as theirs, it is narrowed to that first.

    Features may come in parts, one of each tower. Covariance between parts is left out, for few enrolled images do not
    determine it. Parts are views of the same images and no independent evidence: the log ratio is the mean of theirs,
    by their weights.

    Attributes:
        mean: of all sources, float64 ``(parts * d,)``.
        within: covariance of a source's images, float64 ``(parts, d, d)``.
        between: covariance of the sources' means, float64 ``(parts, d, d)``.
        prior_images: how many images ``within`` counts for when it is adapted to a gallery.
        freedom: degrees of freedom of the gallery that it is adapted to; 0 if to none.
        weights: of the parts, float64 ``(parts,)``; None: all count alike.
    """

    mean: np.ndarray
    within: np.ndarray
    between: np.ndarray
    prior_images: float = 600.0
    freedom: int = 0
    weights: np.ndarray | None = None

    @classmethod
    def fit(cls, fingerprints: Iterable[Fingerprint]) -> PLDA:
        """Estimates both covariances from one fingerprint of each of many sources, by moments, one at a time."""
        counts, means, scatter = [], [], np.zeros((1, 1, 1))
        for fingerprint in fingerprints:
            counts.append(fingerprint.count)
            means.append(fingerprint.mean)
            scatter = scatter + fingerprint.scatter
        return cls.from_moments(np.stack(means), np.array(counts), scatter)

    @classmethod
    def from_moments(cls, means: np.ndarray, counts: np.ndarray, scatter: np.ndarray) -> PLDA:
        """As ``fit``, from sources' means ``(n, parts * d)``, counts ``(n,)`` and summed scatter ``(parts, d, d)``."""
        within = scatter / (counts.sum() - len(counts))
        size = within.shape[-1]
        traces = np.trace(within, axis1=1, axis2=2)[:, None, None]
        within += 1e-6 * traces / size * np.eye(size)  # a feature may be constant
        parts = by_part(means, len(within))
        # The means scatter by the sources and by the few images behind each; the second part goes.
        sampled = within * np.mean(1 / counts)
        between = np.stack([np.cov(part, rowvar=False) for part in parts]) - sampled
        values, vectors = _joint_eigh(between, within)
        inverse = np.linalg.inv(vectors)
        between = inverse.swapaxes(1, 2) @ (values.clip(1e-3)[:, :, None] * inverse)
        return cls(means.mean(0), within, between)

    @classmethod
    def stacked(cls, parts: Sequence[PLDA]) -> PLDA:
        """The one of features that come in all their parts."""
        means, withins, betweens = zip(*((one.mean, one.within, one.between) for one in parts), strict=True)
        return cls(np.concatenate(means), np.concatenate(withins), np.concatenate(betweens))

    def directions(self) -> np.ndarray:
        """Columns are each part's linear discriminants, ``(parts, d, d)``, the strongest first.

        Within-source variance is one along them.
        """
        ridge = self.within + 1e-3 * self.within * np.eye(self.within.shape[-1])
        return np.ascontiguousarray(_joint_eigh(self.between, ridge)[1][:, :, ::-1])

    def along(self, directions: np.ndarray) -> PLDA:
        """The same of features less ``mean`` along ``directions``, ``(parts, d, k)``."""
        within, between = (directions.swapaxes(1, 2) @ matrix @ directions for matrix in (self.within, self.between))
        return PLDA(np.zeros(len(within) * within.shape[-1]), within, between, self.prior_images)

    @property
    def shares(self) -> np.ndarray:
        """Of the parts in a log ratio, ``(parts,)``; one together."""
        weights = np.ones(len(self.within)) if self.weights is None else self.weights
        shares: np.ndarray = weights / weights.sum()
        return shares

    @property
    def learned(self) -> bool:
        """Always: both covariances were learned before."""
        return True

    def adapt(self, gallery: Iterable[Fingerprint]) -> Self:
        """The same with ``within`` shrunk towards the gallery's; sources are read one at a time."""
        scatter, freedom = pooled_scatter(gallery)
        if not freedom:
            return self  # single images
        learned = self.prior_images * self._narrowed(scatter / freedom)[:, None, None] * self.within
        within = (learned + scatter) / (self.prior_images + freedom)
        return replace(self, within=within, freedom=freedom)

    def enroll(self, gallery: Sequence[Fingerprint]) -> Posterior:
        """The posterior of each source's mean, given its enrolled images."""
        if all(source.moments is None for source in gallery):
            means, counts = self.coordinates(gallery)
            sources = Sources(counts[:, 0], means, self._deviations(gallery))
            weight = self.prior_images + self.freedom
            frame = PLDAFrame(self.project, self.between_variance, self.shares, weight, sources)
            return Posterior(self, frame.gaussians, frame)
        means, counts = self.coordinates(gallery)
        dimensions = self.within.shape[-1]
        squared = dimensions * np.stack([self._variance(fingerprint.scatter) for fingerprint in gallery])
        spread = spreads(squared, counts, dimensions).repeat(dimensions, axis=1)
        return Posterior(self, Gaussians.of(self.between_variance, means, counts, spread, self.shares))

    def roughly(self, gallery: Sequence[Fingerprint]) -> RoughPosterior:
        """The posterior if adapted to the gallery along its own axes alone, so that none need be found anew."""
        means, counts = self.coordinates(gallery)
        squares = np.square(self._deviations(gallery).astype(np.float64))
        freedom, dimensions = int(counts.sum()) - len(counts), self.within.shape[-1]
        summed = squares.sum(0)
        spread = summed.reshape(len(self.within), dimensions).mean(1) / max(1, freedom)
        scale = (_WIDEST * spread).clip(_LEAST_SCALE, 1) if freedom else np.ones(len(self.within))
        variance = (self.prior_images * scale.repeat(dimensions) + summed) / (self.prior_images + freedom)
        starts = np.cumsum(counts[:, 0]) - counts[:, 0]
        varied = np.add.reduceat((squares / variance).reshape(len(squares), -1, dimensions).sum(2), starts)
        noise = spreads(varied, counts, dimensions).repeat(dimensions, axis=1)
        root, between = np.sqrt(variance), self.between_variance / variance
        gaussians = Gaussians.of(between, means / root, counts, noise, self.shares)
        return RoughPosterior(self, root, gaussians, means.mean(0))

    def _narrowed(self, covariance: np.ndarray) -> np.ndarray:
        """What ``within`` is multiplied by for a gallery whose images vary like this, ``(parts,)``."""
        # tr(C)^2 <= tr(inv(W) C) tr(W C), by Cauchy & Schwarz: mostly that settles it, and nothing need be inverted.
        least = np.einsum("pii->p", covariance) ** 2 / covariance.shape[1]
        if (_WIDEST * least > np.einsum("pij,pij->p", self.within, covariance)).all():
            return np.ones(len(covariance))
        scale: np.ndarray = (_WIDEST * self._variance(covariance)).clip(_LEAST_SCALE, 1)
        return scale

    def _deviations(self, gallery: Sequence[Fingerprint]) -> np.ndarray:
        """Of images from the means of their sources, in the coordinates of ``project``, ``(images, parts * d)``.

        Float32 keeps more digits than few images tell.
        """
        rows = np.concatenate([(source.values - source.mean).astype(np.float32) for source in gallery])
        along = by_part(rows, len(self.within)) @ self._vectors.astype(np.float32)
        return along.swapaxes(0, 1).reshape(rows.shape)

    def _variance(self, scatter: np.ndarray) -> np.ndarray:
        """Of each part, in units of ``within``: the mean over its directions."""
        variance: np.ndarray = 2 * np.einsum("pij,pij->p", self._half_precision, scatter) / self.within.shape[-1]
        return variance

    @cached_property
    def _diagonal(self) -> tuple[np.ndarray, np.ndarray]:
        return _joint_eigh(self.between, self.within)

    @cached_property
    def _factor(self) -> np.ndarray:
        return np.linalg.cholesky(self.within)

    @cached_property
    def _half_precision(self) -> np.ndarray:
        """Lower triangles that make the inverses of ``within`` with their transposes: enough for traces of products."""
        halves = np.stack([lapack.dpotri(factor, lower=True)[0] for factor in self._factor])
        halves *= 1 - np.eye(halves.shape[1]) / 2
        return halves

    @property
    def _vectors(self) -> np.ndarray:
        return self._diagonal[1]

    @property
    def between_variance(self) -> np.ndarray:
        """Of each coordinate of ``project``, ``(parts * d,)``."""
        return self._diagonal[0].ravel()

    @cached_property
    def log_volume(self) -> float:
        """Of the coordinates of ``project`` against those of the features, a part."""
        return -float(self.shares @ np.log(np.diagonal(self._factor, axis1=1, axis2=2)).sum(1))

    def similarity(self, left: Sequence[Fingerprint], right: Sequence[Fingerprint]) -> np.ndarray:
        """Cosines ``(n_left, n_right)`` of the unit vectors that ``distances`` are between."""
        cosines: np.ndarray = self._unit(left) @ self._unit(right).T
        return cosines

    def _unit(self, fingerprints: Sequence[Fingerprint]) -> np.ndarray:
        means, counts = self.coordinates(fingerprints)
        unit: np.ndarray = means / np.sqrt(self.between_variance + 1 / counts)
        unit *= np.sqrt(self.shares).repeat(self.within.shape[-1])
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        return unit

    def whiten(self, features: np.ndarray) -> np.ndarray:
        """Features ``(n, parts * d)`` in some coordinates where within is the identity, at a fraction of the cost."""
        parts = by_part(features - self.mean, len(self.within))
        white = [solve_triangular(*pair, lower=True).T for pair in zip(self._factor, parts.swapaxes(1, 2), strict=True)]
        return np.concatenate(white, axis=1)

    def project(self, features: np.ndarray) -> np.ndarray:
        """Features ``(n, parts * d)`` in coordinates where within is the identity and between is diagonal."""
        parts: np.ndarray = by_part(features - self.mean, len(self.within)) @ self._vectors
        return parts.swapaxes(0, 1).reshape(features.shape)

    def back(self, differences: np.ndarray) -> np.ndarray:
        """Differences ``(n, parts * d)`` in the coordinates of ``project``, as differences of features."""
        # The inverse of the vectors, which take within to the identity.
        parts: np.ndarray = by_part(differences, len(self.within)) @ self._vectors.swapaxes(1, 2) @ self.within
        return parts.swapaxes(0, 1).reshape(differences.shape)

    def coordinates(self, fingerprints: Sequence[Fingerprint]) -> tuple[np.ndarray, np.ndarray]:
        """Means ``(n, parts * d)`` in the coordinates of ``project``, and counts ``(n, 1)``."""
        means = self.project(np.stack([fingerprint.mean for fingerprint in fingerprints]))
        return means, np.array([fingerprint.count for fingerprint in fingerprints])[:, None]

    def distances(self, fingerprints: Sequence[Fingerprint]) -> np.ndarray:
        """Euclidean distances between the unit vectors of sources, ``(n, n)``.

        Each discriminant of a mean is divided by how much it varies over all sources and images, so that none outweighs
        the others by the strength of its traces, only by how many sources share it; then the means get length one.
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


def _joint_eigh(between: np.ndarray, within: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Generalised eigenvalues, ascending, and eigenvectors of each part."""
    values, vectors = zip(*(eigh(*pair) for pair in zip(between, within, strict=True)), strict=True)
    return np.stack(values), np.stack(vectors)
