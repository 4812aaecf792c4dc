"""Verification: how alike two sets of one source are, and sets of different sources of a population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from genprint.fingerprints.fingerprint import Features, Fingerprint, Fingerprinter
from genprint.scoring.conditions import common
from genprint.scoring.plda import PLDA
from genprint.scoring.thresholds import SIZES, LikelihoodRatio, disjoint_subsets, smallest_rate, upper_threshold

# Pairs of disjoint sets that each source gives at each size.
_DRAWS = 4
# Freedom of Student's t: sources of one state are no Gaussian, and one far-off feature should not decide.
_FREEDOM = 5.0
# Histories that explain a set by less log density than the best one does, by this much, are ruled out. Sources of
# other content than the population's are mistaken by as much: with 75, third-party images shifted by a pixel were.
_RULED_OUT = 100.0
# By how much less one history may explain both sets than two do, if they went through the same.
_ALIKE = 40.0
# Share of sources whose sets are taken for strangers to the population, at least. That many get no answer; but sets
# that went through what no history of it is like would be alike, and only its oddest sources are like them.
_UNTYPICAL = 0.2
_ARRAYS = ("centres", "between", "within", "thresholds", "ratios", "typical")


@dataclass(frozen=True)
class Judgement:
    """What the population says of one pair of sets.

    Attributes:
        likeness: cosine of their fingerprints.
        same_above: likeness that different sources exceed at the stated rate at most; None: too few images.
        different_below: likeness that sets of one source fall below at that rate at most.
        log10_lr: of the likelihood ratio of one source against two of the population, within what its sources support.
            None unless both sets are typical and can have gone through one history alone: another has other ratios.
        histories: what both may have gone through; the thresholds are the most careful of these.
        one_history: whether both may have gone through the same. If not, unlike says nothing of their sources.
        typical: whether both sets are like those of the population. If not, it says nothing of them.
    """

    likeness: float
    same_above: float | None
    different_below: float | None
    log10_lr: float | None
    histories: tuple[str, ...]
    one_history: bool
    typical: bool


@dataclass(frozen=True)
class Verification:
    """Likeness of sets of a population's sources, as they were made and after each history.

    Whatever both sets went through makes them alike, most of all what leaves little of their traces. So a pair is
    judged by what sources of the population are like after the same, which is found from the fingerprints themselves.

    Attributes:
        population: what the sources are, in words.
        sources: how many.
        rate: of either error, over the sources.
        sizes: of sets, for which there are thresholds.
        states: histories of the population's images, 'none' first.
        centres: mean of the sources' means after each history, in coordinates of the scorer, ``(states, d)``.
        between: variance of the sources' means, ``(states, d)``.
        within: variance of a source's images, ``(states, d)``.
        thresholds: 'different' below the one, 'same' above the other, ``(states, sizes, 2)``.
        ratios: slope and intercept of the log likelihood ratio over the likeness, ``(states, sizes, 2)``.
        typical: log density that sets of one in five such sources fall below at most, or of ``rate`` if that is more,
            ``(states, sizes)``.
    """

    population: str
    sources: int
    rate: float
    sizes: tuple[int, ...]
    states: tuple[str, ...]
    centres: np.ndarray
    between: np.ndarray
    within: np.ndarray
    thresholds: np.ndarray
    ratios: np.ndarray
    typical: np.ndarray

    @classmethod
    def fit(
        cls, fingerprinter: Fingerprinter, features: Mapping[str, Features], population: str, rate: float = 0.05
    ) -> Self:
        """Compares two disjoint sets of each source, all with all, at each size and after each history.

        Args:
            fingerprinter: with a ``plda_``.
            features: of each source of the population; where all have features after histories, these count too.
            population: what they are, in words.
            rate: wanted; raised to what the number of sources supports.

        Raises:
            ValueError: fewer than two sources, or one of a single image.
        """
        few = min(features, key=lambda name: len(features[name]), default="")
        if len(features) < 2 or len(features[few]) < 2:
            lacking = f"{few} has a single image" if len(features) > 1 else "there are fewer than two"
            raise ValueError(f"a population needs two or more sources of two or more images each: {lacking}")
        plda: PLDA = fingerprinter.plda_  # type: ignore[attr-defined]
        rate = max(rate, smallest_rate(len(features)))
        states = tuple(common(list(features.values())))
        sizes = tuple(size for size in SIZES if len(features[few]) >= 2 * size)
        moments, thresholds, ratios, typical = [], [], [], []
        for state in states:
            own = [known.with_history(state) for known in features.values()]
            images = [plda.project(known.values) for known in own]
            moments.append(_moments(images))
            typical.append(_typical(images, sizes, max(rate, _UNTYPICAL), len(plda.within)))
            pairs = [_likeness(fingerprinter, plda, own, size) for size in sizes]
            thresholds.append([_thresholds(same, different, rate) for same, different in pairs])
            fitted = [LikelihoodRatio.fit(*([row[:, None] for row in kind] for kind in pair)) for pair in pairs]
            ratios.append([(*ratio.slopes, ratio.intercept) for ratio in fitted])
        centres, between, within = (np.stack(own) for own in zip(*moments, strict=True))
        return cls(
            population, len(features), rate, sizes, states,
            centres, between, within, np.array(thresholds), np.array(ratios), np.array(typical),
        )  # fmt: skip

    def judge(self, plda: PLDA, one: Fingerprint, other: Fingerprint) -> Judgement:
        """Compares two sets with what the population's are like."""
        small, large = sorted((one, other), key=lambda own: own.count)
        likeness = float(plda.alike([small], [large])[0, 0])
        each = [self._explained(plda, own) for own in (small, large)]
        may_be = [own >= own.max() - _RULED_OUT for own in each]
        likely = may_be[0] & may_be[1]
        if not likely.any():
            likely = may_be[0] | may_be[1]
        one_history = bool(each[0].max() + each[1].max() - (each[0] + each[1]).max() <= _ALIKE)
        histories = tuple(state for state, may in zip(self.states, likely, strict=True) if may)
        if not self.sizes:
            return Judgement(likeness, None, None, None, histories, one_history, True)
        # Thresholds are of pairs of one size; of two, the most careful from the one to the other hold.
        least, next_to_large = (int(np.searchsorted(self.sizes, own.count, "right")) - 1 for own in (small, large))
        most = min(int(np.searchsorted(self.sizes, large.count)), len(self.sizes) - 1)
        between = slice(least, max(least, most) + 1)
        same_above = self.thresholds[likely, between, 1].max()
        different_below = self.thresholds[likely, between, 0].min()
        low, high = sorted((float(different_below), float(same_above)))
        typical = all(
            (own >= self.typical[:, size])[likely].any() for own, size in zip(each, (least, next_to_large), strict=True)
        )
        log10_lr = None
        if typical and one_history and len(histories) == 1:
            slope, intercept = self.ratios[likely, least][0].tolist()
            log10_lr = float(LikelihoodRatio((slope,), intercept, self.sources).log10(np.array([likeness])))
        return Judgement(likeness, high, low, log10_lr, histories, one_history, typical)

    def _explained(self, plda: PLDA, fingerprint: Fingerprint) -> np.ndarray:
        """Log density of a set after each history, were it of a source like the population's, ``(states,)``."""
        mean, count = plda.coordinates([fingerprint])
        return _log_density(mean, self.centres, self.between + self.within / count, len(plda.within))

    def to_dict(self) -> dict[str, Any]:
        """All but the arrays, for JSON."""
        return {
            "population": self.population, "sources": self.sources, "rate": self.rate,
            "sizes": list(self.sizes), "states": list(self.states),
        }  # fmt: skip

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays, by name."""
        return {name: getattr(self, name) for name in _ARRAYS}

    @classmethod
    def of(cls, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """From what ``to_dict`` and ``arrays`` gave."""
        kept = {**values, "sizes": tuple(values["sizes"]), "states": tuple(values["states"])}
        return cls(**kept, **{name: arrays[name] for name in _ARRAYS})  # type: ignore[arg-type]


def _moments(images: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre, variance between sources and within them, each ``(d,)``, of each source's images ``(n, d)``."""
    means = np.stack([own.mean(0) for own in images])
    between = means.var(0)
    # Few sources show the variance of no single feature well.
    between = 0.7 * between + 0.3 * between.mean()
    within = np.mean([own.var(0) for own in images], axis=0)
    return means.mean(0), between, within + 1e-6  # images may all be one


