"""Posteriors of sources' means in coordinates where the covariances within and between sources are diagonal."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Gaussians:
    """Posterior of the means of gallery sources under a PLDA: a Gaussian for each, given its enrolled images.

    Within-source variance is one in these coordinates. All posteriors share the variance of the best-enrolled source;
    what fewer or more varied images add to the squared distance on average is taken off. With per-source variances,
    well-enrolled sources attract the probes of poorly enrolled neighbours, because real models lie closer together than
    the simulated sources that the learned covariance is of.

    Attributes:
        between: variance of the sources' means, ``(parts * d,)``.
        mean: of each source, ``(n, parts * d)``.
        variance: of the mean of most images, ``(parts * d,)``.
        noise: variance of each mean beyond that, ``(n, parts * d)``.
        shares: of the equal parts that the coordinates come in, ``(parts,)``, one together; log ratios and densities
            are means over the parts by these.
    """

    between: np.ndarray = field(repr=False)
    mean: np.ndarray = field(repr=False)
    variance: np.ndarray = field(repr=False)
    noise: np.ndarray = field(repr=False)
    shares: np.ndarray

    @classmethod
    def of(
        cls, between: np.ndarray, means: np.ndarray, counts: np.ndarray, spread: np.ndarray, shares: np.ndarray
    ) -> Gaussians:
        """From sources' means ``(n, parts * d)``, counts ``(n, 1)`` and how much images of each vary, as the means."""
        gain = between / (between + 1 / counts)
        most = int(counts.argmax())
        noise = shrinkage_noise(between, means, 1 / counts, spread, most)
        return cls(between, gain * means, gain[most] / counts[most], noise, shares)

    def llr(self, means: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Raw log likelihood ratio (natural log) of each source against an unknown one, ``(n_probes, n)``.

        Args:
            means: of probes, ``(n_probes, parts * d)``.
            counts: of their images, ``(n_probes, 1)``.
        """
        variance = self.between + 1 / counts
        unknown = -(np.square(means) / variance + np.log(2 * np.pi * variance)) @ self.each / 2
        ratios: np.ndarray = self.log_density(means, counts) - unknown[:, None]
        return ratios

    def log_density(self, means: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Log density of each probe's mean, were it of each source, ``(n_probes, n)``."""
        densities = np.empty((len(means), len(self.mean)))
        for count in np.unique(counts):
            # Probes of one size share their variances, and squares of differences come as products of matrices.
            same = counts[:, 0] == count
            predicted = self.variance + 1 / count
            precision = self.each / predicted
            squared = np.square(means[same]) @ precision[:, None] - 2 * (means[same] * precision) @ self.mean.T
            squared += (np.square(self.mean) - self.noise) @ precision + np.log(2 * np.pi * predicted) @ self.each
            densities[same] = -squared / 2
        return densities

    @cached_property
    def each(self) -> np.ndarray:
        """The shares of single coordinates, ``(parts * d,)``."""
        return self.shares.repeat(len(self.between) // len(self.shares))


def shrinkage_noise(
    between: np.ndarray, means: np.ndarray, sampling: np.ndarray, spread: np.ndarray, most: int
) -> np.ndarray:
    """Variance of each posterior mean beyond that of the source with most images, ``(n, d)``.

    Args:
        between: variance of the sources' means, ``(d,)``.
        means: of sources, ``(n, d)``.
        sampling: variance of each mean by its few images, ``(n, 1)``.
        spread: how much images of each source vary, against the common within-source variance, ``(n, 1)`` or as means.
        most: the source with most images.
    """
    precision = 1 / (between + sampling)
    gain = between * precision
    # Moment estimate of this gallery's between-source variance; shrinkage drops (1 - gain)^2 of it.
    apart = np.average(np.square(means) - spread * sampling, axis=0, weights=precision).clip(0)
    sampled, drawn = np.square(gain) * sampling, np.square(1 - gain) * apart
    noise: np.ndarray = sampled * spread + drawn - (sampled + drawn)[most]
    return noise


def spreads(squared: np.ndarray, counts: np.ndarray, dimensions: int) -> np.ndarray:
    """How much images of each source vary, against the within-source variance, ``(n, parts)``.

    Of a single image, as the others do.

    Args:
        squared: sums of squared deviations of each source's images, ``(n, parts)``.
        counts: of images, ``(n, 1)``.
        dimensions: of a part.
    """
    freedom = counts - 1
    varied = squared / dimensions
    pooled = varied.sum(0) / freedom.sum() if freedom.any() else np.ones(squared.shape[1])
    return np.where(freedom > 0, varied / freedom.clip(1), pooled)
