"""Sorting a pile: whether the groups found are the sources, and what the rules of where to stop are learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genprint.scoring.agglomeration import Points, Tree
from genprint.scoring.grouping import Pile, found, grown, member_features, without_strays
from genprint.scoring.grouping_rules import Rules, telling_strays
from genprint.scoring.plda import PLDA

# A source's name, and the rows of its images.
Drawn = list[tuple[str, np.ndarray]]
_RARE = 8.0  # how much a stray counts, of which there are few
_LEAST, _MOST = 3, 60  # images of a source in piles of varied sizes


@dataclass(frozen=True)
class Sorting:
    """How well a pile was sorted. True strays, and those that were called so, count as groups of one.

    Attributes:
        ari: adjusted Rand index (Hubert & Arabie, 1985).
        nmi: normalised mutual information.
        groups: that were found.
        sources: of more than one image in the pile.
        pure: share of images in groups that are of their group's commonest source.
        strays: share of true strays that are in no group; NaN without any.
        lost: share of the others that are in no group.
    """

    ari: float
    nmi: float
    groups: float
    sources: float
    pure: float
    strays: float
    lost: float

    @classmethod
    def of(cls, truth: np.ndarray, labels: np.ndarray) -> Sorting:
        """From the number of each image's source, and of its group; -1 of strays."""
        grouped = labels >= 0
        alone = np.bincount(truth)[truth] == 1
        each = np.where(grouped, labels, len(labels) + np.arange(len(labels)))
        right = sum(np.bincount(truth[labels == one]).max() for one in np.unique(labels[grouped]))
        return cls(
            ari=float(adjusted_rand_score(truth, each)),
            nmi=float(normalized_mutual_info_score(truth, each)),
            groups=len(np.unique(labels[grouped])),
            sources=len(np.unique(truth[~alone])),
            pure=float(right / grouped.sum()) if grouped.any() else float("nan"),
            strays=float((~grouped[alone]).mean()) if alone.any() else float("nan"),
            lost=float((~grouped[~alone]).mean()) if (~alone).any() else 0.0,
        )


def even(counts: Mapping[str, int], rng: np.random.Generator, sources: int = 10, images: int = 30) -> Drawn:
    """So many images of each of so many sources."""
    names = rng.choice(sorted(counts), min(sources, len(counts)), replace=False)
    return [(str(name), rng.permutation(counts[name])[:images]) for name in names]


def uneven(counts: Mapping[str, int], rng: np.random.Generator, images: int = 100) -> Drawn:
    """60 % of one source, 20 % of another, sources of three to five images, and one image in ten a stray.

    Fewer images where no source has as many as the first share, or there are too few sources.

    Raises:
        ValueError: not even a pile of 30 can be drawn.
    """
    for total in range(images, 29, -5):
        strays, rest = total // 10, total - total * 6 // 10 - total // 5 - total // 10
        small = [3 + int(size) for size in rng.integers(3, size=rest)]
        sizes = [size for size, before in zip(small, np.cumsum(small) - small, strict=True) if before + size <= rest]
        wanted = [total * 6 // 10, total // 5, *sizes, *[1] * strays]
        if len(wanted) <= len(counts) and max(counts.values()) >= wanted[0]:
            names, chosen = [str(name) for name in rng.permutation(sorted(counts))], []
            for size in wanted:
                name = next((one for one in names if counts[one] >= size), None)
                if name is None:
                    break
                names.remove(name)
                chosen.append((name, rng.permutation(counts[name])[:size]))
            else:
                return chosen
    raise ValueError("too few sources, or too few images of them, for a pile of unequal sources with strays")


def varied(counts: Mapping[str, int], rng: np.random.Generator) -> Drawn:
    """Any number of sources from 3 to 15, of 3 to 60 images, small numbers as often as large ones."""
    names = rng.choice(sorted(counts), min(int(rng.integers(3, 16)), len(counts)), replace=False)
    sizes = np.exp(rng.uniform(np.log(_LEAST), np.log(_MOST), len(names))).astype(int)
    return [(str(name), rng.permutation(counts[name])[:size]) for name, size in zip(names, sizes, strict=True)]


def few(counts: Mapping[str, int], rng: np.random.Generator) -> Drawn:
    """One source or two, of 15 to 79 images."""
    names = rng.choice(sorted(counts), int(rng.integers(1, 3)), replace=False)
    return [(str(name), rng.permutation(counts[name])[: int(rng.integers(15, 80))]) for name in names]


def piled(features: Mapping[str, np.ndarray], drawn: Drawn) -> tuple[np.ndarray, np.ndarray]:
    """Features of the images of a pile, and the number of each one's source."""
    rows = [features[name][chosen] for name, chosen in drawn]
    return np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(own) for own in rows])


