"""Families: whether the tree of sources agrees with what is known of them, and whether distance orders kinship."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from genprint.answers.families import FamilyTree, locally_scaled

PERMUTATIONS = 999


@dataclass(frozen=True)
class Agreement:
    """How well a tree agrees with known labels.

    Attributes:
        sources: leaves with a label.
        k: number of labels; the tree is cut into as many families.
        ami: adjusted mutual information of families and labels (0 by chance, 1 at best).
        ari: adjusted Rand index, likewise.
        purity: dendrogram purity (Heller & Ghahramani, "Bayesian Hierarchical Clustering", 2005).
        cophenetic: correlation of the tree's distances with 'of another label'.
        nearest: share of sources whose nearest other source, by scaled distance, has the same label.
        p: share of random relabelings with as high a purity.
    """

    sources: int
    k: int
    ami: float
    ari: float
    purity: float
    cophenetic: float
    nearest: float
    p: float


def agreement(
    tree: FamilyTree, labels: Mapping[str, str], seed: int = 0, permutations: int = PERMUTATIONS
) -> Agreement:
    """Compares a tree with the labels of its sources; every source needs one.

    Raises:
        ValueError: a source has no label, or all have the same.
    """
    missing = [name for name in tree.sources if name not in labels]
    if missing:
        raise ValueError(f"no label for {', '.join(missing[:5])}")
    known = np.unique([labels[name] for name in tree.sources], return_inverse=True)[1]
    k = int(known.max()) + 1
    if k < 2:
        raise ValueError("all sources have the same label")
    cut = list(tree.cut(k).values())
    sides = _sides(tree)
    purity = _purity(sides, known)
    rng = np.random.default_rng(seed)
    chance = np.array([_purity(sides, rng.permutation(known)) for _ in range(permutations)])
    apart = locally_scaled(tree.distances) + np.diag(np.full(len(known), np.inf))
    different = squareform((known[:, None] != known[None]).astype(float), checks=False)
    return Agreement(
        len(known), k, float(adjusted_mutual_info_score(known, cut)), float(adjusted_rand_score(known, cut)), purity,
        float(np.corrcoef(hierarchy.cophenet(tree.linkage), different)[0, 1]),
        float((known[apart.argmin(1)] == known).mean()),
        float((1 + (chance >= purity - 1e-12).sum()) / (1 + permutations)),
    )  # fmt: skip


def _sides(tree: FamilyTree) -> np.ndarray:
    """Which leaves are below either side of each branch, ``(2, n - 1, n)``."""
    below = list(np.eye(len(tree.sources)))
    pairs = []
    for left, right, *_ in tree.linkage:
        pairs.append((below[int(left)], below[int(right)]))
        below.append(below[int(left)] + below[int(right)])
    return np.array(pairs).swapaxes(0, 1)


def _purity(sides: np.ndarray, known: np.ndarray) -> float:
    """Mean, over pairs of leaves with one label, of that label's share below their lowest common ancestor."""
    left, right = sides @ np.eye(known.max() + 1)[known]  # leaves of each label
    pairs, both = left * right, left + right
    shares = pairs * both / both.sum(1, keepdims=True)
    return float(shares.sum() / pairs.sum()) if pairs.any() else 1.0


#: nearest kin first
RELATIONS = ("descendant", "seed", "architecture", "class")


@dataclass(frozen=True)
class Kinship:
    """Distances by kinship.

    Attributes:
        mean: mean distance of pairs of each relation: a descendant and its parent, two seeds of one architecture, two
            architectures of one class, two classes.
        pairs: how many there are of each.
        order: rank correlation (Spearman) of relation and distance.
    """

    mean: dict[str, float]
    pairs: dict[str, int]
    order: float


def kinship(names: Sequence[str], apart: np.ndarray, about: Mapping[str, Mapping[str, str]]) -> Kinship:
    """Orders pairs of sources by what is known of them: ``class``, ``architecture``, ``parent`` (or '') of each."""
    ranks, values = [], []
    for i, a in enumerate(names):
        for j in range(i):
            b = names[j]
            relation = _relation(about[a], about[b], a, b)
            if relation is not None:
                ranks.append(RELATIONS.index(relation))
                values.append(apart[i, j])
    by_rank = {name: [v for r, v in zip(ranks, values, strict=True) if r == i] for i, name in enumerate(RELATIONS)}
    return Kinship(
        {name: float(np.mean(found)) for name, found in by_rank.items() if found},
        {name: len(found) for name, found in by_rank.items()},
        float(spearmanr(ranks, values).statistic),
    )


def _relation(a: Mapping[str, str], b: Mapping[str, str], name: str, other: str) -> str | None:
    """None: kin, but of no one degree (descendants of one parent, a descendant and another seed)."""
    if name == b.get("parent") or other == a.get("parent"):
        return "descendant"
    if a["class"] != b["class"]:
        return "class"
    if a["architecture"] != b["architecture"]:
        return "architecture"
    return None if a.get("parent") or b.get("parent") else "seed"
