"""Held back: the gallery's own sets, answered as if they were probes, to say what to expect of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import softmax

from genprint.answers.attribution import Identifier
from genprint.answers.decision import decide
from genprint.answers.expected import Expected
from genprint.answers.results import ATTRIBUTED, Attribution
from genprint.gallery.enrolled import LEAST_SCORE, Enrolled
from genprint.scoring.cohort import Normaliser
from genprint.scoring.exchangeability import QUICK
from genprint.scoring.thresholds import smallest_rate, upper_threshold

_LEAST_SOURCES = 4  # with one left out, a threshold takes three


def expected(identifier: Identifier, answer: Attribution, count: bool = True, nearest: bool = False) -> Expected | None:
    """What to expect of answers like this one: of as many images, in its condition, by its tests.

    It is counted once for each gallery, condition and set size, and kept with the gallery; of a gallery with more
    sources than are compared closely, for each shortlist of these.

    Args:
        identifier: that gave the answer.
        answer: of its own.
        count: whether it is counted if that was not done before; it takes longer than an answer.
        nearest: whether the gallery has more sources than the identifier compares, and says so.

    Returns:
        None where no threshold could be set, or if it was not counted.
    """
    evidence = answer.evidence
    if evidence is None or evidence.calibrated_at is None or evidence.threshold is None:
        return None
    enrolled, size = identifier.enrolled.called(answer.condition), evidence.calibrated_at
    rule = _Rule(enrolled, size, identifier.rate, identifier.min_posterior, evidence.p_counts)
    key = f"expected {size} {rule.rate} {rule.min_posterior} {rule.tested}"
    threshold = evidence.threshold
    counts = enrolled.once(key, (lambda: np.array([*rule.of_known(threshold), *rule.of_unknown()])) if count else None)
    if counts is None:
        return None
    sets, sources, right, wrong, *unknown = map(int, counts)
    compared = len(identifier.known) if nearest else None
    known, left_out = (sets, sources, right, wrong), (unknown[0], unknown[1], unknown[2])
    return Expected.of(size, answer.condition, known, left_out, compared)


@dataclass(frozen=True)
class _Rule:
    """How sets of the gallery's own images are answered.

    Attributes:
        enrolled: the gallery, in the condition in question.
        size: of the sets.
        rate: of false attributions.
        min_posterior: that an attribution needs.
        tested: whether the exchangeability test counts.
        tests: p of those that were made.
    """

    enrolled: Enrolled
    size: int
    rate: float
    min_posterior: float
    tested: bool
    tests: dict[tuple[int, int, int], float] = field(default_factory=dict, repr=False)

    def of_known(self, threshold: float) -> tuple[int, int, int, int]:
        """Sets whose source stayed enrolled, their sources, and how many were attributed rightly and wrongly."""
        cohort, same = self.enrolled.cohort, self.enrolled.twins.same
        means, scored = cohort.means(self.size), cohort.target_scores(self.size)
        sets = sources = right = wrong = 0
        whole = cohort.whole_target_scores(self.size)
        for i, (drawn, ratios) in enumerate(zip(cohort.sets(self.size), whole, strict=True)):
            if np.isnan(ratios[:, i]).any():
                continue  # all of its images would have been held back
            sources, sets = sources + 1, sets + len(drawn)
            for j, chosen in enumerate(drawn):
                # A set has no part in how its own score is normalised.
                level = means.copy()
                level[i, i] = np.delete(scored[i][:, i], j).mean() if len(drawn) > 1 else np.nan
                best = int(ratios[j].argmax())
                score = float(Normaliser.fit(level, same=same)(ratios[j : j + 1], np.array([best]))[0])
                if self._attributes(score, threshold, i, chosen, ratios[j], best):
                    right, wrong = right + (best == i), wrong + (best != i)
        return sets, sources, right, wrong

    def of_unknown(self) -> tuple[int, int, int]:
        """Sets whose source was left out, their sources, and how many were attributed all the same.

        The threshold for each source is that of a gallery of the others alone: it would lie higher by sets of a sibling
        that had the source to be taken for. Twins are left out together.
        """
        cohort, twins = self.enrolled.cohort, self.enrolled.twins
        if len(twins) < _LEAST_SOURCES:
            return 0, 0, 0
        means, labels = cohort.means(self.size), twins.labels
        sets, rows = cohort.sets(self.size), cohort.nontarget_scores(self.size)
        attributed = 0
        for i, own in enumerate(labels.tolist()):
            others = [
                self._passed(k, sets[k], rows[k], means, np.flatnonzero((labels != own) & (labels != labels[k])))
                for k in np.flatnonzero(labels != own).tolist()
            ]
            reached = self._passed(i, sets[i], rows[i], means, np.flatnonzero(labels != own))
            attributed += int((reached >= self._threshold(others)).sum())
        return sum(map(len, sets)), len(labels), attributed

    def _passed(
        self, source: int, sets: np.ndarray, ratios: np.ndarray, means: np.ndarray, among: np.ndarray
    ) -> np.ndarray:
        """Scores of a source's sets were only the sources ``among`` enrolled; -inf where another test fails."""
        shown = np.full_like(ratios, -np.inf)
        shown[:, among] = ratios[:, among]
        best = shown.argmax(1)
        pairs = np.ix_(among, among)
        scale = Normaliser.fit(means[pairs], same=self.enrolled.twins.same[pairs])
        scores = scale(ratios[:, among], np.searchsorted(among, best))
        passed = [
            self._attributes(score, LEAST_SCORE, source, chosen, row, which)
            for score, chosen, row, which in zip(scores.tolist(), sets, shown, best.tolist(), strict=True)
        ]
        return np.where(passed, scores, -np.inf)

    def _threshold(self, passed: Sequence[np.ndarray]) -> float:
        others = [np.maximum(own, LEAST_SCORE) for own in passed]
        return upper_threshold(others, max(self.rate, smallest_rate(len(others))))

    def _attributes(
        self, score: float, threshold: float, source: int, chosen: np.ndarray, ratios: np.ndarray, best: int
    ) -> bool:
        """Whether a set of a source's images, ``chosen`` by number, is attributed to its best candidate.

        ``ratios`` are minus infinity for sources that count as not enrolled.
        """
        twins = self.enrolled.twins.same[best] & np.isfinite(ratios)
        posterior = float(softmax(ratios)[twins].sum())
        system = self.enrolled.ratios(self.tested)

        def decided(p: float) -> bool:
            llr = system.of_ratios(ratios, best, p, self.size)
            decision, _ = decide(
                score, threshold, p, posterior, False, None, self.min_posterior, llr, twinned=twins.sum() > 1
            )
            return decision == ATTRIBUTED

        # Permutation tests take time: only where the answer hangs on it.
        return decided(1.0) and (not self.tested or decided(self._p(source, chosen, best)))

    def _p(self, source: int, chosen: np.ndarray, best: int) -> float:
        """Of the exchangeability test of a set against its best candidate, without the set."""
        asked = source, int(chosen[0]), best  # sets are disjoint
        if asked not in self.tests:
            self.tests[asked] = self.enrolled.tests.of_left_out(source, chosen, best, QUICK)
        return self.tests[asked]
