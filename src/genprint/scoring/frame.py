"""A gallery in the coordinates of its own scorer, where leaving images out costs these images alone.

Setting thresholds asks a gallery about itself many times, with a few of its images left out of it and of the scorer.
Each time, the within-source covariance of d features changes by a matrix of rank k, the number of images. In
coordinates where the whole gallery's covariances are diagonal, everything a score needs is then diagonal plus rank k,
and is inverted in d k^2 steps (``genprint.scoring.low_rank``), in place of the d^3 of another joint diagonalisation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint, by_part
from genprint.scoring.gaussians import Gaussians, shrinkage_noise, spreads
from genprint.scoring.low_rank import LowRank

# Of no more images, the products of each with each other are kept.
_MOST_PRODUCTS = 2048


@dataclass(frozen=True)
class Sources:
    """The images of a gallery's sources, in some coordinates.

    Attributes:
        counts: of each source's images, ``(n,)``.
        means: of each source, float64 ``(n, d)``.
        deviations: of all images from the means of their sources, one under the other, ``(images, d)``.
    """

    counts: np.ndarray
    means: np.ndarray = field(repr=False)
    deviations: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, gallery: Sequence[np.ndarray]) -> Self:
        """From each source's images ``(images, d)``."""
        means = [images.mean(0) for images in gallery]
        deviations = [images - mean for images, mean in zip(gallery, means, strict=True)]
        return cls(np.array([len(images) for images in gallery]), np.stack(means), np.concatenate(deviations))

    @property
    def starts(self) -> np.ndarray:
        """Where each source's images start, ``(n,)``."""
        starts: np.ndarray = np.cumsum(self.counts) - self.counts
        return starts

    def means_of(self, source: int, sets: np.ndarray) -> np.ndarray:
        """Means ``(sets, d)`` of sets ``(sets, size)`` of a source's images, given by their numbers."""
        start = self.starts[source]
        means: np.ndarray = self.means[source] + set_means(self.deviations[start : start + self.counts[source]], sets)
        return means

    def without(self, left: Sequence[np.ndarray]) -> Rest:
        """What is left without some images of each source, given by their numbers."""
        lost = np.array([len(chosen) for chosen in left])
        whole, some = lost == self.counts, lost > 0
        out = np.concatenate([start + chosen for start, chosen in zip(self.starts, left, strict=True)])
        kept = np.ones(len(self.deviations), bool)
        kept[out] = whole.repeat(lost)
        counts, means = np.where(whole, self.counts, self.counts - lost), self.means.copy()
        starts, freedom = (np.cumsum(lost) - lost)[some], int(lost.sum() - whole.sum())
        rest = Rest(counts, means, kept, freedom, out, starts, counts[some, None])
        means[some] -= rest.moved(self.deviations)
        return rest


@dataclass(frozen=True)
class Rest:
    """A gallery without some images. A source that has lost all of them stays; the scorer alone has not seen it.

    Attributes:
        counts: of the images that each source has left, ``(n,)``.
        means: of these, ``(n, d)``.
        kept: whether an image is left, ``(images,)``.
        freedom: degrees of freedom that the scatter within the sources has lost.
        out: numbers of the images that are left out, ``(out,)``.
        starts: where among these those of a source start, ``(some,)``.
        left: how many that source has left, ``(some, 1)``.
    """

    counts: np.ndarray
    means: np.ndarray = field(repr=False)
    kept: np.ndarray = field(repr=False)
    freedom: int
    out: np.ndarray = field(repr=False)
    starts: np.ndarray = field(repr=False)
    left: np.ndarray = field(repr=False)

    def moved(self, values: np.ndarray) -> np.ndarray:
        """How far the means have moved back, ``(..., some, d)``, of values as for ``lost``."""
        moved: np.ndarray = np.add.reduceat(values[..., self.out, :], self.starts, axis=-2) / self.left
        return moved.astype(values.dtype)

    def lost(self, values: np.ndarray) -> np.ndarray:
        """Vectors ``(..., out + some, d)`` whose outer products the summed scatter within the sources has lost.

        They are of the images that are left out, and of how these pull at the means (Chan, Golub & LeVeque, 1983,
        equation 2.1).

        Args:
            values: of all images, ``(..., images, d)``: deviations from the means of their sources, or linear in these.
        """
        pull = self.moved(values) * np.sqrt(self.left).astype(values.dtype)
        return np.concatenate([values[..., self.out, :], pull], axis=-2)


