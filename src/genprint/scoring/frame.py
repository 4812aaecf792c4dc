"""A gallery in the coordinates of its own scorer, where leaving images out costs these images alone.

Setting thresholds asks a gallery about itself many times, with a few of its images left out of it and of the scorer.
Each time, the within-source covariance of d features changes by a matrix of rank k, the number of images. In
coordinates where the whole gallery's covariances are diagonal, everything a score needs is then diagonal plus rank k or
2 k, and is inverted by the formula of Sherman, Morrison & Woodbury in d k^2 steps, in place of the d^3 of another joint
diagonalisation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from genprint.fingerprints.fingerprint import Fingerprint, by_part
from genprint.scoring.gaussians import Gaussians, shrinkage_noise, spreads

# What is left out of a source, and what is left of it; None: nothing.
LeftOutImages = tuple[Fingerprint, Fingerprint | None]


def deviations(left: Sequence[LeftOutImages]) -> tuple[np.ndarray, int]:
    """What leaving images out takes from the summed scatter of their sources.

    Returns:
        Vectors ``(k, d)`` whose outer products it is (Chan, Golub & LeVeque, 1983, equation 2.1), and its degrees of
        freedom.
    """
    rows, freedom = [], 0
    for out, rest in left:
        rows.append(out.values.astype(np.float64) - out.mean)
        freedom += len(out)
        if rest is None:
            freedom -= 1
        else:
            weight = np.sqrt(len(out) * len(rest) / (len(out) + len(rest)))
            rows.append(weight * (out.mean - rest.mean)[None])
    return np.concatenate(rows), freedom


def _means(fingerprints: Sequence[Fingerprint]) -> tuple[np.ndarray, np.ndarray]:
    """Means ``(n, d)`` and counts ``(n, 1)``."""
    counts = np.array([fingerprint.count for fingerprint in fingerprints])[:, None]
    return np.stack([fingerprint.mean for fingerprint in fingerprints]), counts


@dataclass(frozen=True)
class PLDAFrame:
    """The coordinates of an adapted PLDA, in which it scores without further ado.

    Attributes:
        project: takes features ``(n, parts * d)`` to these coordinates.
        between: variance of the sources' means, ``(parts * d,)``; images of one source vary with one.
        parts: equal parts that features come in.
        weight: how many images the within-source covariance is of, those counted that it was learned from.
    """

    project: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    between: np.ndarray = field(repr=False)
    parts: int
    weight: float

    def take(self, fingerprint: Fingerprint) -> Fingerprint:
        """The fingerprint with its features in these coordinates, float64."""
        return replace(fingerprint, features=self.project(fingerprint.values))

    def enroll(self, gallery: Sequence[Fingerprint]) -> FrameEnrollment:
        """What the gallery's images say of their sources; fingerprints are in these coordinates."""
        means, counts = _means(gallery)
        squared = np.stack([np.square(self.by_part(source)).sum((1, 2)) for source in gallery])
        dimensions = means.shape[1] // self.parts
        spread = spreads(squared, counts, dimensions).repeat(dimensions, axis=1)
        return FrameEnrollment(Gaussians.of(self.between, means, counts, spread, self.parts))

    def by_part(self, source: Fingerprint) -> np.ndarray:
        """Deviations of a source's images from their mean, ``(parts, n, d)``."""
        return by_part(source.values - source.mean, self.parts)

    def without(self, left: Sequence[LeftOutImages]) -> WithoutImages:
        """The scorer as if it had not been adapted to these images, which it was.

        By how much the learned within-source covariance is narrowed (``PLDA.adapt``) stays that of the whole gallery.
        """
        rows, freedom = deviations(left)
        removed = by_part(rows / np.sqrt(self.weight), self.parts).swapaxes(1, 2)
        return WithoutImages(self, removed, self.weight / (self.weight - freedom))


@dataclass(frozen=True)
class FrameEnrollment:
    """What a PLDA knows of a gallery, in its own coordinates."""

    gaussians: Gaussians

    def llr(self, probes: Sequence[Fingerprint]) -> np.ndarray:
        """Raw log likelihood ratio of each source against an unknown one, ``(n_probes, n)``."""
        return self.gaussians.llr(*_means(probes))


@dataclass(frozen=True)
class WithoutImages:
    """A PLDA without some of the images that it was adapted to.

    Attributes:
        frame: of the whole gallery.
        removed: deviations of the images left out, ``(parts, d, k)``.
        scale: what the within-source covariance is multiplied by, for there are fewer images.
    """

    frame: PLDAFrame
    removed: np.ndarray = field(repr=False)
    scale: float

    def enroll(self, gallery: Sequence[Fingerprint]) -> EnrollmentWithout:
        """What the gallery's images say of their sources."""
        means, counts = _means(gallery)
        inner = np.eye(self.removed.shape[2]) - self.removed.swapaxes(1, 2) @ self.removed
        squared = np.stack([self._squared(self.frame.by_part(source), inner) for source in gallery])
        spread = spreads(squared / self.scale, counts, self.removed.shape[1])
        between = by_part(self.frame.between[None], self.frame.parts)[:, 0]
        parts = zip(between, self.removed, by_part(means, self.frame.parts), spread.T, strict=True)
        return EnrollmentWithout([_Part(*part, self.scale, counts) for part in parts])

    def _squared(self, rows: np.ndarray, inner: np.ndarray) -> np.ndarray:
        """Sums of squares of rows ``(parts, n, d)`` under the covariance that is left, less its scale."""
        across = rows @ self.removed
        more: np.ndarray = across * np.linalg.solve(inner, across.swapaxes(1, 2)).swapaxes(1, 2)
        squared: np.ndarray = np.square(rows).sum((1, 2)) + more.sum((1, 2))
        return squared


