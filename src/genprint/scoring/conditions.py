"""Condition matching: a probe is compared with the enrolled images in the condition that explains it best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import logsumexp

from genprint.fingerprints.conditions import ORIGINAL
from genprint.fingerprints.fingerprint import Fingerprint, common_conditions
from genprint.scoring.base import ByScorer, Enrollment

# Minimum gain in log density (nats) to accept a condition. At 40, no unprocessed set of 5 or more images of the shipped
# generators lost its source, and processed ones pass it easily. Single images hardly do, and are taken as they are.
MARGIN = 40.0


def match(states: Mapping[str, Enrollment], probes: Sequence[Fingerprint]) -> list[str]:
    """The condition of each probe: the one in which the enrolled sources explain it best.

    Args:
        states: the gallery as a scorer models it, by condition, the original first.
        probes: a set each.
    """
    if len(states) == 1:
        return [ORIGINAL] * len(probes)
    return _accepted(list(states), _explained(states, probes))


def match_mixed(states: Mapping[str, Enrollment], images: Sequence[Fingerprint]) -> str:
    """The condition that all these images have in common, whichever sources they are of."""
    if len(states) == 1:
        return ORIGINAL
    (condition,) = _accepted(list(states), _explained(states, images).mean(1, keepdims=True))
    return condition


def _accepted(names: Sequence[str], explained: np.ndarray) -> list[str]:
    """The condition that explains best, for each column, if it does so by more than the margin."""
    gained = explained.max(0) - explained[0]
    best = explained.argmax(0)
    return [names[i] if more > MARGIN else ORIGINAL for i, more in zip(best, gained, strict=True)]


def _explained(states: Mapping[str, Enrollment], probes: Sequence[Fingerprint]) -> np.ndarray:
    """Log density of each probe, were it of any enrolled source, ``(conditions, n)``."""
    return np.stack([logsumexp(known.log_density(probes), axis=1) for known in states.values()])


class Matched(ByScorer):
    """A scorer's comparer that first matches each probe's condition, where the gallery is known in several."""

    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        names = common_conditions(gallery)
        if names == [ORIGINAL]:
            return super()._score(probes, gallery)
        states = {}
        for name in names:
            known = [source.under(name).pooled() for source in gallery]
            states[name] = self.scorer.adapt(known).enroll(known)
        found = match(states, probes)
        scores = np.empty((len(probes), len(gallery)))
        for name in set(found):
            chosen = [i for i, condition in enumerate(found) if condition == name]
            scores[chosen] = states[name].llr([probes[i] for i in chosen])
        return scores
