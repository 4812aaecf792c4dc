"""Enrolled sources: a gallery in the condition that is asked for, and everything that is worked out from it there."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from scipy.special import softmax

from genprint.fingerprints.conditions import KEPT, ORIGINAL
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Progress, expect
from genprint.images.processing import Processing
from genprint.model import Model
from genprint.scoring.base import Enrollment, Scorer
from genprint.scoring.cohort import SEPARABLE, Cohort
from genprint.scoring.conditions import can_match, candidates, in_condition, match
from genprint.scoring.exchangeability import exchangeable
from genprint.scoring.likelihood_ratio import LikelihoodRatio, LikelihoodRatioSystem
from genprint.scoring.thresholds import smallest_rate, upper_threshold

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
    """

    def __init__(self, scorer: Scorer, fingerprints: Sequence[Fingerprint], condition: str = ORIGINAL):
        self.fingerprints = list(fingerprints)
        self.names = tuple(known.source for known in fingerprints)
        self.condition = condition
        self._scorer = scorer
        self._thresholds: dict[tuple[int, float, float], float] = {}

    @cached_property
    def _adapted(self) -> Scorer:
        return self._scorer.adapt(self.fingerprints)

    @cached_property
    def known(self) -> Enrollment:
        """The sources as the scorer, adapted to them, models them."""
        return self._adapted.enroll(self.fingerprints)

    @cached_property
    def cohort(self) -> Cohort:
        """Target and non-target scores of the sources."""
        return Cohort(self._adapted, self.fingerprints)

    @cached_property
    def _ratios(self) -> LikelihoodRatioSystem:
        return LikelihoodRatioSystem(self.cohort)

    def exchangeability(self, probe: Fingerprint, source: int) -> float:
        """p of the test that the probe's images and the source's are drawn alike."""
        others = [known for i, known in enumerate(self.fingerprints) if i != source]
        return self.exchangeable(self.fingerprints[source], probe, others)

    def exchangeable(self, one: Fingerprint, other: Fingerprint, beside: Sequence[Fingerprint] = ()) -> float:
        """p of the test that the images of two sets are drawn alike.

        Features are scaled by the scorer as it was learned, which favours no enrolled source. One that has learned
        nothing is adapted to both sets as if they were one, and to those beside them: adapted to one of the two alone,
        it would make its images look less spread than the other's.
        """
        scorer = self._scorer if self._scorer.learned else self._scorer.adapt([*beside, one + other])
        return exchangeable(scorer.project(one.values), scorer.project(other.values))

    def likelihood_ratio(self, probe: Fingerprint, source: int) -> LikelihoodRatio | None:
        """The calibrated one for that source; None where there are too few sources or images to calibrate."""
        return self._ratios.likelihood_ratio(probe, source)

    def threshold(self, images: int, rate: float, min_posterior: float) -> tuple[float, int] | None:
        """The score that probes of so many images must reach, and the set size it was set at.

        Each source in turn is left out, and sets of its images put to all tests of an attribution: at most ``rate`` of
        unknown sources, if they are like the enrolled ones, pass.

        Returns:
            None with fewer than three sources, or fewer than two of two images or more: with one of these left out,
            nothing would say how a source's images score for it.
        """
        if len(self.fingerprints) < 3 or sorted(source.count for source in self.fingerprints)[-2] < 2:
            return None
        size = self.cohort.size(images)
        key = size, rate, min_posterior
        if key not in self._thresholds:
            self._thresholds[key] = self._upper_threshold(*key)
        return self._thresholds[key], size

    def _upper_threshold(self, size: int, rate: float, min_posterior: float) -> float:
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
            if softmax(llrs[j]).max() >= min_posterior and self.exchangeability(sets[j], best) > ALPHA:
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
        conditions: whether probes are compared in other conditions than the original, too; it takes originals of all
            sources.
    """

    def __init__(self, model: Model, known: Mapping[str, Fingerprint], conditions: bool = True):
        self._model = model
        self._gallery = [replace(fingerprint, source=name) for name, fingerprint in known.items()]
        self._matched = conditions and can_match(self._gallery)
        self._lock = threading.RLock()
        self._made: OrderedDict[tuple[Processing | None, int | None], Enrolled] = OrderedDict()
        self.original = Enrolled(model.scorer, self._gallery)

    def __call__(
        self, processing: Processing | None = None, most: int | None = None, progress: Progress | None = None
    ) -> Enrolled:
        """The sources in a condition, None for the original, by so many images of each at most."""
        if processing is None and (most is None or all(source.count <= most for source in self._gallery)):
            return self.original
        key = processing, most
        with self._lock:
            if key not in self._made:
                among = in_condition(self._gallery, None, most)
                if processing:
                    expect(progress, sum(source.count for source in among))
                made = in_condition(among, processing, progress=progress)
                self._made[key] = Enrolled(self._model.scorer, made, processing.name if processing else ORIGINAL)
            self._made.move_to_end(key)
            while len(self._made) > _HELD:
                self._made.popitem(last=False)
            return self._made[key]

    def called(self, condition: str) -> Enrolled:
        """The sources in that condition, which was asked for just now; else in the original."""
        with self._lock:
            made = [
                one
                for (processing, most), one in self._made.items()
                if processing and most == KEPT and one.condition == condition
            ]
        return made[-1] if made else self.original

    def candidates(self, probes: Sequence[Fingerprint]) -> list[Processing]:
        """Conditions, beside the original, that the probes may well be in; they share one."""
        if not self._matched:
            return []
        return candidates(probes, self.original.known, self._model.scorer, self._model.population)

    def match(self, probes: Sequence[Fingerprint], progress: Progress | None = None) -> Enrolled:
        """The sources in the condition that the probes are in."""

        def known(processing: Processing | None, most: int | None) -> Enrollment:
            return self(processing, most, progress).known

        found = match(known, len(self._gallery), self.candidates(probes), probes)
        return self(found, KEPT) if found else self.original
