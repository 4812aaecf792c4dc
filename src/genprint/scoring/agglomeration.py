"""Agglomerative clustering of images by the evidence that groups have one source, as a PLDA has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

#: Of more images, the nearest are joined in rounds first: all pairs of these are scored at every step.
MOST = 1500
_CANDIDATES, _BLOCK = 4, 1000
_LEVEL = 0.7  # of the scatter of all images: about that of those of one source
_LEAST = 1e-9  # of images that are all alike
_PRIOR = 4.0  # images that this counts for where a group has few


@dataclass(frozen=True)
class Points:
    """Images in coordinates in which those of one source vary with variance one.

    Attributes:
        values: float32 ``(n, d)``.
        between: variance of the sources' means, ``(d,)``.
        each: share of a coordinate in a log ratio, ``(d,)``; those of a part are equal (``genprint.scoring.plda``).
    """

    values: np.ndarray = field(repr=False)
    between: np.ndarray = field(repr=False)
    each: np.ndarray = field(repr=False)

    def evidence(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Log density of the images of a source against that of as many at its prior's centre, ``(n,)``.

        The marginal of a Gaussian of known covariance whose mean is drawn with variance ``between``.

        Args:
            sums: of the images of each group, ``(n, d)``.
            counts: of them, ``(n,)``.
        """
        spread = 1 + counts[:, None] * self.between
        terms = np.square(sums) * (self.between / spread) - np.log(spread)
        evidence: np.ndarray = terms @ self.each / 2
        return evidence

    @cached_property
    def whole(self) -> np.ndarray:
        """Coordinates over their spread in all sources, times the roots of their shares."""
        whole: np.ndarray = self.values * np.sqrt(self.each / (1 + self.between)).astype(np.float32)
        return whole

    @property
    def expected(self) -> float:
        """Mean square of deviations from their source's mean that the scorer expects of ``whole``."""
        return float((self.each / (1 + self.between)).sum())


@dataclass(frozen=True)
class Tree:
    """In which order groups were joined.

    Attributes:
        children: of each join, ``(n - 1, 2)``: numbers of images, or ``n`` and the number of an earlier join.
        counts: of the images of every image and join, ``(2 n - 1,)``.
        apart: squared distance of the means of what was joined, over the variance of their difference were it one
            source's, ``(n - 1,)``.
        scatter: summed squares of deviations from the mean of each join, ``(2 n - 1,)``.
        expected: mean square of deviations from the mean of a source, as the scorer expects it.
    """

    children: np.ndarray
    counts: np.ndarray
    apart: np.ndarray
    scatter: np.ndarray
    expected: float

    def features(self) -> np.ndarray:
        """What tells of each join whether it joined two sources, ``(n - 1, 5)``; see ``split_features``."""
        left, right = self.children.T
        level = self.scatter[-1] / max(1, self.counts[-1] - 1)
        return split_features(
            self.apart, self.counts[left], self.counts[right], self.scatter[left] + self.scatter[right], level,
            self.expected,
        )  # fmt: skip

    def cut(self, apart: np.ndarray) -> np.ndarray:
        """Labels ``(n,)``, from the top down: joins for which ``apart`` holds are undone."""
        images = len(self.children) + 1
        labels, found, waiting = np.zeros(images, int), 0, [(2 * images - 2, -1)]
        while waiting:
            node, group = waiting.pop()
            if group < 0 and (node < images or not apart[node - images]):
                group, found = found, found + 1
            if node < images:
                labels[node] = group
            else:
                waiting += [(int(child), group) for child in self.children[node - images]]
        return labels


def split_features(
    apart: np.ndarray, left: np.ndarray, right: np.ndarray, scatter: np.ndarray, level: float, expected: float
) -> np.ndarray:
    """What tells whether two groups are of two sources, ``(n, 5)``.

    How far their means are apart against how much images vary about them, how many there are, and how that compares
    with what the scorer expects.

    Args:
        apart: as ``Tree`` has it.
        left: number of images of one group.
        right: of the other.
        scatter: of both about their own means.
        level: mean square of all images' deviations.
        expected: as ``Tree`` has it.
    """
    level = max(level, _LEAST)
    within = (scatter + _PRIOR * _LEVEL * level) / (left + right - 2 + _PRIOR)
    ratio, few = np.log(apart / within), np.log(np.minimum(left, right))
    return np.stack([ratio, few, np.log(np.maximum(left, right)), np.log(within / expected), ratio * few], axis=1)


