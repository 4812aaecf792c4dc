"""Verification: how often two sets are called one source's, or two sources', rightly and wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from genprint.answers.results import DIFFERENT, SAME
from genprint.answers.verification import verify
from genprint.evaluation.intervals import Mean, over_sources
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.processing import Processing
from genprint.model import Model
from genprint.scoring.population import ReferencePopulation

# From the names of two sources to the population that a pair of theirs is judged by; None: the model's.
Population = Callable[[str, str], ReferencePopulation | None]


@dataclass(frozen=True)
class Verified:
    """Shares of pairs, as means over sources; the others are inconclusive.

    Attributes:
        false_same: sets of two sources called the same.
        false_different: sets of one source called different.
        same: sets of one source called the same.
        different: sets of two sources called different.
        given: share of pairs with a likelihood ratio.
        cllr: cost of these, if there are any of either kind: 0 is perfect, 1 says nothing (Brummer & du Preez, 2006).
    """

    false_same: Mean
    false_different: Mean
    same: Mean
    different: Mean
    given: float
    cllr: float | None


def verified(
    model: Model,
    left: Mapping[str, Fingerprint],
    right: Mapping[str, Fingerprint],
    size: int,
    population: Population = lambda *_: None,
    seed: int = 0,
    progress: Callable[[], None] | None = None,
) -> Verified:
    """Compares a set of each source with one of each, all with all, of different images.

    Args:
        model: of the fingerprints.
        left: fingerprint of each source.
        right: of the same images, in the same order, perhaps in another condition.
        size: images of a set.
        population: which reference population judges a pair; by default the model's.
        seed: of the division of the images.
        progress: called after every source.

    Raises:
        ValueError: there is one source, or one has too few images for two sets.
    """
    names = list(left)
    few = min(names, key=lambda name: len(left[name]))
    if len(names) < 2 or len(left[few]) < 2 * size:
        raise ValueError(f"{few}: two sources or more are needed, with twice {size} images each")
    rng = np.random.default_rng(seed)
    orders = {name: rng.permutation(len(left[name])) for name in names}
    decisions = np.empty((len(names), len(names)), object)
    ratios = np.full(decisions.shape, np.nan)
    for i, one in enumerate(names):
        for j, other in enumerate(names):
            a, b = left[one][orders[one][:size]], right[other][orders[other][size : 2 * size]]
            found = verify(model, a, b, population(one, other))
            decisions[i, j] = found.decision
            ratios[i, j] = np.nan if found.llr is None else found.llr
        if progress:
            progress()
    diagonal = np.eye(len(names), dtype=bool)
    others = [decisions[i][~diagonal[i]] for i in range(len(names))]
    rates = (
        [(theirs == SAME).mean() for theirs in others],
        np.diag(decisions) == DIFFERENT,
        np.diag(decisions) == SAME,
        [(theirs == DIFFERENT).mean() for theirs in others],
    )
    alike, unlike = (ratios[kind][np.isfinite(ratios[kind])] for kind in (diagonal, ~diagonal))
    cllr = None
    if len(alike) and len(unlike):
        cllr = float(np.log2(1 + np.exp(-alike)).mean() + np.log2(1 + np.exp(unlike)).mean()) / 2
    false_same, false_different, same, different = (over_sources(np.asarray(rate, float), seed) for rate in rates)
    return Verified(false_same, false_different, same, different, float(np.isfinite(ratios).mean()), cllr)


def by_the_others(
    model: Model, fingerprints: Mapping[str, Fingerprint], rate: float = 0.05, conditions: Sequence[Processing] = ()
) -> Population:
    """Each pair is judged by all the other sources, in these conditions too."""

    @cache
    def fitted(pair: frozenset[str]) -> ReferencePopulation:
        rest = {name: source for name, source in fingerprints.items() if name not in pair}
        return ReferencePopulation.fit(model.plda, rest, f"the other {len(rest)} sources", rate, conditions)

    return lambda one, other: fitted(frozenset((one, other)))
