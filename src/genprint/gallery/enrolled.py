"""Enrolled sources: a gallery in the condition that is asked for, and everything that is worked out from it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from scipy.special import softmax

from genprint.fingerprints.cache import Cache
from genprint.fingerprints.conditions import KEPT, ORIGINAL
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Progress, expect
from genprint.gallery.learned import Learned
from genprint.gallery.recent import Recent
from genprint.images.processing import Processing
from genprint.model import Model
from genprint.scoring.base import Densities, Enrollment, Scorer
from genprint.scoring.cohort import SEPARABLE, Cohort, Keep, make_anew
from genprint.scoring.equalising import shared_savings
from genprint.scoring.exchangeability import exchangeable
from genprint.scoring.likelihood_ratio import LikelihoodRatio, LikelihoodRatioSystem
from genprint.scoring.matching import Comparison, Matching, few, in_condition
from genprint.scoring.thresholds import smallest_rate, upper_threshold
from genprint.scoring.told import Told

#: Level of the exchangeability test: so large a share of a source's sets fails it.
ALPHA = 0.05
# Conditions that a gallery is held in at a time, beside the original.
_HELD = 8
# Scores below are those of other sources.
_LEAST_SCORE = 0.0


class Enrolled:
    """Enrolled sources in one condition. Everything is worked out when first asked for, and kept.

    Args:
        scorer: not adapted.
        fingerprints: of each source in that condition, with the features of its images.
        condition: its name.
        keep: keeps what takes long to work out for the next time that these sources are asked about.
    """

    def __init__(
        self,
        scorer: Scorer,
        fingerprints: Sequence[Fingerprint],
        condition: str = ORIGINAL,
        keep: Keep = make_anew,
    ):
        self.fingerprints = list(fingerprints)
        self.names = tuple(known.source for known in fingerprints)
        self.condition = condition
        self._scorer, self._keep = scorer, keep
        self._white: dict[int, np.ndarray] = {}
        self._thresholds: dict[tuple[int, float, float, bool], float] = {}
        self._worked_out: dict[str, np.ndarray] = {}

    @cached_property
    def known(self) -> Enrollment:
        """The sources as the scorer, adapted to them, models them."""
        return self._scorer.adapt(self.fingerprints).enroll(self.fingerprints)

    @cached_property
    def cohort(self) -> Cohort:
        """Target and non-target scores of the sources."""
        return Cohort(self.known, self.fingerprints, self._keep)

    def once(self, what: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """What was worked out of the sources under that name, now or before."""
        if what not in self._worked_out:
            (self._worked_out[what],) = self._keep(what, lambda: [make()])
        return self._worked_out[what]

    @cached_property
    def _ratios(self) -> LikelihoodRatioSystem:
        return LikelihoodRatioSystem(self.cohort)

    def exchangeability(self, probe: Fingerprint, source: int) -> float:
        """p of the test that the probe's images and the source's are drawn alike."""
        if self._scorer.learned:
            return exchangeable(self._whitened(source), self._scorer.whiten(probe.values))
        others = [known for i, known in enumerate(self.fingerprints) if i != source]
        return self.exchangeable(self.fingerprints[source], probe, others)

    def _whitened(self, source: int) -> np.ndarray:
        if source not in self._white:
            self._white[source] = self._scorer.whiten(self.fingerprints[source].values)
        return self._white[source]

    def _left_out_exchangeability(self, source: int, drawn: np.ndarray, other: int) -> float:
        """p of the test that some of a source's images and those of another source are drawn alike."""
        if self._scorer.learned:
            return exchangeable(self._whitened(other), self._whitened(source)[drawn])
        return self.exchangeability(self.fingerprints[source][drawn], other)

    def exchangeable(self, one: Fingerprint, other: Fingerprint, beside: Sequence[Fingerprint] = ()) -> float:
        """p of the test that the images of two sets are drawn alike.

        Features are scaled by the scorer as it was learned, which favours no enrolled source. One that has learned
        nothing is adapted to both sets as if they were one, and to those beside them: adapted to one of the two alone,
        it would make its images look less spread than the other's.
        """
        scorer = self._scorer if self._scorer.learned else self._scorer.adapt([*beside, one + other])
        return exchangeable(scorer.whiten(one.values), scorer.whiten(other.values))

    def likelihood_ratio(self, probe: Fingerprint, source: int) -> LikelihoodRatio | None:
        """The calibrated one for that source; None where there are too few sources or images to calibrate."""
        return self._ratios.likelihood_ratio(probe, source)

    def threshold(
        self, images: int, rate: float, min_posterior: float, tested: bool = True
    ) -> tuple[float, int] | None:
        """The score that probes of so many images must reach, and the set size it was set at.

        Each source in turn is left out, and sets of its images put to all tests of an attribution: at most ``rate`` of
        unknown sources, if they are like the enrolled ones, pass. Where the exchangeability test is none of the tests
        (``tested``), the threshold is the higher for it.

        Returns:
            None with fewer than three sources, or fewer than two of two images or more: with one of these left out,
            nothing would say how a source's images score for it.
        """
        if len(self.fingerprints) < 3 or sorted(source.count for source in self.fingerprints)[-2] < 2:
            return None
        size = self.cohort.size(images)
        key = size, rate, min_posterior, tested
        if key not in self._thresholds:
            (found,) = self._keep(f"threshold {key}", lambda: [np.array(self._upper_threshold(*key))])
            self._thresholds[key] = float(found)
        return self._thresholds[key], size

    def _upper_threshold(self, size: int, rate: float, min_posterior: float, tested: bool) -> float:
        """The score that sets of sources left out reach and pass all other tests at the given rate, at most."""
        trials = list(self.cohort.unknown(size))
        scores = [np.full(len(reached), _LEAST_SCORE) for *_, reached in trials]
        places = [(float(score), i, j) for i, (*_, reached) in enumerate(trials) for j, score in enumerate(reached)]
        above = smallest_rate(len(trials))
        # From the highest score down, for as long as it matters: permutation tests take time.
        for score, i, j in sorted(places, reverse=True):
            if score < _LEAST_SCORE or above > rate + 1e-12:  # as upper_threshold has it
                break
            sets, llrs, _ = trials[i]
            best = int(llrs[j].argmax())
            fails = tested and self._left_out_exchangeability(i, sets[j], best) <= ALPHA
            if softmax(llrs[j]).max() >= min_posterior and not fails:
                scores[i][j] = score
                above += 1 / len(scores[i]) / (len(trials) + 1)
        return upper_threshold(scores, rate)

    def what_separates(self, images: int, one: int, other: int) -> str:
        """What it would take to tell two sources apart that explain a probe of so many images about as well."""
        shared = set(self.fingerprints[one].digests) & set(self.fingerprints[other].digests)
        if shared:
            return f"they share {len(shared)} enrolled images: leave these out of one"
        size, right = self.cohort.separation(one, other)
        if right < SEPARABLE:
            return f"this gallery cannot tell them apart ({right:.0%} of its own sets of {size} are named right)"
        if size > images:
            return f"about {size - images} more images would tell them apart"
        return f"the gallery's sets of {size} are told apart, so that it may be neither"


