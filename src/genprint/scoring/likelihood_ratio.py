"""Likelihood ratios: how many times as likely an enrolled source makes a probe as one that is not enrolled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import expit

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.cohort import Cohort
from genprint.scoring.thresholds import SIZES

_DRAWS = 200
# Of the regression: half a square of the slopes is worth so much log loss, and a step must save so much a row.
_RIDGE, _CONVERGED = 1e-3, 1e-14


@dataclass(frozen=True)
class LikelihoodRatio:
    """A calibrated likelihood ratio for two propositions, in natural logs.

    It is for the best of the candidates, and takes into account that it was picked as the best: of sources that are not
    enrolled, too, some candidate is the best. For a source named before the probe was looked at, it is careful.

    Attributes:
        hp: the first proposition.
        hd: the second one.
        llr: log likelihood ratio of the first against the second.
        low: lower end of its 95 % interval, by bootstrap over the probe's images; None for a single image.
        high: upper end.
        cap: largest ``llr`` that so many calibration sources support.
        sources: it was calibrated on: the enrolled ones, each compared by images left out of the gallery.
        calibrated_at: size of the sets it was calibrated with.
        by_images: ``llr`` by number of images, with both ends of its interval: of the whole probe, and the mean over
            random parts of it.
    """

    hp: str
    hd: str
    llr: float
    low: float | None
    high: float | None
    cap: float
    sources: int
    calibrated_at: int
    by_images: dict[int, tuple[float, float | None, float | None]]

    @property
    def capped(self) -> bool:
        """Whether so many sources support no larger (or smaller) one."""
        return abs(self.llr) >= self.cap


class LikelihoodRatioSystem:
    """Likelihood ratios for enrolled sources; calibrated on the cohort, once for each set size."""

    def __init__(self, cohort: Cohort):
        self._cohort = cohort
        self._calibrations: dict[int, LogisticCalibration] = {}

    def calibration(self, images: int) -> LogisticCalibration | None:
        """For probes of so many images; None with fewer than three sources, or one of a single image.

        Sets of each enrolled source's images are compared with a gallery that lacks them, and, for sources that are
        not enrolled, with one that lacks their source: the best candidate of these, for that is what is asked of.
        """
        counts = [source.count for source in self._cohort.fingerprints]
        if len(counts) < 3 or min(counts) < 2:
            return None
        size = self._cohort.size(images)
        if size not in self._calibrations:
            targets, nontargets = self._cohort.target_scores(size), self._cohort.nontarget_scores(size)
            same = [calibration_features(ratios)[:, i] for i, ratios in enumerate(targets)]
            different = [_of_best(np.delete(ratios, i, axis=1)) for i, ratios in enumerate(nontargets)]
            self._calibrations[size] = LogisticCalibration.fit(same, different)
        return self._calibrations[size]

    def llr(self, probe: Fingerprint, source: int) -> float | None:
        """Natural log of the ratio for one enrolled source, and no more; None where there is no calibration."""
        calibration = self.calibration(len(probe))
        if calibration is None:
            return None
        ratios = self._cohort.llr(self._cohort.take(probe), np.arange(len(probe))[None])
        return float(calibration.llr(calibration_features(ratios)[0, source]))

    def likelihood_ratio(self, probe: Fingerprint, source: int) -> LikelihoodRatio | None:
        """For one enrolled source; None where there is no calibration."""
        calibration = self.calibration(len(probe))
        if calibration is None:
            return None
        rng = np.random.default_rng(0)
        taken = self._cohort.take(probe)

        def llr(sets: np.ndarray, model: LogisticCalibration) -> np.ndarray:
            """Of sets of the probe's images, ``(sets, size)`` of their numbers."""
            return model.llr(calibration_features(self._cohort.llr(taken, sets))[:, source])

        def of_parts(size: int) -> tuple[float, float, float]:
            """Mean and interval over parts drawn with replacement."""
            model = self.calibration(size)
            assert model is not None
            again = llr(rng.integers(len(probe), size=(_DRAWS, size)), model)
            low, high = np.quantile(again, [0.025, 0.975])
            return float(again.mean()), float(low), float(high)

        low = high = None
        if len(probe) > 1:
            _, low, high = of_parts(len(probe))
        by_images: dict[int, tuple[float, float | None, float | None]] = {
            size: of_parts(size) for size in SIZES if size < len(probe)
        }
        value = float(llr(np.arange(len(probe))[None], calibration)[0])
        return LikelihoodRatio(
            hp=f"{self._cohort.fingerprints[source].source} made the images",
            hd="a source that is not enrolled, but like those that are, made them",
            llr=value, low=low, high=high, cap=calibration.cap, sources=calibration.sources,
            calibrated_at=self._cohort.size(len(probe)), by_images={**by_images, len(probe): (value, low, high)},
        )  # fmt: skip


