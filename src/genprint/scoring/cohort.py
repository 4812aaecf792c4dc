"""Cohort: cross-validated target and non-target scores of the enrolled sources, for normalisation and thresholds.

Raw log likelihood ratios of different sources do not compare: a VAE's images may score in the hundreds for it, a GAN's
in the tens, and the siblings of either half as much. Target scores (a source's images for itself) and non-target scores
(those of other sources for it), each with the images left out of the gallery, bring them to one scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from operator import add
from typing import Self

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.base import ByScorer, Scorer
from genprint.scoring.thresholds import SIZES

# Lower bound of the gap between target and non-target scores, in nats; avoids dividing by nearly zero.
_LEAST_GAIN = 1.0
_MOST_SETS, _DRAWS = 10, 20
# Each division of the images, and each of the sources, costs a scorer of its own. Two of 19 sources left out together,
# siblings perhaps, already set the threshold wrong.
_FOLDS, _GROUPS = 5, 20
# Share of sets named right at which two sources count as separable.
SEPARABLE = 0.95


@dataclass(frozen=True)
class Normaliser:
    """Brings log ratios to one scale: 0 as sets of other sources score, 1 as a source's sets do far from any rival.

    F-norm (Poh & Bengio, "F-ratio client-dependent normalisation for biometric authentication tasks", ICASSP 2005) with
    the impostors' level half way to the probe's best rival, as T-norm would have it: some sources are near all probes,
    and some probes near all sources.

    Attributes:
        impostors: mean non-target log ratio of each source (sets of other sources for it), ``(sources,)``.
        gain: how far the mean target log ratio is above that, ``(sources,)``.
    """

    impostors: np.ndarray
    gain: np.ndarray

    @classmethod
    def fit(cls, means: np.ndarray, without: int | None = None) -> Self:
        """From the mean log ratio of each source's sets (rows) for each source (columns).

        On the diagonal NaN says that a source has too few images to tell: it is taken for an average one.

        Args:
            means: log ratios, natural logs, ``(sources, sources)``.
            without: number of a source that counts as not enrolled.

        Raises:
            ValueError: fewer than two sources, or all have too few images.
        """
        inside = np.arange(len(means)) != (-1 if without is None else without)
        if inside.sum() < 2:
            raise ValueError("one source alone has no impostors")
        targets = np.diag(means)
        if np.isnan(targets[inside]).all():
            raise ValueError("no source has the two images that it takes to leave one out")
        impostors = np.where(np.eye(len(means)), 0, means)[inside].sum(0) / (inside.sum() - 1)
        gain = np.maximum(targets - impostors, _LEAST_GAIN)
        return cls(impostors, np.where(np.isnan(gain), np.nanmean(gain[inside]), gain))

    def __call__(self, ratios: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Scores of probes ``(n,)`` for one source each, ``chosen``, from their log ratios ``(n, sources)``."""
        rows = np.arange(len(ratios))
        others = ratios.copy()
        others[rows, chosen] = -np.inf
        level = (self.impostors[chosen] + others.max(1)) / 2
        scores: np.ndarray = (ratios[rows, chosen] - level) / self.gain[chosen]
        return scores


