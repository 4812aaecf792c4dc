"""Reference population: how alike sets of one source are, and sets of different sources, by condition and set size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from genprint.fingerprints.conditions import ORIGINAL
from genprint.fingerprints.fingerprint import Fingerprint, check_comparable
from genprint.images.processing import Processing
from genprint.scoring.logistic import LogisticCalibration
from genprint.scoring.plda import PLDA
from genprint.scoring.thresholds import SIZES, disjoint_subsets, smallest_rate, upper_threshold

# Pairs of disjoint sets that each source gives at each size.
_DRAWS = 4
# Freedom of Student's t: sources in one condition are no Gaussian, and one far-off feature should not decide.
_FREEDOM = 5.0
# Conditions that explain a set by less log density than the best one does, by this much, are ruled out. Sources of
# other content than the population's are mistaken by as much: with 75, third-party images shifted by a pixel were.
_RULED_OUT = 100.0
# By how much less one condition may explain both sets than two do, if they are in the same.
_ALIKE = 40.0
# Typicality level: sets less typical than 20 % of the reference sources get no answer. Sets with unseen processing
# resemble each other, and only outlying reference sources.
_UNTYPICAL = 0.2
_ARRAYS = ("centres", "between", "within", "thresholds", "ratios", "typical")


@dataclass(frozen=True)
class Judgement:
    """One pair of sets, judged by a reference population.

    Attributes:
        similarity: cosine of their fingerprints.
        same_above: similarity that different sources exceed at the stated rate at most; None: too few images.
        different_below: similarity that sets of one source fall below at that rate at most.
        llr: log likelihood ratio of one source against two of the population, within what its sources support. None
            unless both sets are typical and can be in one condition alone: another has other ratios.
        conditions: that both may be in; the thresholds are the most careful of these.
        one_condition: whether both may be in the same. If not, low similarity is no evidence.
        typical: whether both sets are like those of the population. If not, thresholds and ratio do not hold.
    """

    similarity: float
    same_above: float | None
    different_below: float | None
    llr: float | None
    conditions: tuple[str, ...]
    one_condition: bool
    typical: bool


@dataclass(frozen=True, eq=False)
class ReferencePopulation:
    """Same-source and different-source similarity in a population of sources, by condition and set size.

    Whatever both sets went through makes them alike, most of all what leaves little of their traces. So a pair is
    judged by sources of the population in the same condition, which is found from the fingerprints themselves.

    Attributes:
        population: what the sources are, in words.
        sources: how many.
        rate: of either error, over the sources.
        sizes: of sets, for which there are thresholds.
        conditions: of the population's images, the original first.
        centres: mean of the sources' means in each condition, in coordinates of the scorer, ``(conditions, d)``.
        between: variance of the sources' means, ``(conditions, d)``.
        within: variance of a source's images, ``(conditions, d)``.
        thresholds: 'different' below the one, 'same' above the other, ``(conditions, sizes, 2)``.
        ratios: slope and intercept of the log likelihood ratio over the similarity, ``(conditions, sizes, 2)``.
        typical: log density that sets of one in five such sources fall below at most, or of ``rate`` if that is more,
            ``(conditions, sizes)``.
    """

    population: str
    sources: int
    rate: float
    sizes: tuple[int, ...]
    conditions: tuple[str, ...]
    centres: np.ndarray
    between: np.ndarray
    within: np.ndarray
    thresholds: np.ndarray
    ratios: np.ndarray
    typical: np.ndarray

    @classmethod
    def fit(
        cls,
        plda: PLDA,
        fingerprints: Mapping[str, Fingerprint],
        population: str,
        rate: float = 0.05,
        conditions: Sequence[Processing] = (),
        progress: Callable[[int], None] | None = None,
    ) -> Self:
        """Compares two disjoint sets of each source, all with all, at each size and in each condition.

        Args:
            plda: the scorer, not adapted.
            fingerprints: of each source of the population, by name.
            population: what they are, in words.
            rate: wanted; raised to what the number of sources supports.
            conditions: beside the original; made of the images whose originals are at hand.
            progress: called with the number of images read in these conditions since its last call.

        Raises:
            ValueError: fewer than two sources, or one of a single image.
        """
        if conditions:
            fingerprints = {name: known.kept() for name, known in fingerprints.items()}
        few = min(fingerprints, key=lambda name: len(fingerprints[name]), default="")
        if len(fingerprints) < 2 or len(fingerprints[few]) < 2:
            lacking = f"{few} has a single image" if len(fingerprints) > 1 else "there are fewer than two"
            raise ValueError(f"a population needs two or more sources of two or more images each: {lacking}")
        check_comparable(fingerprints.values())
        rate = max(rate, smallest_rate(len(fingerprints)))
        sizes = tuple(size for size in SIZES if len(fingerprints[few]) >= 2 * size)
        moments, thresholds, ratios, typical = [], [], [], []
        for processing in (None, *conditions):
            sources = [one.under(processing, progress) if processing else one for one in fingerprints.values()]
            images = [plda.project(known.values) for known in sources]
            moments.append(_moments(images))
            typical.append(_typical(images, sizes, max(rate, _UNTYPICAL), plda.shares))
            pairs = [_similarities(plda, sources, size) for size in sizes]
            thresholds.append([_thresholds(same, different, rate) for same, different in pairs])
            fitted = [LogisticCalibration.fit(*([row[:, None] for row in kind] for kind in pair)) for pair in pairs]
            ratios.append([(*ratio.slopes, ratio.intercept) for ratio in fitted])
        centres, between, within = (np.stack(part) for part in zip(*moments, strict=True))
        return cls(
            population, len(fingerprints), rate, sizes, (ORIGINAL, *(processing.name for processing in conditions)),
            centres, between, within, np.array(thresholds), np.array(ratios), np.array(typical),
        )  # fmt: skip

    def judge(self, plda: PLDA, one: Fingerprint, other: Fingerprint) -> Judgement:
        """Similarity of two sets, with the population's thresholds and likelihood ratio in their conditions."""
        check_comparable([one, other])
        small, large = sorted((one, other), key=lambda fingerprint: fingerprint.count)
        similarity = float(plda.similarity([small], [large])[0, 0])
        each = self.explained(plda, [small, large]).T
        may_be = [explained >= explained.max() - _RULED_OUT for explained in each]
        likely = may_be[0] & may_be[1]
        if not likely.any():
            likely = may_be[0] | may_be[1]
        one_condition = bool(each[0].max() + each[1].max() - (each[0] + each[1]).max() <= _ALIKE)
        conditions = tuple(name for name, may in zip(self.conditions, likely, strict=True) if may)
        if not self.sizes:
            return Judgement(similarity, None, None, None, conditions, one_condition, True)
        # Thresholds are of pairs of one size; of two, the most careful from the one to the other hold.
        counts = small.count, large.count
        least, next_to_large = (int(np.searchsorted(self.sizes, count, "right")) - 1 for count in counts)
        most = min(int(np.searchsorted(self.sizes, large.count)), len(self.sizes) - 1)
        between = slice(least, max(least, most) + 1)
        same_above = self.thresholds[likely, between, 1].max()
        different_below = self.thresholds[likely, between, 0].min()
        low, high = sorted((float(different_below), float(same_above)))
        typical = all(
            (explained >= self.typical[:, size])[likely].any()
            for explained, size in zip(each, (least, next_to_large), strict=True)
        )
        llr = None
        if typical and one_condition and len(conditions) == 1:
            slope, intercept = self.ratios[likely, least][0].tolist()
            llr = float(LogisticCalibration((slope,), intercept, self.sources).llr(np.array([similarity])))
        return Judgement(similarity, high, low, llr, conditions, one_condition, typical)

    def explained(self, plda: PLDA, fingerprints: Sequence[Fingerprint]) -> np.ndarray:
        """Log density of each set in each condition, were it of a source like the population's, ``(conditions, n)``."""
        means, counts = plda.coordinates(fingerprints)
        found = [
            _log_density(means, centre, between + within / counts, plda.shares)
            for centre, between, within in zip(self.centres, self.between, self.within, strict=True)
        ]
        return np.stack(found)

    def to_dict(self) -> dict[str, Any]:
        """All but the arrays, for JSON."""
        return {
            "population": self.population, "sources": self.sources, "rate": self.rate,
            "sizes": list(self.sizes), "conditions": list(self.conditions),
        }  # fmt: skip

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays, by name."""
        return {name: getattr(self, name) for name in _ARRAYS}

    @classmethod
    def of(cls, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """From what ``to_dict`` and ``arrays`` gave."""
        conditions = values["conditions"] if "conditions" in values else [ORIGINAL, *values["states"][1:]]  # before 0.2
        return cls(
            values["population"], values["sources"], values["rate"], tuple(values["sizes"]), tuple(conditions),
            **{name: arrays[name] for name in _ARRAYS},
        )  # fmt: skip


def _moments(images: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre, variance between sources and within them, each ``(d,)``, of each source's images ``(n, d)``."""
    means = np.stack([source.mean(0) for source in images])
    between = means.var(0)
    # Few sources show the variance of no single feature well.
    between = 0.7 * between + 0.3 * between.mean()
    within = np.mean([source.var(0) for source in images], axis=0)
    return means.mean(0), between, within + 1e-6  # images may all be one