class _Joining:
    """Groups while they are being joined."""

    def __init__(self, points: Points):
        values = points.values
        self.points, images = points, len(values)
        self.sums, self.counts = values.copy(), np.ones(images)
        self.own = points.evidence(self.sums, self.counts)
        self.nodes = np.arange(images)
        self.whole = points.whole.astype(np.float64)
        self.scatter = np.zeros(images)
        self.children: list[tuple[int, int]] = []
        self.apart: list[float] = []
        self.all_counts, self.all_scatter = [1.0] * images, [0.0] * images
        self.images = images

    def ratios(self, one: int, others: np.ndarray) -> np.ndarray:
        """Log ratio that a group and each of others have one source, against each its own."""
        together = self.points.evidence(self.sums[others] + self.sums[one], self.counts[others] + self.counts[one])
        ratios: np.ndarray = together - self.own[others] - self.own[one]
        return ratios

    def join(self, one: int, other: int) -> None:
        """The second becomes part of the first."""
        many, more = self.counts[one], self.counts[other]
        difference = self.whole[one] / many - self.whole[other] / more
        apart = many * more / (many + more) * float(difference @ difference)
        self.children.append((int(self.nodes[one]), int(self.nodes[other])))
        self.apart.append(max(apart, 1e-12))
        self.nodes[one] = self.images + len(self.children) - 1
        self.scatter[one] += self.scatter[other] + apart
        self.whole[one] += self.whole[other]
        self.sums[one] += self.sums[other]
        self.counts[one] += more
        self.own[one] = self.points.evidence(self.sums[[one]], self.counts[[one]])[0]
        self.all_counts.append(self.counts[one])
        self.all_scatter.append(self.scatter[one])

    def keep(self, kept: np.ndarray) -> None:
        """Only these groups go on."""
        for name in ("sums", "counts", "own", "nodes", "whole", "scatter"):
            setattr(self, name, getattr(self, name)[kept])

    def tree(self) -> Tree:
        return Tree(
            np.array(self.children), np.array(self.all_counts), np.array(self.apart), np.array(self.all_scatter),
            self.points.expected,
        )  # fmt: skip


def agglomerate(points: Points, most: int = MOST, progress: Callable[[int], None] | None = None) -> Tree:
    """Joins the two groups for which it speaks most that they have one source, until all are one.

    Of more than ``most`` images, those that are each other's nearest are joined in rounds first.

    Args:
        points: at least two images.
        most: groups of which all pairs are scored.
        progress: called with the number of groups that were joined since its last call.
    """
    joining = _Joining(points)
    while len(joining.nodes) > most:
        before = len(joining.nodes)
        _round(joining, before - most)
        if progress:
            progress(before - len(joining.nodes))
    _by_pairs(joining)
    return joining.tree()


def _round(joining: _Joining, most: int) -> None:
    """Joins groups that are each other's nearest: the clearer half of them, ``most`` at most."""
    centres = (joining.whole / joining.counts[:, None]).astype(np.float32)
    counts = joining.counts.astype(np.float32)
    squares = np.square(centres).sum(1)
    groups = len(centres)
    best, nearest = np.full(groups, -np.inf), np.zeros(groups, int)
    for start in range(0, groups, _BLOCK):
        rows = np.arange(start, min(groups, start + _BLOCK))
        away = squares[rows, None] + squares - 2 * centres[rows] @ centres.T
        away *= counts[rows, None] * counts / (counts[rows, None] + counts)
        away[np.arange(len(rows)), rows] = np.inf
        near = np.argpartition(away, _CANDIDATES, axis=1)[:, :_CANDIDATES]
        for column in near.T:
            together = joining.points.evidence(
                joining.sums[rows] + joining.sums[column], joining.counts[rows] + joining.counts[column]
            )
            ratios = together - joining.own[rows] - joining.own[column]
            # For both, so that the best pair of all is mutual, and there is always one to join.
            for those, others in ((rows, column), (column, rows)):
                order = np.argsort(ratios)  # of several for one group, the best comes last and stays
                order = order[ratios[order] > best[those[order]]]
                best[those[order]], nearest[those[order]] = ratios[order], others[order]
    mutual = np.flatnonzero((nearest[nearest] == np.arange(groups)) & (np.arange(groups) < nearest))
    chosen = mutual[np.argsort(-best[mutual])][: max(1, min(most, (len(mutual) + 1) // 2))]
    for one in chosen:
        joining.join(int(one), int(nearest[one]))
    joining.keep(np.setdiff1d(np.arange(groups), nearest[chosen]))


def _by_pairs(joining: _Joining) -> None:
    """Joins groups, the best pair first, until one is left."""
    groups = len(joining.nodes)
    ratios = np.full((groups, groups), -np.inf, np.float32)
    for i in range(1, groups):
        ratios[i, :i] = joining.ratios(i, np.arange(i))
    ratios = np.maximum(ratios, ratios.T)
    best, alive = ratios.max(1), np.ones(groups, bool)
    for _ in range(groups - 1):
        one = int(best.argmax())
        other = int(ratios[one].argmax())
        joining.join(one, other)
        alive[other] = False
        ratios[other] = ratios[:, other] = ratios[one] = -np.inf
        rest = np.flatnonzero(alive)
        rest = rest[rest != one]
        best[other] = -np.inf
        if not len(rest):
            return
        stale = rest[np.isin(ratios[rest].argmax(1), (one, other))]
        ratios[one, rest] = ratios[rest, one] = joining.ratios(one, rest)
        best[one] = ratios[one].max()
        best[rest] = np.maximum(best[rest], ratios[rest, one])
        best[stale] = ratios[stale].max(1)