class EnrolledIn:
    """Enrolled sources in any condition, made when it is first asked for; the last few are kept.

    Args:
        model: its scorer, and the population that says how processing moves features.
        known: fingerprint of each source, by name.
        conditions: whether probes are matched: compared in other conditions than the original, too.
        cache: for what is learned of the sources.
    """

    def __init__(
        self, model: Model, known: Mapping[str, Fingerprint], conditions: bool = True, cache: Cache | None = None
    ):
        self._model, self._cache = model, cache
        self._gallery = [replace(fingerprint, source=name) for name, fingerprint in known.items()]
        self._matched = conditions
        self._made, self._tried = Recent[Enrolled](_HELD), Recent[Densities](_HELD)
        self.original = self._enrolled(self._gallery, ORIGINAL)

    def __call__(self, processing: Processing | None, progress: Progress | None = None) -> Enrolled:
        """The sources in a condition, None for the original, by the images whose originals are kept."""
        if processing is None and all(source.count <= KEPT for source in self._gallery):
            return self.original

        def make() -> Enrolled:
            name = processing.name if processing else ORIGINAL
            return self._enrolled(self._read(processing, KEPT, progress), name)

        return self._made.get(processing, make)

    def _enrolled(self, gallery: Sequence[Fingerprint], condition: str) -> Enrolled:
        keep = Learned.of(self._cache, self._model.identity, gallery, condition).keep if self._cache else make_anew
        return Enrolled(self._model.scorer, gallery, condition, keep)

    def _read(self, processing: Processing | None, most: int, progress: Progress | None) -> list[Fingerprint]:
        """The sources in a condition, by so many images of each at most."""
        among = in_condition(self._gallery, None, most)
        if processing:
            expect(progress, sum(source.count for source in among))
        return in_condition(among, processing, progress=progress)

    def called(self, condition: str) -> Enrolled:
        """The sources in that condition, if it was asked for lately; else in the original."""
        made = [] if condition == ORIGINAL else list(self._made)
        return next((one for one in made if one.condition == condition), self.original)

    def candidates(self, probes: Sequence[Fingerprint]) -> list[Processing]:
        """Conditions, beside the original, that the probes may well be in; they share one."""
        return self._matching().candidates(Told.of(probes)) if self._matched else []

    def match(self, probes: Sequence[Fingerprint], progress: Progress | None = None) -> tuple[Enrolled, Comparison]:
        """The sources in the condition that the probes are in, as far as they can be brought to it; and the probes."""
        compared = self.compared(probes, progress)
        return (self(compared.processing, progress) if compared.processing else self.original), compared

    def compared(self, probes: Sequence[Fingerprint], progress: Progress | None = None) -> Comparison:
        """How these probes, which share a condition, are compared with the sources."""
        return self._matching(progress).compared(probes) if self._matched else Comparison(probes)

    @cached_property
    def _savings(self) -> Mapping[str, Processing | None]:
        """How each source's files were saved."""
        return shared_savings(self._gallery)

    def _matching(self, progress: Progress | None = None) -> Matching:
        def tried(processing: Processing | None) -> Densities:
            def make() -> Densities:
                return self._model.scorer.roughly(self._read(processing, few(len(self._gallery)), progress))

            return self._tried.get(processing, make)

        def known(processing: Processing | None) -> Enrollment:
            return self(processing, progress).known

        def original() -> Densities:
            return self.original.known

        return Matching(
            self._gallery, self._model.scorer, self._model.population, original, tried, known, lambda: self._savings
        )
