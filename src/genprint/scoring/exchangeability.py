"""Whether two sets of features could be of one source: a permutation test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import cdist

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.base import Scorer
from genprint.scoring.cohort import Cohort, Keep, make_anew

#: Level of the test: so large a share of a source's sets fails it.
ALPHA = 0.05
#: Permutations where many sets are tested.
QUICK = 199
# Sets of each source that are tested for calibration, and sets of all sources together: tests take time.
_SETS, _TESTS = 4, 160

_PRIOR = 100  # images that the identity counts for when the sets' covariance is shrunk towards it
_MOST = 400  # images of each set that are used; the matrix of distances grows with the square
_PERMUTATIONS = 999


def exchangeable(a: np.ndarray, b: np.ndarray, permutations: int = _PERMUTATIONS, seed: int = 0) -> float:
    """p of the null hypothesis that images of both sets are drawn alike: small where they are not.

    Energy distance (Szekely & Rizzo, "Testing for Equal Distributions in High Dimension", 2004) of the sets,
    whitened by their common covariance, against that of random divisions of all images into two sets as large.
    Exact for any distribution and any sizes: among sets of one source, a share p has a value of p or less. One
    image against n has no less than about 1 / (n + 1).

    Args:
        a: features ``(n, d)``, scaled so that variance within a source is about one.
        b: features ``(m, d)``, scaled alike.
        permutations: random divisions; p is no smaller than 1 / (permutations + 1).
        seed: of the divisions.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> exchangeable(rng.normal(0, 1, (30, 4)), rng.normal(3, 1, (30, 4)))
        0.001
    """
    rng = np.random.default_rng(seed)
    a, b = (features[rng.permutation(len(features))[:_MOST]] for features in (a, b))
    both = np.concatenate([a, b])
    total, first = len(both), len(a)
    apart = cdist(*[_white(both)] * 2)
    order = rng.permuted(np.tile(np.arange(total), (permutations, 1)), axis=1)
    chosen = np.zeros((permutations + 1, total))
    chosen[0, :first] = 1
    np.put_along_axis(chosen[1:], order[:, :first], 1, axis=1)
    energy = _energy(apart, chosen, first)
    return float((energy >= energy[0] * (1 - 1e-9)).mean())


def _white(values: np.ndarray) -> np.ndarray:
    """Whitened up to a rotation, to which distances are invariant: by the ``(n, n)`` Gram matrix of the few images."""
    centred = values - values.mean(0)
    square, left = np.linalg.eigh(centred @ centred.T)
    square = square.clip(0)
    white: np.ndarray = left * np.sqrt(square * (len(values) + _PRIOR) / (square + _PRIOR))
    return white


def _energy(apart: np.ndarray, chosen: np.ndarray, first: int) -> np.ndarray:
    """Energy distance of each division, ``chosen`` being one where an image is in the first set."""
    second = len(apart) - first
    rows = chosen @ apart
    inside = (rows * chosen).sum(1)
    across = rows.sum(1) - inside
    outside = apart.sum() - inside - 2 * across
    energy: np.ndarray = 2 * across / (first * second) - inside / first**2 - outside / second**2
    return energy


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

    def of(self, probe: Fingerprint, source: int, permutations: int = _PERMUTATIONS) -> float:
        """p of the test that the probe's images and the source's are drawn alike."""
        if self._scorer.learned:
            return exchangeable(self._whitened(source), self._scorer.whiten(probe.values), permutations)
        others = [known for i, known in enumerate(self._fingerprints) if i != source]
        return self.between(self._fingerprints[source], probe, others, permutations)

    def between(
        self,
        one: Fingerprint,
        other: Fingerprint,
        beside: Sequence[Fingerprint] = (),
        permutations: int = _PERMUTATIONS,
    ) -> float:
        """p of the test that the images of two sets are drawn alike."""
        scorer = self._scorer if self._scorer.learned else self._scorer.adapt([*beside, one + other])
        return exchangeable(scorer.whiten(one.values), scorer.whiten(other.values), permutations)

    def of_left_out(self, source: int, drawn: np.ndarray, other: int, permutations: int = _PERMUTATIONS) -> float:
        """p of the test that some of a source's images, by number, and another source's are drawn alike.

        Of the source itself: its other images.
        """
        rest = np.delete(np.arange(len(self._fingerprints[source])), drawn) if other == source else slice(None)
        if self._scorer.learned:
            return exchangeable(self._whitened(other)[rest], self._whitened(source)[drawn], permutations)
        return self.of(self._fingerprints[source][drawn], other, permutations)

    def left_out(self, cohort: Cohort, size: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """p of the first few sets of each source, of so many images: what sources make, and what strangers make.

        Returns:
            By source, of its sets with its other images, and with the likeliest source were it not enrolled.
        """
        sources = len(self._fingerprints)
        each = max(1, min(_SETS, _TESTS // sources))

        def make() -> list[np.ndarray]:
            sets, strangers = cohort.sets(size), cohort.nontarget_scores(size)
            best = [np.full(each, i) for i in range(sources)], [rows[:each].argmax(1) for rows in strangers]
            return [
                np.array(
                    [self.of_left_out(i, drawn, int(j), QUICK) for drawn, j in zip(sets[i], chosen[i], strict=False)]
                )
                for chosen in best
                for i in range(sources)
            ]

        found = self._keep(f"tests {size}", make)
        return found[:sources], found[sources:]

    def _whitened(self, source: int) -> np.ndarray:
        if source not in self._white:
            self._white[source] = self._scorer.whiten(self._fingerprints[source].values)
        return self._white[source]
