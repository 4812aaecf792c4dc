"""Exchangeability tests of sets with enrolled sources, and of enrolled images that are held back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.base import Scorer
from genprint.scoring.cohort import Cohort, Keep, make_anew
from genprint.scoring.exchangeability import PERMUTATIONS, QUICK, exchangeable

# Sets of each source that are tested for calibration, and sets of all sources together: tests take time.
_SETS, _TESTS = 4, 100


class ExchangeabilityTests:
    """Tests whether sets are drawn like the enrolled sources' images.

    Features are scaled by the scorer as it was learned, which favours no enrolled source. One that has learned nothing
    is adapted to both sets as if they were one, and to the other sources: adapted to one of the two alone, it would
    make its images look less spread than the other's.

    Args:
        scorer: not adapted.
        fingerprints: of each enrolled source, with the features of its images.
        keep: keeps what was found for the next time that these sources are asked about.
    """

    def __init__(self, scorer: Scorer, fingerprints: Sequence[Fingerprint], keep: Keep = make_anew):
        self._scorer, self._fingerprints, self._keep = scorer, fingerprints, keep
        self._white: dict[int, np.ndarray] = {}

    def of(self, probe: Fingerprint, source: int, permutations: int = PERMUTATIONS) -> float:
        """p of the test that the probe's images and the source's are drawn alike."""
        if self._scorer.learned:
            return exchangeable(self.whitened(source), self._scorer.whiten(probe.values), permutations)
        others = [known for i, known in enumerate(self._fingerprints) if i != source]
        return self.between(self._fingerprints[source], probe, others, permutations)

    def between(
        self,
        one: Fingerprint,
        other: Fingerprint,
        beside: Sequence[Fingerprint] = (),
        permutations: int = PERMUTATIONS,
    ) -> float:
        """p of the test that the images of two sets are drawn alike."""
        scorer = self._scorer if self._scorer.learned else self._scorer.adapt([*beside, one + other])
        return exchangeable(scorer.whiten(one.values), scorer.whiten(other.values), permutations)

    def of_left_out(self, source: int, drawn: np.ndarray, other: int, permutations: int = PERMUTATIONS) -> float:
        """p of the test that some of a source's images, by number, and another source's are drawn alike.

        Of the source itself: its other images.
        """
        rest = np.delete(np.arange(len(self._fingerprints[source])), drawn) if other == source else slice(None)
        if self._scorer.learned:
            return exchangeable(self.whitened(other)[rest], self.whitened(source)[drawn], permutations)
        return self.of(self._fingerprints[source][drawn], other, permutations)

    def left_out(self, cohort: Cohort, size: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """p of the first few sets of each source, of so many images: what sources make, and what strangers make.

        Returns:
            By source, of its sets with its other images, and with the likeliest source were it not enrolled.
        """
        sources = len(self._fingerprints)
        each = max(1, min(_SETS, _TESTS // sources))

        def make() -> list[np.ndarray]:
            sets = [drawn[:each] for drawn in cohort.sets(size)]
            own = [[i] * len(drawn) for i, drawn in enumerate(sets)]
            strangers = [rows[:each].argmax(1).tolist() for rows in cohort.stranger_scores(size)]
            return [
                np.array([self.of_left_out(i, drawn, other, QUICK) for drawn, other in zip(sets[i], best, strict=True)])
                for chosen in (own, strangers)
                for i, best in enumerate(chosen)
            ]

        found = self._keep(f"tests {size}{cohort.twins.name}", make)
        return found[:sources], found[sources:]

    def whitened(self, source: int) -> np.ndarray:
        """Features of a source's images, scaled."""
        if source not in self._white:
            self._white[source] = self._scorer.whiten(self._fingerprints[source].values)
        return self._white[source]