class EnrollmentWithout:
    """What is known of a gallery without some images; scores as ``Gaussians`` do."""

    def __init__(self, parts: Sequence[_Part]):
        self._parts = parts

    def llr(self, probes: Sequence[Fingerprint]) -> np.ndarray:
        """Raw log likelihood ratio of each source against an unknown one, ``(n_probes, n)``."""
        means, counts = _means(probes)
        by_parts = by_part(means, len(self._parts))
        ratios = np.empty((len(probes), self._parts[0].sources))
        for count in np.unique(counts):
            same = counts[:, 0] == count
            found = [part.llr(rows[same], int(count)) for part, rows in zip(self._parts, by_parts, strict=True)]
            ratios[same] = np.mean(found, axis=0)
        return ratios


class _LowRank:
    """The covariance ``diag(diagonal) - factors @ inv(inverse) @ factors.T``, factorised.

    Args:
        diagonal: ``(d,)``.
        factors: ``(d, k)``.
        inverse: ``(k, k)``, positive definite.
    """

    def __init__(self, diagonal: np.ndarray, factors: np.ndarray, inverse: np.ndarray):
        self._diagonal = diagonal
        self._scaled = factors / diagonal[:, None]
        self._small = cho_factor(inverse - factors.T @ self._scaled)
        ratio = np.linalg.slogdet(inverse)[1] - 2 * np.log(np.diag(self._small[0])).sum()
        self.log_determinant = float(np.log(diagonal).sum() - ratio)

    def solve(self, rows: np.ndarray) -> np.ndarray:
        """Rows ``(n, d)`` times the inverse."""
        found: np.ndarray = rows / self._diagonal + cho_solve(self._small, self._scaled.T @ rows.T).T @ self._scaled.T
        return found

    def inverse_diagonal(self) -> np.ndarray:
        """The diagonal of the inverse, ``(d,)``."""
        factor, lower = self._small
        halved = solve_triangular(factor, self._scaled.T, trans=0 if lower else 1, lower=lower)
        found: np.ndarray = 1 / self._diagonal + np.square(halved).sum(0)
        return found


class _Part:
    """A gallery by one part of the features, with images left out.

    Args:
        between: variance of the sources' means, ``(d,)``.
        removed: deviations of the images left out, ``(d, k)``.
        means: of the sources, ``(n, d)``.
        spread: how much images of each vary, ``(n,)``.
        scale: of the within-source covariance.
        counts: of the sources' images, ``(n, 1)``.
    """

    def __init__(
        self,
        between: np.ndarray,
        removed: np.ndarray,
        means: np.ndarray,
        spread: np.ndarray,
        scale: float,
        counts: np.ndarray,
    ):
        self.sources = len(means)
        self._between, self._removed, self._scale = between, removed, scale
        self._identity = np.eye(removed.shape[1])
        self._most = int(counts.max())
        self._posterior = np.empty_like(means)
        for count in np.unique(counts):
            same = counts[:, 0] == count
            self._posterior[same] = between * self._of_means(int(count)).solve(means[same])
        # By the variances of the whole gallery: a correction of a correction.
        self._noise = shrinkage_noise(between, means, scale / counts, spread[:, None], int(counts.argmax()))

    def _of_means(self, count: int) -> _LowRank:
        """Covariance of means of so many images, over all sources."""
        return _LowRank(self._between + self._scale / count, self._removed, self._identity * count / self._scale)

    def _predictive(self, count: int) -> _LowRank:
        """Covariance of a probe's mean of so many images about a source's posterior mean."""
        total = self._between + self._scale / self._most
        gain = self._between / total
        inverse = np.zeros((2 * len(self._identity),) * 2)
        small = inverse[: len(self._identity), : len(self._identity)]
        small[:] = self._identity * self._most / self._scale - self._removed.T @ (self._removed / total[:, None])
        inverse[len(small) :, len(small) :] = self._identity * count / self._scale
        diagonal = self._between * (1 - gain) + self._scale / count
        return _LowRank(diagonal, np.hstack([gain[:, None] * self._removed, self._removed]), inverse)

    @cache  # noqa: B019 (it lives as long as the cohort asks)
    def _at(self, count: int) -> tuple[_LowRank, _LowRank, np.ndarray, np.ndarray]:
        """What probes of so many images share: both covariances, solved posterior means, and their squares."""
        predictive, unknown = self._predictive(count), self._of_means(count)
        solved = predictive.solve(self._posterior)
        squared = (solved * self._posterior).sum(1) - self._noise @ predictive.inverse_diagonal()
        return predictive, unknown, solved, squared

    def llr(self, probes: np.ndarray, count: int) -> np.ndarray:
        """Of probes' means ``(m, d)`` of so many images, ``(m, n)``."""
        predictive, unknown, solved, squared = self._at(count)
        distances = (predictive.solve(probes) * probes).sum(1)[:, None] - 2 * probes @ solved.T + squared
        away = (unknown.solve(probes) * probes).sum(1)[:, None]
        ratios: np.ndarray = (away + unknown.log_determinant - distances - predictive.log_determinant) / 2
        return ratios
