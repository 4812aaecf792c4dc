"""Which images of a pile have one source: the number of sources is found, not given.

Coordinates are the scorer's (``genprint.scoring.plda``), each image brought to one length (Garcia-Romero & Espy-Wilson,
"Analysis of i-vector Length Normalization in Speaker Recognition Systems", 2011). Groups grow by the evidence of all
their images; those that are sure say how images of one source vary in this pile, which the within-source covariance
is drawn towards; then groups grow again. Where to stop is learned, from piles of simulated sources and reference
generators (``benchmarks/sorting.py --learn``), and so is how sure an image's place is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import eigh

from genprint.fingerprints.fingerprint import by_part
from genprint.scoring.agglomeration import Points, Tree, agglomerate, split_features
from genprint.scoring.grouping_rules import RULES, SPLIT_FROM, Rules
from genprint.scoring.plda import PLDA
from genprint.scoring.threads import one_thread
from genprint.shipped import THUMBNAILS

#: Fewer images are no group: they are strays.
LEAST = 3
#: Strongest discriminants of each part that are looked at.
DIMENSIONS = 256
_PRIOR_IMAGES = 100.0  # that the learned within-source covariance counts for
_PRIOR_GROUPS = 5.0  # that the learned mean of all sources counts for
_FAR = 1e4  # nats, where there is no other group
_ROUNDS = 3  # in which images move to likelier groups
_NATS = 10.0  # beyond which ratios count by their logarithms

#: Probability of being no stray from which an image stays in its group, or joins its nearest.
STAY_FROM = 0.4


@dataclass(frozen=True)
class Grouping:
    """Groups of images.

    Attributes:
        labels: number of each image's group, the largest first, ``(n,)``; of a stray -1.
        nearest: of a stray, the group that it is likeliest of; of others, their own; -1 if there is none, ``(n,)``.
        probability: that the image is of that group's source, ``(n,)``.
        llr: natural log of the odds that two groups have one source, ``(groups, groups)``.
        at: of each image on a map, ``(n, 2)``.
    """

    labels: np.ndarray
    nearest: np.ndarray = field(repr=False)
    probability: np.ndarray = field(repr=False)
    llr: np.ndarray = field(repr=False)
    at: np.ndarray = field(repr=False)

    @property
    def groups(self) -> int:
        """Their number."""
        return len(self.llr)


@dataclass(frozen=True)
class Pile:
    """Images of a pile along the scorer's strongest discriminants.

    Attributes:
        values: ``(parts, n, d)``.
        between: variance of sources' means where that of images of one source is one, ``(parts, d)``.
        shares: of the parts in a log ratio, ``(parts,)``.
    """

    values: np.ndarray = field(repr=False)
    between: np.ndarray = field(repr=False)
    shares: np.ndarray

    @classmethod
    def of(cls, plda: PLDA, features: np.ndarray) -> Pile:
        """From features ``(n, parts * d)``."""
        parts = len(plda.within)
        along = [by_part(plda.project(rows), parts) for rows in np.array_split(features, len(features) // 2000 + 1)]
        values = np.concatenate([rows[:, :, ::-1][:, :, :DIMENSIONS] for rows in along], axis=1)
        between = by_part(plda.between_variance[None], parts)[:, 0, ::-1][:, :DIMENSIONS].clip(1e-6)
        return cls(values, between, plda.shares)

    def points(self, labels: np.ndarray | None = None) -> Points:
        """The images as they are clustered, after what groups found before say of how those of one source vary."""
        values, between = self.values, self.between
        if labels is not None:
            counts = np.bincount(labels).astype(float)
            starts = np.cumsum(counts).astype(int) - counts.astype(int)
            order, weights = np.argsort(labels, kind="stable"), np.sqrt(counts)
            means = np.add.reduceat(values[:, order], starts, axis=1) / counts[:, None]
            centre = (means * weights[:, None]).sum(1) / (weights.sum() + _PRIOR_GROUPS)
            values = values - centre[:, None]
            even = _of_one_length(values, between, self.shares)
            means = np.add.reduceat(even[:, order], starts, axis=1) / counts[:, None]
            deviations = even - means[:, labels]
            freedom = len(labels) - len(counts)
            learned = _PRIOR_IMAGES * np.eye(values.shape[2])
            within = (learned + deviations.swapaxes(1, 2) @ deviations) / (_PRIOR_IMAGES + freedom)
            axes = [eigh(np.diag(own), spread) for own, spread in zip(between, within, strict=True)]
            between = np.stack([own for own, _ in axes]).clip(1e-6)
            values = values @ np.stack([vectors for _, vectors in axes])
        even = _of_one_length(values, between, self.shares)
        joined = np.concatenate(list(even), axis=1).astype(np.float32)
        return Points(joined, between.ravel(), self.shares.repeat(values.shape[2]))


def _of_one_length(values: np.ndarray, between: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Each image as far from the mean of all as sources and images vary together."""
    squares = np.einsum("pnd,pd,p->n", np.square(values), 1 / (1 + between), shares) / values.shape[2]
    even: np.ndarray = values / np.sqrt(squares.clip(1e-12))[:, None]
    return even


