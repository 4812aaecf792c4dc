"""Enrolled sources: a gallery in the condition that is asked for, and everything that is worked out from it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
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
from genprint.scoring.exchangeability import ALPHA
from genprint.scoring.likelihood_ratio import LikelihoodRatio, LikelihoodRatioSystem
from genprint.scoring.matching import Comparison, Matching, few, in_condition
from genprint.scoring.tested import ExchangeabilityTests
from genprint.scoring.thresholds import smallest_rate, upper_threshold
from genprint.scoring.told import Told
from genprint.scoring.twins import Twins
from genprint.words import counted

# Conditions that a gallery is held in at a time, beside the original.
_HELD = 8
#: Scores below are those of other sources; what fails another test than the threshold counts as scored so.
LEAST_SCORE = 0.0


class Enrolled:
    """Enrolled sources in one condition. Everything is worked out when first asked for, and kept.

    Args:
        scorer: not adapted.
        fingerprints: of each source in that condition, with the features of its images.
        condition: its name.
        keep: keeps what takes long to work out for the next time that these sources are asked about.
        twins: gives the sources that count as one, by default those that are one in this condition.
    """

    def __init__(
        self,
        scorer: Scorer,
        fingerprints: Sequence[Fingerprint],
        condition: str = ORIGINAL,
        keep: Keep = make_anew,
        twins: Callable[[], Twins] | None = None,
    ):
        self.fingerprints = list(fingerprints)
        self.names = tuple(known.source for known in fingerprints)
        self.condition = condition
        self._scorer, self._keep, self._given_twins = scorer, keep, twins
        self._systems: dict[bool, LikelihoodRatioSystem] = {}
        self._thresholds: dict[tuple[int, float, float, bool], float] = {}
        self._worked_out: dict[str, np.ndarray] = {}

    @cached_property
    def known(self) -> Enrollment:
        """The sources as the scorer, adapted to them, models them."""
        return self._scorer.adapt(self.fingerprints).enroll(self.fingerprints)

    @cached_property
    def cohort(self) -> Cohort:
        """Target and non-target scores of the sources."""
        return Cohort(self.known, self.fingerprints, self._keep, self.twins)

    def once(self, what: str, make: Callable[[], np.ndarray] | None) -> np.ndarray | None:
        """What was worked out of the sources under that name, now or before; None if not yet, and not to be made."""

        def made() -> list[np.ndarray]:
            if make is None:
                raise LookupError(what)
            return [make()]

        if what not in self._worked_out:
            with suppress(LookupError):
                (self._worked_out[what],) = self._keep(what, made)
        return self._worked_out.get(what)

    @cached_property
    def twins(self) -> Twins:
        """Sources that are one as far as anybody can tell.

        By shared files alone where the scorer has learned nothing: it is fitted to the images that it would judge.
        """
        if self._given_twins:
            return self._given_twins()
        white = [self.tests.whitened(i) for i in range(len(self.names))] if self._scorer.learned else []
        return Twins.of(self.fingerprints, white)

    @cached_property
    def tests(self) -> ExchangeabilityTests:
        """Of sets with the sources."""
        return ExchangeabilityTests(self._scorer, self.fingerprints, self._keep)

    def ratios(self, tested: bool = True) -> LikelihoodRatioSystem:
        """Calibrated ratios, by the exchangeability test, too, where it counts."""
        tested = tested and self._scorer.learned  # else, each test takes a scorer of its own
        if tested not in self._systems:
            self._systems[tested] = LikelihoodRatioSystem(self.cohort, self.tests if tested else None)
        return self._systems[tested]

    def exchangeability(self, probe: Fingerprint, source: int) -> float:
        """p of the test that the probe's images and the source's are drawn alike."""
        return self.tests.of(probe, source)

    def exchangeable(self, one: Fingerprint, other: Fingerprint) -> float:
        """p of the test that the images of two sets are drawn alike."""
        return self.tests.between(one, other)

    def likelihood_ratio(
        self, probe: Fingerprint, source: int, p: float | None, grown: bool = True
    ) -> LikelihoodRatio | None:
        """The calibrated one for the best candidate; None where there are too few sources or images to calibrate.

        Args:
            probe: its fingerprint.
            source: number of the best candidate.
            p: of the exchangeability test against it; None where that does not count.
            grown: whether also by number of images, which takes longest.
        """
        return self.ratios(p is not None).likelihood_ratio(probe, source, p, grown)

    def no_ratio(self, tested: bool = True) -> str:
        """Why there is no likelihood ratio, with or without the exchangeability test; '' where there is one."""
        return self.ratios(tested).lacking

    def rate(self, wanted: float) -> float:
        """The rate of false attributions that can be had: 1 / (sources + 1) at least, where twins count as one."""
        return max(wanted, smallest_rate(len(self.twins)))

    def threshold(
        self, images: int, rate: float, min_posterior: float, tested: bool = True
    ) -> tuple[float, int] | None:
        """The score that probes of so many images must reach, and the set size it was set at.

        Each source in turn is left out, and sets of its images put to all tests of an attribution: at most ``rate`` of
        unknown sources, if they are like the enrolled ones, pass. Where the exchangeability test is none of the tests
        (``tested``), the threshold is the higher for it.

        Returns:
            None with fewer than three sources, or fewer than two of two images or more: with one of these left out,
            nothing would say how a source's images score for it. Twins count as one.
        """
        most = sorted(max(self.fingerprints[i].count for i in group) for group in self.twins.groups)
        if len(most) < 3 or most[-2] < 2:
            return None
        size, rate = self.cohort.size(images), self.rate(rate)
        key = size, rate, min_posterior, tested
        if key not in self._thresholds:
            (found,) = self._keep(f"threshold {key}{self.twins.name}", lambda: [np.array(self._upper_threshold(*key))])
            self._thresholds[key] = float(found)
        return self._thresholds[key], size

    def _upper_threshold(self, size: int, rate: float, min_posterior: float, tested: bool) -> float:
        """The score that sets of sources left out reach and pass all other tests at the given rate, at most."""
        trials, twins = list(self.cohort.unknown(size)), self.twins
        scores = [np.full(len(reached), LEAST_SCORE) for *_, reached in trials]
        places = [(float(score), i, j) for i, (*_, reached) in enumerate(trials) for j, score in enumerate(reached)]
        sets_of = np.bincount(twins.labels, [len(own) for own in scores])[twins.labels]  # of a source and its twins
        above = smallest_rate(len(twins))
        # From the highest score down, for as long as it matters: permutation tests take time.
        for score, i, j in sorted(places, reverse=True):
            if score < LEAST_SCORE or above > rate + 1e-12:  # as upper_threshold has it
                break
            sets, llrs, _ = trials[i]
            best = int(llrs[j].argmax())
            posterior = softmax(llrs[j])[twins.same[best]].sum()
            fails = tested and self.tests.of_left_out(i, sets[j], best) <= ALPHA
            if posterior >= min_posterior and not fails:
                scores[i][j] = score
                above += 1 / sets_of[i] / (len(twins) + 1)
        return upper_threshold([np.concatenate([scores[i] for i in group]) for group in twins.groups], rate)

    def what_joins(self, one: int, other: int) -> str:
        """Why two sources are twins."""
        shared = self.twins.shared.get((min(one, other), max(one, other)))
        if shared:
            return f"they share {counted(shared, 'file')}"
        if self.twins.alike_two(one, other):
            return "no test tells their enrolled images apart"
        return "each is the same as a third one"

    def what_separates(self, images: int, one: int, other: int) -> str:
        """What it would take to tell two sources apart that explain a probe of so many images about as well."""
        shared = self.twins.shared.get((min(one, other), max(one, other)))
        if shared:
            return f"they share {counted(shared, 'enrolled image')}: leave these out of one"
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
        # Processing makes sources more alike: who is the twin of whom is seen best in the original condition.
        twins = None if condition == ORIGINAL else lambda: self.original.twins
        return Enrolled(self._model.scorer, gallery, condition, keep, twins)

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
