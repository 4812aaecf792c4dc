"""Linear discriminants: squared distances by the gallery's own within-source covariance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint, by_part
from genprint.scoring.distances import root_distances
from genprint.scoring.frame import Sources
from genprint.scoring.scatter import pooled_scatter

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
        return self._of(*pooled_scatter(gallery))

    @classmethod
    def _of(cls, scatter: np.ndarray, freedom: int) -> LDA:
        white = np.stack([_white(within, freedom) for within in scatter / max(1, freedom)])
        return cls(white, scatter, freedom)

    def without(self, rows: np.ndarray, freedom: int) -> LDA:
        """The scorer without images that it was adapted to, whose scatter is that of ``rows`` ``(k, parts * d)``."""
        if self.scatter is None:
            raise ValueError(_UNADAPTED)
        parts = by_part(rows, len(self.scatter))
        return self._of(self.scatter - parts.swapaxes(1, 2) @ parts, self.freedom - freedom)

    def enroll(self, gallery: Sequence[Fingerprint]) -> Centres:
        """The means of the gallery's sources."""
        return Centres(self, self.coordinates(gallery), gallery)

    def roughly(self, gallery: Sequence[Fingerprint]) -> Centres:
        """The same, adapted to the gallery first."""
        return self.adapt(gallery).enroll(gallery)

    def whiten(self, features: np.ndarray) -> np.ndarray:
        """Features ``(n, parts * d)`` whitened by the within-source covariance.

        Raises:
            ValueError: not adapted yet.
        """
        if self.white is None:
            raise ValueError(_UNADAPTED)
        parts: np.ndarray = by_part(features, len(self.white)) @ self.white
        return parts.swapaxes(0, 1).reshape(features.shape)

    def coordinates(self, sets: Sequence[Fingerprint]) -> np.ndarray:
        """Means ``(n, parts * d)``, whitened."""
        return self.whiten(np.stack([images.mean for images in sets]))

    def distances(self, fingerprints: Sequence[Fingerprint]) -> np.ndarray:
        """Mahalanobis distances between sources' means, ``(n, n)``."""
        return root_distances(-2 * self.enroll(fingerprints).llr(fingerprints))


@dataclass(frozen=True, eq=False)
class Centres:
    """Means of gallery sources, in the coordinates of ``LDA.whiten``, ``(n, parts * d)``."""

    lda: LDA
    mean: np.ndarray = field(repr=False)
    gallery: Sequence[Fingerprint] = field(repr=False)

    def llr(self, probes: Sequence[Fingerprint]) -> np.ndarray:
        """Scores ``(n_probes, n)``: as log ratios they lack the unknown source, and are never above zero."""
        return self.of(self.lda.coordinates(probes))

    def of(self, coordinates: np.ndarray) -> np.ndarray:
        """The same of probes' means in those coordinates."""
        return -self._squared(coordinates) / 2 / self._parts

    def frame(self) -> LDAFrame:
        """What asks a gallery that the scorer is adapted to about itself."""
        return LDAFrame(self.lda, Sources.of([source.values.astype(np.float64) for source in self.gallery]))

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


@dataclass(frozen=True, eq=False)
class LDAFrame:
    """A gallery and the LDA that is adapted to it, in the features' own coordinates: its covariance is shrunk there."""

    lda: LDA
    sources: Sources

    def take(self, fingerprint: Fingerprint) -> np.ndarray:
        """The features of its images."""
        return fingerprint.values.astype(np.float64)

    def llr(self, means: np.ndarray, count: int) -> np.ndarray:  # noqa: ARG002 (of any number alike)
        """Scores ``(n_probes, n)`` of means of so many images."""
        return self._centres.of(self.lda.whiten(means))

    def without(self, left: Sequence[np.ndarray]) -> LDAFrame:
        """The same as if neither scorer nor gallery had seen some images of each source, given by their numbers."""
        rest = self.sources.without(left)
        lda = self.lda.without(rest.lost(self.sources.deviations), rest.freedom)
        return LDAFrame(lda, replace(self.sources, means=rest.means))

    @cached_property
    def _centres(self) -> Centres:
        return Centres(self.lda, self.lda.whiten(self.sources.means), ())


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