@one_thread
def group(
    plda: PLDA,
    features: np.ndarray,
    rules: Rules = RULES[THUMBNAILS],
    progress: Callable[[int], None] | None = None,
) -> Grouping:
    """Groups of images of one source each.

    Args:
        plda: the scorer.
        features: of the pile's images, ``(n, parts * d)``.
        rules: of where to stop, learned for the scorer.
        progress: called with the number of images joined to others since its last call.
    """
    if len(features) < LEAST:
        return alone(len(features))
    points, tree = grown(Pile.of(plda, features), progress)
    labels = found(points, tree, rules)
    if labels.max() < 0:
        return alone(len(features))
    labels = without_strays(points, labels, rules)
    if labels.max() < 0:
        return alone(len(features))
    nearest, told = member_features(points, labels)
    return Grouping(labels, nearest, rules.right(told), _ratios(points, labels, rules), _map(points, labels))


def found(points: Points, tree: Tree, rules: Rules) -> np.ndarray:
    """Labels of the groups that stay apart, each image in its likeliest; -1 where groups are too small."""
    odds = rules.apart(tree.features())
    labels = by_size(tree.cut(odds > np.where(np.arange(len(odds)) < len(odds) - 1, SPLIT_FROM, rules.several)))
    for _ in range(_ROUNDS if labels.max() > 0 else 0):
        likeliest = densities(points, labels).argmax(1)
        moved = by_size(np.where(labels >= 0, likeliest, len(labels) + np.arange(len(labels))))
        if (moved == labels).all():
            break
        labels = moved
    return labels


def without_strays(points: Points, labels: np.ndarray, rules: Rules) -> np.ndarray:
    """Labels after strays left their groups, and others joined the nearest."""
    nearest, told = member_features(points, labels)
    stay = rules.stays(told) > STAY_FROM
    return by_size(np.where(stay, nearest, len(labels) + np.arange(len(labels))))


def alone(images: int) -> Grouping:
    """Nothing but strays."""
    none = np.full(images, -1)
    return Grouping(none, none, np.zeros(images), np.zeros((0, 0)), np.zeros((images, 2)))


def grown(pile: Pile, progress: Callable[[int], None] | None = None) -> tuple[Points, Tree]:
    """The images in the pile's own coordinates, and the tree of their groups."""
    points = pile.points()
    tree = agglomerate(points, progress=progress)
    points = pile.points(tree.cut(~sure(points, tree)))
    return points, agglomerate(points, progress=progress)