def _log_density(means: np.ndarray, centre: np.ndarray, variance: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Mean of the parts' log densities by their shares, as PLDA has it."""
    squared = np.square(means - centre) / variance
    each = shares.repeat(means.shape[-1] // len(shares))
    densities: np.ndarray = -((_FREEDOM + 1) * np.log1p(squared / _FREEDOM) + np.log(variance)) @ each / 2
    return densities


def _typical(images: Sequence[np.ndarray], sizes: Sequence[int], rate: float, shares: np.ndarray) -> list[float]:
    """Log density that a source's sets of each size have under the other sources' moments, but for the given rate."""
    others = [_moments([*images[:i], *images[i + 1 :]]) for i in range(len(images))]
    typical = []
    for size in sizes:
        found = []
        for source, (centre, between, within) in zip(images, others, strict=True):
            sets = np.stack([source[at : at + size].mean(0) for at in range(0, len(source) - size + 1, size)])
            found.append(_log_density(sets, centre, between + within / size, shares))
        typical.append(-upper_threshold([-densities for densities in found], rate))
    return typical


def _similarities(plda: PLDA, sources: Sequence[Fingerprint], size: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Similarity of each source's sets to others of its own, and to those of other sources."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(_DRAWS):
        halves = [disjoint_subsets(source, size, 2, rng) for source in sources]
        left, right = ([pair[i] for pair in halves] for i in range(2))
        drawn.append(plda.similarity(left, right))
    found = np.concatenate(drawn, axis=1)
    same = np.tile(np.eye(len(sources), dtype=bool), _DRAWS)
    return [row[is_same] for row, is_same in zip(found, same, strict=True)], [
        row[~is_same] for row, is_same in zip(found, same, strict=True)
    ]


def _thresholds(same: list[np.ndarray], different: list[np.ndarray], rate: float) -> tuple[float, float]:
    return -upper_threshold([-row for row in same], rate), upper_threshold(different, rate)