class Cohort:
    """Scores of sets of enrolled images, as if these were not enrolled.

    Neither gallery nor scorer may have seen them: what the within-source covariance was adapted to looks more like its
    source than fresh images ever do.

    Args:
        scorer: adapted to the sources.
        fingerprints: of each enrolled source, with the features of its images.
    """

    def __init__(self, scorer: Scorer, fingerprints: Sequence[Fingerprint]):
        self.fingerprints = fingerprints
        self._frame = scorer.frame()
        self._sources = [self._frame.take(source) for source in fingerprints]
        self._known = self._frame.enroll(self._sources)
        self._fewest = min(map(len, fingerprints))
        self._targets: dict[int, list[np.ndarray]] = {}
        self._nontargets: dict[int, list[np.ndarray]] = {}

    def take(self, probe: Fingerprint) -> Fingerprint:
        """A probe in the coordinates in which ``llr`` takes it and parts of it."""
        return self._frame.take(probe)

    def llr(self, taken: Sequence[Fingerprint]) -> np.ndarray:
        """Log ratios ``(n, sources)`` of probes that were taken, by the whole gallery."""
        return self._known.llr(taken)

    def size(self, images: int) -> int:
        """Of the sets that stand for a probe of so many images: as many, or half of what each source has."""
        return max(1, min(images, self._fewest // 2))

    def sets(self, size: int) -> list[list[Fingerprint]]:
        """Disjoint sets of each source's images."""
        return _divided(self.fingerprints, size)

    def target_scores(self, size: int) -> list[np.ndarray]:
        """Log ratios of each source's sets, ``(sets, sources)`` each, by a gallery of the other images.

        Sets are left out together, one in ``_FOLDS`` of every source, so that all sources have as many images left. The
        source's own column is NaN if it has none.
        """
        if size not in self._targets:
            sets = _divided(self._sources, size)
            ratios = [np.empty((len(drawn), len(sets))) for drawn in sets]
            for fold in range(min(_FOLDS, max(map(len, sets)))):
                left = [drawn[fold::_FOLDS] for drawn in sets]
                self._leave_out(left, [rows[fold::_FOLDS] for rows in ratios])
            self._targets[size] = ratios
        return self._targets[size]

    def _leave_out(self, left: Sequence[Sequence[Fingerprint]], ratios: Sequence[np.ndarray]) -> None:
        """Fills in the log ratios of these sets of each source."""
        rest = [_without(source, sets) for source, sets in zip(self._sources, left, strict=True)]
        gone = [(reduce(add, sets), kept) for sets, kept in zip(left, rest, strict=True) if sets and len(kept)]
        gallery = [kept if len(kept) else source for source, kept in zip(self._sources, rest, strict=True)]
        known = (self._frame.without(gone) if gone else self._frame).enroll(gallery)
        for i, sets in enumerate(left):
            if sets:
                ratios[i][:] = known.llr(sets)
                ratios[i][:, i] = np.where(len(rest[i]), ratios[i][:, i], np.nan)

    def nontarget_scores(self, size: int) -> list[np.ndarray]:
        """Log ratios of each source's sets, ``(sets, sources)`` each, as if it were not enrolled.

        Its own column is minus infinity. One in ``_GROUPS`` of the sources is kept from the scorer at a time.
        """
        if size not in self._nontargets:
            # Smaller sizes are needed too (likelihood ratio by number of images), and adapting takes longest.
            sizes = {*SIZES, size} - set(self._nontargets)
            wanted = {n: _divided(self._sources, n) for n in sizes if n <= size}
            made = {n: [np.empty(0)] * len(self._sources) for n in wanted}
            groups = np.array_split(np.arange(len(self._sources)), min(_GROUPS, len(self._sources)))
            for group in groups:
                known = self._frame.without([(self._sources[i], None) for i in group]).enroll(self._sources)
                for (n, sets), i in product(wanted.items(), group):
                    ratios = known.llr(sets[i])
                    ratios[:, i] = -np.inf
                    made[n][i] = ratios
            self._nontargets.update(made)  # whole: other threads may ask meanwhile
        return self._nontargets[size]

    def separation(self, one: int, other: int) -> tuple[int, float]:
        """The fewest images at which sets of two sources are separable, and the accuracy there.

        Separable: in ``SEPARABLE`` of the sets of each, the raw log ratio of their source exceeds the other's. If no
        size does it, the largest of which each source has four sets is given.
        """
        for size in [1, *(size for size in SIZES[1:] if 4 * size <= self._fewest)]:
            right = [
                float((self.target_scores(size)[source][:, source] > self.target_scores(size)[source][:, rival]).mean())
                for source, rival in ((one, other), (other, one))
            ]
            if min(right) >= SEPARABLE:
                break
        return size, float(np.mean(right))

    def normaliser(self, size: int) -> Normaliser:
        """For probes of so many images. Raises as ``Normaliser.fit`` does."""
        return Normaliser.fit(self._means(size))

    def unknown(self, size: int) -> Iterator[tuple[list[Fingerprint], np.ndarray, np.ndarray]]:
        """For each source: its sets, their log ratios, and their scores for the likeliest, as if it were not enrolled.

        Raises:
            ValueError: fewer than three sources, or all have too few images.
        """
        means = self._means(size)
        for i, (sets, ratios) in enumerate(zip(self.sets(size), self.nontarget_scores(size), strict=True)):
            yield sets, ratios, Normaliser.fit(means, without=i)(ratios, ratios.argmax(1))

    def score(self, probe: Fingerprint, chosen: int) -> float:
        """Of a probe for one source; of one larger than the cohort's sets, the mean over parts as large as those."""
        size = self.size(len(probe))
        rng = np.random.default_rng(0)
        draws = _DRAWS if len(probe) > size else 1
        taken = self.take(probe)
        parts = [taken[rng.permutation(len(taken))[:size]] for _ in range(draws)]
        return float(self.normaliser(size)(self.llr(parts), np.full(draws, chosen)).mean())

    def _means(self, size: int) -> np.ndarray:
        """Mean log ratio of each source's sets (rows) for each source (columns)."""
        means = np.stack([rows.mean(0) for rows in self.nontarget_scores(size)])
        np.fill_diagonal(means, [rows[:, i].mean() for i, rows in enumerate(self.target_scores(size))])
        return means


def _divided(sources: Sequence[Fingerprint], size: int) -> list[list[Fingerprint]]:
    """Disjoint sets of so many images of each source."""
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(source)) for source in sources]
    return [
        [source[order[at : at + size]] for at in range(0, len(order) - size + 1, size)][:_MOST_SETS]
        for source, order in zip(sources, orders, strict=True)
    ]


def _without(fingerprint: Fingerprint, sets: Sequence[Fingerprint]) -> Fingerprint:
    left = {digest for drawn in sets for digest in drawn.digests}
    return fingerprint[[i for i, digest in enumerate(fingerprint.digests) if digest not in left]]


class Normalised(ByScorer):
    """A scorer's comparer with one scale for all probes: the likeliest source has its normalised score.

    The others follow at the distance of their log ratios.
    """

    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        known = [source.pooled() for source in gallery]
        adapted = self.scorer.adapt(known)
        cohort = Cohort(adapted, gallery)
        ratios = adapted.enroll(known).llr(probes)
        scores = [cohort.score(probe, int(row.argmax())) for probe, row in zip(probes, ratios, strict=True)]
        normalised: np.ndarray = ratios - ratios.max(1, keepdims=True) + np.array(scores)[:, None]
        return normalised