def set_means(images: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Means ``(sets, d)`` of sets ``(sets, size)`` of images ``(images, d)``, given by their numbers."""
    shares = np.zeros((len(sets), len(images)), images.dtype)
    np.add.at(shares, (np.arange(len(sets))[:, None], sets), 1 / sets.shape[1])
    means: np.ndarray = shares @ images
    return means


@dataclass(frozen=True)
class PLDAFrame:
    """What a PLDA that is adapted to a gallery knows of it, in coordinates in which it scores without further ado.

    Attributes:
        project: takes features ``(n, parts * d)`` to these coordinates.
        between: variance of the sources' means, ``(parts * d,)``; images of one source vary with one.
        shares: in a log ratio, of the equal parts that features come in, ``(parts,)``, one together.
        weight: how many images the within-source covariance is of, those counted that it was learned from.
        sources: the gallery's, in these coordinates.
    """

    project: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    between: np.ndarray = field(repr=False)
    shares: np.ndarray = field(repr=False)
    weight: float
    sources: Sources

    def take(self, fingerprint: Fingerprint) -> np.ndarray:
        """The fingerprint's images in these coordinates, ``(images, parts * d)``."""
        return self.project(fingerprint.values)

    @cached_property
    def gaussians(self) -> Gaussians:
        """The posterior of each source."""
        counts, dimensions = self.sources.counts[:, None], self.deviations.shape[2]
        spread = spreads(self.summed(self.squared).T, counts, dimensions).repeat(dimensions, axis=1)
        return Gaussians.of(self.between, self.sources.means, counts, spread, self.shares)

    def llr(self, means: np.ndarray, count: int) -> np.ndarray:
        """Log ratios ``(n_probes, n)`` of each source against an unknown one, of means of so many images."""
        return self.gaussians.llr(means, np.full((len(means), 1), count))

    def without(self, left: Sequence[np.ndarray]) -> WithoutImages:
        """The same as if neither scorer nor gallery had seen some images of each source, given by their numbers.

        A source that loses all images stays enrolled. By how much the learned within-source covariance is narrowed
        (``PLDA.adapt``) stays that of the whole gallery.
        """
        return WithoutImages(self, self.sources.without(left))

    @cached_property
    def deviations(self) -> np.ndarray:
        """Of the images, ``(parts, images, d)``."""
        return by_part(self.sources.deviations, len(self.shares))

    @cached_property
    def squared(self) -> np.ndarray:
        """Squares of these, ``(parts, images)``."""
        squared: np.ndarray = np.einsum("pnd,pnd->pn", self.deviations, self.deviations).astype(np.float64)
        return squared

    def summed(self, values: np.ndarray) -> np.ndarray:
        """Values of all images ``(parts, images)``, summed over those of each source, ``(parts, n)``."""
        summed: np.ndarray = np.add.reduceat(values, self.sources.starts, axis=1)
        return summed

    def products(self, rest: Rest, lost: np.ndarray) -> np.ndarray:
        """Of all deviations with those that ``rest`` has lost, ``(parts, images, k)``."""
        if len(self.sources.deviations) > _MOST_PRODUCTS:
            products: np.ndarray = self.deviations @ lost.swapaxes(1, 2)
            return products
        return rest.lost(self._products).swapaxes(1, 2)

    @cached_property
    def _products(self) -> np.ndarray:
        products: np.ndarray = self.deviations @ self.deviations.swapaxes(1, 2)
        return products


class WithoutImages:
    """What a PLDA that is adapted to a gallery without some images knows of it."""

    def __init__(self, frame: PLDAFrame, rest: Rest):
        parts, self._shares = len(frame.shares), frame.shares
        self._between = by_part(frame.between[None], parts)[:, 0]
        # There are fewer images, which makes up for the freedom that is lost.
        self._scale = frame.weight / (frame.weight - rest.freedom)
        lost = rest.lost(frame.deviations)
        self._removed = lost / np.float32(np.sqrt(frame.weight))
        self._within = LowRank(np.full_like(self._between, self._scale), self._removed, self._scale)
        self._most = int(rest.counts.max())
        self._of_most = self._of_means(self._most)
        means = by_part(rest.means, parts)
        self._posterior = np.empty_like(means)
        for count in np.unique(rest.counts):
            same = rest.counts == count
            over_all = self._of_most if count == self._most else self._of_means(int(count))
            self._posterior[:, same] = self._between[:, None] * over_all.solve(means[:, same])
        across = self._within.halved(frame.products(rest, lost)) / np.sqrt(frame.weight * self._scale)
        squared = frame.squared / self._scale + np.einsum("pnk,pnk->pn", across, across)
        moved = self._within.embed(by_part(rest.means - frame.sources.means, parts))
        squared = frame.summed(squared * rest.kept) - rest.counts * np.square(moved).sum(2)
        self._noise = self._noise_of(means, rest.counts[:, None], squared.T)

    def _of_means(self, count: int) -> LowRank:
        """Covariance of means of so many images, over all sources."""
        scale = self._scale / count
        return LowRank(self._between + scale, self._removed, scale)

    def _noise_of(self, means: np.ndarray, counts: np.ndarray, squared: np.ndarray) -> np.ndarray:
        """Variance of each posterior mean beyond that of the source with most images, ``(parts, n, d)``.

        By the variances of the whole gallery: a correction of a correction.

        Args:
            means: of the sources, ``(parts, n, d)``.
            counts: of their images, ``(n, 1)``.
            squared: sums of their squared deviations under the covariance that is left, ``(n, parts)``.
        """
        spread, most = spreads(squared, counts, means.shape[2]), int(counts.argmax())
        noise = [
            shrinkage_noise(between, own, self._scale / counts, varied[:, None], most)
            for between, own, varied in zip(self._between, means, spread.T, strict=True)
        ]
        return np.stack(noise)

    def llr(self, means: np.ndarray, count: int) -> np.ndarray:
        """Log ratios ``(n_probes, n)`` of each source against an unknown one, of means of so many images."""
        probes, within, unknown = by_part(means, len(self._between)), self._within, self._of_means(count)
        # What a source predicts of a probe's mean has the covariance P = inv(inv(B) + m inv(W)) + W / n, where B is
        # between sources and W within them. Of c = n + m images, inv(P) = n m / c inv(W) + (n / c)^2 inv(B + W / c),
        # and |P| = |W| |B + W / c| / |B + W / m| times (1 / n + 1 / m) to the power of d.
        both = count + self._most
        of_both = self._of_means(both)
        terms = (within, count * self._most / both), (of_both, (count / both) ** 2)
        rows = np.concatenate([probes, self._posterior], axis=1)
        embedded = np.concatenate([np.sqrt(weight) * own.embed(rows) for own, weight in terms], axis=2)
        asked, known = np.split(embedded, [len(means)], axis=1)
        precision = np.sum([weight * own.inverse_diagonal for own, weight in terms], axis=0)
        squared = np.square(known).sum(2) - (self._noise @ precision[:, :, None])[:, :, 0]
        distances = np.square(asked).sum(2)[:, :, None] - 2 * asked @ known.swapaxes(1, 2) + squared[:, None]
        away = np.square(unknown.embed(probes)).sum(2)
        predicted = within.log_determinant + of_both.log_determinant - self._of_most.log_determinant
        predicted += probes.shape[2] * np.log(1 / count + 1 / self._most)
        ratios = away[:, :, None] - distances + (unknown.log_determinant - predicted)[:, None, None]
        mean: np.ndarray = np.tensordot(self._shares, ratios, 1) / 2
        return mean