def _log_density(means: np.ndarray, centre: np.ndarray, variance: np.ndarray, parts: int) -> np.ndarray:
    """Mean of the parts' log densities, as PLDA has it."""
    squared = np.square(means - centre) / variance
    return -((_FREEDOM + 1) * np.log1p(squared / _FREEDOM) + np.log(variance)).sum(-1) / 2 / parts


def _typical(images: Sequence[np.ndarray], sizes: Sequence[int], rate: float, parts: int) -> list[float]:
    """Log density that a source's sets of each size have under the other sources' moments, but for the given rate."""
    others = [_moments([*images[:i], *images[i + 1 :]]) for i in range(len(images))]
    typical = []
    for size in sizes:
        found = []
        for own, (centre, between, within) in zip(images, others, strict=True):
            sets = np.stack([own[at : at + size].mean(0) for at in range(0, len(own) - size + 1, size)])
            found.append(_log_density(sets, centre, between + within / size, parts))
        typical.append(-upper_threshold([-own for own in found], rate))
    return typical


def _likeness(
    fingerprinter: Fingerprinter, plda: PLDA, sources: Sequence[Features], size: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Likeness of each source's sets to others of its own, and to those of other sources."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(_DRAWS):
        halves = [disjoint_subsets(own, size, 2, rng) for own in sources]
        left, right = (
            [fingerprinter.summarise(pair[i], "", vector=False, scatter=False) for pair in halves] for i in range(2)
        )
        drawn.append(plda.alike(left, right))
    alike = np.concatenate(drawn, axis=1)
    own = np.tile(np.eye(len(sources), dtype=bool), _DRAWS)
    return [row[is_own] for row, is_own in zip(alike, own, strict=True)], [
        row[~is_own] for row, is_own in zip(alike, own, strict=True)
    ]


def _thresholds(same: list[np.ndarray], different: list[np.ndarray], rate: float) -> tuple[float, float]:
    return -upper_threshold([-own for own in same], rate), upper_threshold(different, rate)