def calibration_features(ratios: np.ndarray) -> np.ndarray:
    """Two calibration features of each source: LLR against all rivals and 'unknown', and LLR against 'unknown' alone.

    Both are compressed by the inverse hyperbolic sine, for a Gaussian's log ratios of large sets are far too large. The
    LLR against 'unknown' depends on the probe's content, that against the rivals does not; but where the probe's source
    is not enrolled, the former shows how far from all of them the probe is.

    Args:
        ratios: log ratios of probes against an unknown source, ``(n, sources)``.

    Returns:
        Float64 ``(n, sources, 2)``.
    """
    with_unknown = np.hstack([ratios, np.zeros((len(ratios), 1))])
    before = np.logaddexp.accumulate(with_unknown, axis=1)[:, :-2]
    after = np.logaddexp.accumulate(with_unknown[:, ::-1], axis=1)[:, -2::-1]
    rivals = np.logaddexp(np.hstack([np.full((len(ratios), 1), -np.inf), before]), after)
    return np.stack([np.arcsinh((ratios - rivals) / 5), np.arcsinh(ratios / 50)], axis=-1)


def _of_best(ratios: np.ndarray) -> np.ndarray:
    """The features of each probe's best candidate, ``(n, 2)``."""
    features: np.ndarray = calibration_features(ratios)[np.arange(len(ratios)), ratios.argmax(1)]
    return features


@dataclass(frozen=True)
class LogisticCalibration:
    """Turns features into a log likelihood ratio by logistic regression (Brummer & du Preez, 2006).

    Attributes:
        slopes: of the log ratio over each feature; zero for one that would come out below.
        intercept: where all features are zero.
        sources: it was calibrated on. The ratio is kept within as many to one, either way: no more was seen.
    """

    slopes: tuple[float, ...]
    intercept: float
    sources: int

    @classmethod
    def fit(cls, same: Sequence[np.ndarray], different: Sequence[np.ndarray]) -> Self:
        """From features for the true source of probes, and for another; of each source one array ``(n, features)``."""
        values = np.concatenate([*same, *different])
        truth = np.repeat([1, 0], [sum(map(len, same)), sum(map(len, different))])
        weights = np.concatenate(
            [np.full(len(rows), 1 / len(kind) / len(rows)) for kind in (same, different) for rows in kind]
        )
        kept = list(range(values.shape[1]))
        slopes = np.zeros(len(kept))
        while kept:
            *found, intercept = _regression(values[:, kept], truth, weights * len(values) / 2).tolist()
            if min(found) >= 0:
                slopes[kept] = found
                return cls(tuple(slopes.tolist()), intercept, len(same))
            # A negative slope is no finding: with few sources, correlated features may come out so.
            kept.pop(int(np.argmin(found)))
        return cls(tuple(slopes.tolist()), 0.0, len(same))  # no feature separates

    @property
    def cap(self) -> float:
        """Largest natural log of the ratio."""
        return float(np.log(self.sources))

    def llr(self, features: np.ndarray) -> np.ndarray:
        """Natural log of the ratio, capped, of features ``(..., features)``."""
        ratios: np.ndarray = features @ np.array(self.slopes) + self.intercept
        return ratios.clip(-self.cap, self.cap)


def _regression(values: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Slopes and intercept of a logistic regression, by Newton's method: of two features, a few steps.

    Args:
        values: ``(n, features)``.
        truth: of each row, zero or one.
        weights: of each row's log loss.
    """
    rows = np.hstack([values, np.ones((len(values), 1))])
    ridge = np.append(np.full(values.shape[1], _RIDGE), 0)

    def cost(found: np.ndarray) -> float:
        logits = rows @ found
        return float(weights @ (np.logaddexp(0, logits) - truth * logits) + ridge @ np.square(found) / 2)

    found = np.zeros(rows.shape[1])
    before, now = np.inf, cost(found)
    while before - now > _CONVERGED * len(values):
        chances = expit(rows @ found)
        slope = rows.T @ (weights * (chances - truth)) + ridge * found
        curvature = (rows.T * (weights * chances * (1 - chances))) @ rows + np.diag(ridge)
        step = np.linalg.solve(curvature, slope)
        while cost(found - step) > now:  # too far, where hardly any chance is between zero and one
            step /= 2
        found -= step
        before, now = now, cost(found)
    return found