def sure(points: Points, tree: Tree) -> np.ndarray:
    """Whether for each join the scorer's log ratio, which overstates, speaks for one source, ``(n - 1,)``."""
    images = len(points.values)
    sums = np.zeros((2 * images - 1, points.values.shape[1]), np.float32)
    sums[:images] = points.values
    for i, (left, right) in enumerate(tree.children):
        sums[images + i] = sums[left] + sums[right]
    rows = np.array_split(np.arange(len(sums)), len(sums) // 2000 + 1)  # of many, all at once do not fit into memory
    evidence = np.concatenate([points.evidence(sums[some], tree.counts[some]) for some in rows])
    left, right = tree.children.T
    together: np.ndarray = evidence[images:] > evidence[left] + evidence[right]
    return together


def by_size(labels: np.ndarray) -> np.ndarray:
    """The largest group first; -1 of those with too few images."""
    counts = np.bincount(labels)
    order = np.argsort(-counts, kind="stable")
    place = np.empty(len(counts), int)
    place[order] = np.where(counts[order] >= LEAST, np.arange(len(counts)), -1)
    placed: np.ndarray = place[labels]
    return placed


def _sums(values: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums ``(groups, d)`` and counts ``(groups,)`` of the images that are in a group."""
    counts = np.bincount(labels[labels >= 0]).astype(float)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, labels[labels >= 0], values[labels >= 0])
    return sums, counts


def densities(points: Points, labels: np.ndarray) -> np.ndarray:
    """Log density of each image, were it of each group's source, ``(n, groups)``; it is left out of its own group."""
    values, (sums, counts) = points.values, _sums(points.values, labels)
    made = np.empty((len(values), len(counts)))
    for k in range(len(counts)):
        own = (labels == k)[:, None]
        many = counts[k] - own + 1 / points.between
        spread = 1 + 1 / many
        away = values - (sums[k] - own * values) / many
        made[:, k] = -(np.square(away) / spread + np.log(spread)) @ points.each / 2
    return made


def member_features(points: Points, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each image's group, or the nearest; and what tells whether the image is of its source, ``(n, 4)``.

    By how much likelier it is of that group than of any other, and than of an unknown source; how far it is from the
    other images of that group against how much they vary, and how many they are. The image itself is left out of its
    group.
    """
    likely = densities(points, labels)
    images, groups = likely.shape
    nearest = np.where(labels >= 0, labels, likely.argmax(1))
    rows = np.arange(images)
    here = likely[rows, nearest]
    spread = 1 + points.between
    unknown = -(np.square(points.values) / spread + np.log(spread)) @ points.each / 2
    likely[rows, nearest] = -np.inf
    margin = here - likely.max(1) if groups > 1 else np.full(images, _FAR)
    whole, (sums, counts) = points.whole.astype(float), _sums(points.whole, labels)
    own = labels >= 0
    scatter = np.bincount(labels[own], np.square(whole[own] - (sums / counts[:, None])[labels[own]]).sum(1))
    level = max(1e-9, np.square(whole - whole.mean(0)).sum(1).mean())  # they may be all alike
    others = counts[nearest] - own
    apart = np.square(whole - (sums[nearest] - own[:, None] * whole) / others[:, None]).sum(1) * others / (others + 1)
    within = (scatter[nearest] + level) / counts[nearest]
    nats = [np.arcsinh(ratio / _NATS) for ratio in (margin, here - unknown)]
    return nearest, np.stack([*nats, np.log(apart.clip(1e-12) / within), np.log(others)], axis=1)


def _ratios(points: Points, labels: np.ndarray, rules: Rules) -> np.ndarray:
    """Log odds that two groups have one source, by the rule that says where to stop."""
    whole, (sums, counts) = points.whole.astype(float), _sums(points.whole, labels)
    own, centres = labels >= 0, sums / counts[:, None]
    scatter = np.bincount(labels[own], np.square(whole[own] - centres[labels[own]]).sum(1))
    level = float(np.square(whole - whole.mean(0)).sum() / max(1, len(whole) - 1))
    left, right = np.triu_indices(len(counts), 1)
    apart = np.square(centres[left] - centres[right]).sum(1) * counts[left] * counts[right]
    apart = (apart / (counts[left] + counts[right])).clip(1e-12)
    told = split_features(apart, counts[left], counts[right], scatter[left] + scatter[right], level, points.expected)
    ratios = np.full((len(counts), len(counts)), np.inf)
    ratios[left, right] = ratios[right, left] = -rules.apart(told)
    return ratios


def _map(points: Points, labels: np.ndarray) -> np.ndarray:
    """The two directions along which the means of groups, or else the images, differ most."""
    whole, (sums, counts) = points.whole.astype(float), _sums(points.whole, labels)
    centres = sums / counts[:, None] if len(counts) > 2 else whole
    _, _, directions = np.linalg.svd(centres - centres.mean(0), full_matrices=False)
    at: np.ndarray = (whole - whole.mean(0)) @ directions[:2].T
    at *= np.where((at**3).sum(0) < 0, -1, 1)  # the sign of a direction is arbitrary; its skewness is the pile's own
    return np.pad(at, ((0, 0), (0, 2 - at.shape[1])))
