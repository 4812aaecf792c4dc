"""Existence: whether sets of one source are more alike than sets of different sources, beyond chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from genprint.evaluation.intervals import Mean, over_sources
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.base import Comparer

PERMUTATIONS = 9999
ALPHA = 0.01


@dataclass(frozen=True)
class Existence:
    """Evidence for a trace of one source, by one method in sets of one size.

    Attributes:
        sets: disjoint sets the source gave.
        within: mean rank, 0 to 1, of the score between two of its sets among all pairs of sets.
        between: the same for one of its sets and one of another source.
        auc: probability that a pair within scores higher than a pair between; 0.5 where there is no trace.
        p: of the permutation test of ``within - between``: the share of as many sets drawn at random from all
            sources, whatever their source, that differ from the rest by as much (Phipson & Smyth, 2010).
    """

    sets: int
    within: float
    between: float
    auc: float
    p: float


def existence(
    fingerprints: Mapping[str, Fingerprint],
    comparer: Comparer,
    size: int,
    most_sets: int = 10,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
) -> dict[str, Existence]:
    """Tests every source that gives at least two disjoint sets of ``size`` images.

    Images are shuffled, then cut into at most ``most_sets`` sets; every set is scored against every other.

    Raises:
        ValueError: fewer than two sources give two sets.
    """
    rng = np.random.default_rng([seed, size])
    sets, owners = [], []
    for name, source in fingerprints.items():
        order = rng.permutation(len(source))
        count = min(most_sets, len(source) // size)
        if count < 2:
            continue
        for part in np.split(order[: count * size], count):
            sets.append(source[part])
            owners.append(name)
    names = np.array(owners)
    if len(set(owners)) < 2:
        raise ValueError(f"fewer than two sources have {2 * size} images, for two sets of {size}")
    scores = comparer.score(sets, sets)
    if not np.isfinite(scores).all():
        raise ValueError(f"sets of {size} are too small for this method: its scores are not numbers")
    ranks = _ranks((scores + scores.T) / 2)
    chance: dict[int, np.ndarray] = {}
    results = {}
    for name in dict.fromkeys(owners):
        inside = names == name
        count = int(inside.sum())
        if count not in chance:
            drawn = rng.permuted(np.tile(np.arange(len(names)), (permutations, 1)), axis=1)[:, :count]
            chance[count] = np.array([np.subtract(*_split(ranks, chosen)) for chosen in drawn])
        within, between = _split(ranks, np.flatnonzero(inside))
        p = (1 + (chance[count] >= within - between - 1e-12).sum()) / (1 + permutations)
        pairs = ranks[np.ix_(inside, inside)][np.triu_indices(count, 1)]
        across = ranks[np.ix_(inside, ~inside)].ravel()
        # Mann & Whitney (1947): from the ranks of the first sample in both taken together
        wins = rankdata(np.concatenate([pairs, across]))[: len(pairs)].sum() - len(pairs) * (len(pairs) + 1) / 2
        results[name] = Existence(count, within, between, float(wins / (len(pairs) * len(across))), float(p))
    return results


@dataclass(frozen=True)
class Summary:
    """Sources of one class: how many have p < ``ALPHA``, and their mean AUC."""

    significant: int
    auc: Mean


def summarise(found: Mapping[str, Existence], classes: Mapping[str, str], seed: int = 0) -> dict[str, Summary]:
    """Summary by class and of all. Sources without a class count only in 'all'."""
    groups: dict[str, list[Existence]] = {}
    for name, row in found.items():
        if name in classes:
            groups.setdefault(classes[name], []).append(row)
    groups = {**dict(sorted(groups.items())), "all": list(found.values())}
    return {
        kind: Summary(sum(row.p < ALPHA for row in rows), over_sources([row.auc for row in rows], seed))
        for kind, rows in groups.items()
    }


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Each pair's rank among all pairs, 0 to 1; the diagonal is 0."""
    upper = np.triu_indices(len(scores), 1)
    ranks = np.zeros_like(scores)
    ranks[upper] = (rankdata(scores[upper]) - 1) / max(1, len(upper[0]) - 1)
    both: np.ndarray = ranks + ranks.T
    return both


def _split(ranks: np.ndarray, chosen: np.ndarray) -> tuple[float, float]:
    """Mean rank within the chosen sets, and between them and the others."""
    rows = ranks[chosen]
    inside = rows[:, chosen].sum()
    n, k = len(ranks), len(chosen)
    return float(inside / (k * (k - 1))), float((rows.sum() - inside) / (k * (n - k)))
