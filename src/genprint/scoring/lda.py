"""Linear discriminants: squared distances by the gallery's own within-source covariance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint, by_part
from genprint.scoring.distances import root_distances
from genprint.scoring.frame import LeftOutImages, deviations

_UNADAPTED = "linear discriminants follow from a gallery: adapt to one first"


@dataclass(frozen=True, eq=False)
class LDA:
    """Minus half the squared Mahalanobis distance of the means, within-source covariance from the gallery alone.

    For probes of any size this ranks sources as the mean log-posterior of a linear discriminant does. The
    covariance is shrunk towards a multiple of the identity after scaling each feature to unit variance (the OAS
    weight of Chen et al., "Shrinkage Algorithms for MMSE Covariance Estimation", 2010, equation 23). Of features in
    several parts, the mean. It needs nothing learned beforehand, so that any fingerprinter can attribute by it.

    Attributes:
        white: what features are multiplied by, ``(parts, d, d)``; None before ``adapt``.
        scatter: summed over the gallery's sources, ``(parts, d, d)``.
        freedom: degrees of freedom of that.
    """

    white: np.ndarray | None = field(default=None, repr=False)
    scatter: np.ndarray | None = field(default=None, repr=False)
    freedom: int = 0

    @property
    def learned(self) -> bool:
        """Whether it was adapted."""
        return self.white is not None

    def adapt(self, gallery: Iterable[Fingerprint]) -> LDA:
        """The discriminants of a gallery, from its within-source scatter; sources are read one at a time."""
        freedom, scatter = 0, np.zeros((1, 1, 1))
        for fingerprint in gallery:
            freedom += fingerprint.count - 1
            scatter = scatter + fingerprint.scatter
        return self._of(scatter, freedom)

    @classmethod
    def _of(cls, scatter: np.ndarray, freedom: int) -> LDA:
        white = np.stack([_white(within, freedom) for within in scatter / max(1, freedom)])
        return cls(white, scatter, freedom)

    def frame(self) -> LDA:
        """Itself: the covariance is shrunk in the features' own coordinates."""
        return self

    def take(self, fingerprint: Fingerprint) -> Fingerprint:
        """The fingerprint as it is."""
        return fingerprint

    def without(self, left: Sequence[LeftOutImages]) -> LDA:
        """The scorer as if it had not been adapted to these images, which it was."""
        if self.scatter is None:
            raise ValueError(_UNADAPTED)
        rows, freedom = deviations(left)
        parts = by_part(rows, len(self.scatter))
        return self._of(self.scatter - parts.swapaxes(1, 2) @ parts, self.freedom - freedom)

    def enroll(self, gallery: Sequence[Fingerprint]) -> Centres:
        """The means of the gallery's sources."""
        return Centres(self, self.coordinates(gallery))

    def project(self, features: np.ndarray) -> np.ndarray:
        """Features ``(n, parts * d)`` whitened by the within-source covariance.

        Raises:
            ValueError: not adapted yet.
        """
        if self.white is None:
            raise ValueError(_UNADAPTED)
        parts: np.ndarray = by_part(features, len(self.white)) @ self.white
        return parts.swapaxes(0, 1).reshape(features.shape)

    def coordinates(self, fingerprints: Sequence[Fingerprint]) -> np.ndarray:
        """Means ``(n, parts * d)`` in the coordinates of ``project``."""
        return self.project(np.stack([fingerprint.mean for fingerprint in fingerprints]))

    def distances(self, fingerprints: Sequence[Fingerprint]) -> np.ndarray:
        """Mahalanobis distances between sources' means, ``(n, n)``."""
        return root_distances(-2 * self.enroll(fingerprints).llr(fingerprints))


@dataclass(frozen=True, eq=False)
class Centres:
    """Means of gallery sources, in the coordinates of ``LDA.project``, ``(n, parts * d)``."""

    lda: LDA
    mean: np.ndarray = field(repr=False)

    def llr(self, probes: Sequence[Fingerprint]) -> np.ndarray:
        """Scores ``(n_probes, n)``: as log ratios they lack the unknown source, and are never above zero."""
        return -self._squared(self.lda.coordinates(probes)) / 2 / self._parts

    def log_density(self, probes: Sequence[Fingerprint]) -> np.ndarray:
        """Log density of each probe's mean under each source, ``(n_probes, n)``, in feature space."""
        assert self.lda.white is not None
        counts = np.array([probe.count for probe in probes])[:, None]
        size = self.mean.shape[1]
        logs = -counts * self._squared(self.lda.coordinates(probes)) / 2 + size / 2 * np.log(counts / (2 * np.pi))
        densities: np.ndarray = logs / self._parts + np.linalg.slogdet(self.lda.white)[1].mean()
        return densities

    @property
    def _parts(self) -> int:
        assert self.lda.white is not None
        return len(self.lda.white)

    def _squared(self, coordinates: np.ndarray) -> np.ndarray:
        squared: np.ndarray = np.square(coordinates[:, None] - self.mean).sum(2)
        return squared


def _white(within: np.ndarray, freedom: int) -> np.ndarray:
    """What features are multiplied by to have the identity for their shrunk covariance."""
    scale = 1 / np.sqrt(np.diag(within) + 1e-12)
    shrunk = shrunk_covariance(within * np.outer(scale, scale), freedom)
    white: np.ndarray = scale[:, None] * np.linalg.cholesky(np.linalg.inv(shrunk))
    return white


def shrunk_covariance(covariance: np.ndarray, freedom: int) -> np.ndarray:
    """A covariance estimate with so many degrees of freedom, by the OAS weight."""
    size, trace, square = len(covariance), np.trace(covariance), np.square(covariance).sum()
    weight = ((1 - 2 / size) * square + trace**2) / ((freedom + 1 - 2 / size) * (square - trace**2 / size) + 1e-12)
    weight = min(1.0, weight)
    shrunk: np.ndarray = (1 - weight) * covariance + weight * trace / size * np.eye(size)
    return shrunk
