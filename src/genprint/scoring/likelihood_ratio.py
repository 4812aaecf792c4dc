"""Likelihood ratios: how many times as likely an enrolled source makes a probe as one that is not enrolled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.cohort import Cohort
from genprint.scoring.exchangeability import QUICK
from genprint.scoring.logistic import LogisticCalibration
from genprint.scoring.tested import ExchangeabilityTests
from genprint.scoring.thresholds import SIZES
from genprint.words import in_words

#: Fewer sources support no ratio, and fewer none where the exchangeability test is no evidence: ratios of sources that
#: are not enrolled come to cost more than saying nothing (docs/verdicts.md).
LEAST, LEAST_UNTESTED = 3, 5
#: How the sentence begins that says why there is none.
NO_RATIO = "No likelihood ratio is given"
# Draws of a probe's images for the interval, and parts of it for each number of images.
_DRAWS, _PARTS = 200, 20
_INTERVAL = 0.025, 0.975


# Ratios from which on support has a name (ENFSI, "Guideline for Evaluative Reporting in Forensic Science", 2015).
_SCALE = (
    (1e6, "extremely strong"), (1e4, "very strong"), (1e3, "strong"), (1e2, "moderately strong"), (10, "moderate"),
    (2, "weak"),
)  # fmt: skip


def support(llr: float) -> str:
    """How much a log likelihood ratio supports the proposition that it speaks for, in words.

    Example:
        >>> support(np.log(20)), support(-np.log(20)), support(0.1)
        ('moderate support', 'moderate support', 'hardly any support')
    """
    return f"{next((word for least, word in _SCALE if abs(llr) >= np.log(least) - 1e-9), 'hardly any')} support"


def times(llr: float) -> str:
    """A log likelihood ratio as a ratio, of two digits.

    Example:
        >>> times(0.0), times(np.log(137.4)), times(np.log(0.0526))
        ('1', '137', '0.053')
    """
    ratio = float(np.exp(llr))
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.2g}"


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
    """Likelihood ratios for the best of the enrolled sources; calibrated on the cohort, once for each set size.

    Args:
        cohort: of the enrolled sources.
        tests: of sets with the enrolled sources; None where the exchangeability test is no evidence.
    """

    def __init__(self, cohort: Cohort, tests: ExchangeabilityTests | None = None):
        self._cohort, self._tests = cohort, tests
        self._calibrations: dict[int, LogisticCalibration] = {}

    @property
    def lacking(self) -> str:
        """Why there is no calibration, in a sentence; '' if there is one."""
        least, sources = LEAST if self._tests else LEAST_UNTESTED, len(self._cohort.twins)
        if sources < least:
            uncounted = "" if self._tests else " where the exchangeability test has no part in it"
            joined = "" if sources == len(self._cohort.fingerprints) else ", those that are one counted once"
            return f"{NO_RATIO}: it takes {least} enrolled sources or more{uncounted}; there are {sources}{joined}."
        single = [source.source for source in self._cohort.fingerprints if source.count < 2]
        if single:
            has = "has" if len(single) == 1 else "have"
            return f"{NO_RATIO}: it takes two images of each enrolled source; {in_words(single)} {has} one."
        return ""

    def calibration(self, images: int) -> LogisticCalibration | None:
        """For probes of so many images; None with fewer than ``LEAST`` sources (``LEAST_UNTESTED`` without tests), or
        one of a single image; ``lacking`` says so.

        Twins count as one.

        Sets of each enrolled source's images are compared with a gallery that lacks them, and, for sources that are
        not enrolled, with one that lacks their source: the best candidate of these, for that is what is asked of.
        """
        if self.lacking:
            return None
        twins = self._cohort.twins
        size = self._cohort.size(images)
        if size not in self._calibrations:
            own = [
                (self._alone(rows, i), np.full(len(rows), i)) for i, rows in enumerate(self._cohort.target_scores(size))
            ]
            others = [(rows, rows.argmax(1)) for rows in self._cohort.stranger_scores(size)]
            of_own, of_others = self._tests.left_out(self._cohort, size) if self._tests else (None, None)
            same, different = _trials(own, of_own), _trials(others, of_others)
            self._calibrations[size] = LogisticCalibration.fit(
                *([np.concatenate([kind[i] for i in group]) for group in twins.groups] for kind in (same, different))
            )
        return self._calibrations[size]

    def _alone(self, ratios: np.ndarray, source: int) -> np.ndarray:
        """Log ratios without the source's twins, which are no rivals of it."""
        twins = self._cohort.twins.same[source].copy()
        twins[source] = False
        return np.where(twins, -np.inf, ratios)

    def features(self, probe: Fingerprint, source: int) -> np.ndarray:
        """What a probe's ratio for a source is calibrated by, ``(1, features)``."""
        ratios = self._cohort.llr(self._cohort.take(probe), np.arange(len(probe))[None])
        return self._features(ratios, source, self._tests.of(probe, source) if self._tests else None)

    def of_ratios(self, ratios: np.ndarray, source: int, p: float, images: int) -> float | None:
        """The calibrated log ratio of a set of so many images, of its raw ones ``(sources,)`` and of the test."""
        calibration = self.calibration(images)
        return float(calibration.llr(self._features(ratios[None], source, p))[0]) if calibration else None

    def _features(self, ratios: np.ndarray, source: int, p: np.ndarray | float | None) -> np.ndarray:
        chosen = np.full(len(ratios), source)
        return trial_features(self._alone(ratios, source), chosen, p if self._tests else None)

    def likelihood_ratio(
        self, probe: Fingerprint, source: int, p: float | None = None, grown: bool = True
    ) -> LikelihoodRatio | None:
        """For the best candidate; None where there is no calibration.

        Args:
            probe: its fingerprint.
            source: number of the best candidate.
            p: of the exchangeability test against it, if there are tests.
            grown: whether also by number of images, which takes longest.
        """
        calibration = self.calibration(len(probe))
        if calibration is None:
            return None
        taken = self._cohort.take(probe)

        def llrs(sets: np.ndarray, model: LogisticCalibration, ps: np.ndarray | float | None) -> np.ndarray:
            """Of sets of the probe's images, ``(sets, size)`` of their numbers."""
            return model.llr(self._features(self._cohort.llr(taken, sets), source, ps))

        rng = np.random.default_rng(0)
        low = high = None
        if len(probe) > 1:
            # The test is of the set as a whole: a set with images drawn twice is not drawn like the source's.
            again = llrs(rng.integers(len(probe), size=(_DRAWS, len(probe))), calibration, p)
            low, high = map(float, np.quantile(again, _INTERVAL))
        by_images: dict[int, tuple[float, float | None, float | None]] = {}
        for size in SIZES[: np.searchsorted(SIZES, len(probe))] if grown else ():
            model = self.calibration(size)
            assert model is not None
            parts = np.stack([rng.permutation(len(probe))[:size] for _ in range(_PARTS)])
            ps = np.array([self._tests.of(probe[part], source, QUICK) for part in parts]) if self._tests else None
            of_parts = llrs(parts, model, ps)
            ends = np.quantile(of_parts, _INTERVAL)
            by_images[size] = float(of_parts.mean()), float(ends[0]), float(ends[1])
        value = float(llrs(np.arange(len(probe))[None], calibration, p)[0])
        return LikelihoodRatio(
            hp=f"{self._cohort.fingerprints[source].source} made the images",
            hd="a source that is not enrolled, but like those that are, made them",
            llr=value, low=low, high=high, cap=calibration.cap, sources=calibration.sources,
            calibrated_at=self._cohort.size(len(probe)), by_images={**by_images, len(probe): (value, low, high)},
        )  # fmt: skip


def _trials(scored: Sequence[tuple[np.ndarray, np.ndarray]], tested: Sequence[np.ndarray] | None) -> list[np.ndarray]:
    """Features of each source's sets: of those that were tested, if any were."""
    if tested is None:
        return [trial_features(*own) for own in scored]
    return [
        trial_features(rows[: len(ps)], chosen[: len(ps)], ps)
        for (rows, chosen), ps in zip(scored, tested, strict=True)
    ]


def trial_features(ratios: np.ndarray, chosen: np.ndarray, p: np.ndarray | float | None = None) -> np.ndarray:
    """Features that a ratio for one source is calibrated by, ``(n, 2)``, or ``(n, 3)`` with the test.

    Args:
        ratios: raw log ratios of probes, ``(n, sources)``; minus infinity for a source that counts as not enrolled.
        chosen: number of the source, of each probe.
        p: of the exchangeability test against that source.
    """
    features: np.ndarray = calibration_features(ratios)[np.arange(len(ratios)), chosen]
    if p is None:
        return features
    tested = np.log(np.maximum(np.broadcast_to(p, len(ratios)), 1 / (QUICK + 1)))
    return np.column_stack([features, tested])


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