#: What rules are learned from.
KINDS: tuple[Callable[[Mapping[str, int], np.random.Generator], Drawn], ...] = (even, uneven, varied, few)
Grown = tuple[np.ndarray, Points, Tree]


def grow(
    plda: PLDA, worlds: Iterable[Mapping[str, np.ndarray]], piles: int, seed: int, done: Callable[[], object]
) -> Iterator[Grown]:
    """Piles of each collection of sources' features, of each kind: truth, points and tree."""
    for world in worlds:
        counts = {name: len(rows) for name, rows in world.items()}
        for number in range(piles):
            for kind, draw in enumerate(KINDS):
                features, truth = piled(world, draw(counts, np.random.default_rng([seed, number, kind])))
                yield (truth, *grown(Pile.of(plda, features)))
                done()


def learn(piles: Sequence[Grown]) -> Rules:
    """The rules of where to stop, by logistic regressions, each by what the one before finds."""
    joins = [_joined(truth, tree) for truth, _, tree in piles]
    split = _logistic(
        np.concatenate([tree.features() for *_, tree in piles]),
        np.concatenate([apart for apart, _ in joins]),
        np.concatenate([weights for _, weights in joins]),
    )
    rules = Rules(split, (), ())
    first = [found(points, tree, rules) for _, points, tree in piles]
    told, right, stray = _members(piles, first)
    clear = right | stray
    belongs = _logistic(telling_strays(told[clear]), ~stray[clear], np.where(stray[clear], _RARE, 1.0))
    rules = Rules(split, belongs, ())
    told, right, _ = _members(
        piles,
        [
            without_strays(points, labels, rules) if labels.max() >= 0 else labels
            for (_, points, _), labels in zip(piles, first, strict=True)
        ],
    )
    return Rules(split, belongs, _logistic(told, right, None))


def _members(piles: Sequence[Grown], labels: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is told of all images, whether each is of its group's commonest source, and whether it is a stray."""
    told, right, stray = [], [], []
    for (truth, points, _), own in zip(piles, labels, strict=True):
        if own.max() < 0:
            continue
        nearest, features = member_features(points, own)
        commonest = np.array([np.bincount(truth[own == k]).argmax() for k in range(own.max() + 1)])
        alone = np.bincount(truth)[truth] == 1
        told.append(features)
        right.append((commonest[nearest] == truth) & ~alone)
        stray.append(alone)
    return np.concatenate(told), np.concatenate(right), np.concatenate(stray)


def _joined(truth: np.ndarray, tree: Tree) -> tuple[np.ndarray, np.ndarray]:
    """Of each join, whether most pairs of images across it are of two sources, and how much it matters."""
    images = len(truth)
    own = np.zeros((2 * images - 1, truth.max() + 1))
    own[np.arange(images), truth] = 1
    for i, (left, right) in enumerate(tree.children):
        own[images + i] = own[left] + own[right]
    left, right = tree.children.T
    same = (own[left] * own[right]).sum(1) / (tree.counts[left] * tree.counts[right])
    few = np.minimum(tree.counts[left], tree.counts[right])
    return same < 0.5, np.abs(2 * same - 1) * np.sqrt(few).clip(max=4)


def _logistic(features: np.ndarray, answers: np.ndarray, weights: np.ndarray | None) -> list[float]:
    """Constant and coefficients of a logistic regression."""
    scaled = make_pipeline(StandardScaler(), LogisticRegression())
    scaled.fit(features, answers, logisticregression__sample_weight=weights)
    scale, regression = scaled[0], scaled[1]
    coefficients = regression.coef_[0] / scale.scale_
    return [float(regression.intercept_[0] - coefficients @ scale.mean_), *map(float, coefficients)]
