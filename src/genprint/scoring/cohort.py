"""Trials: enrolled images as probes, and what their log ratios say of everybody else's.

Raw log ratios of different sources do not compare: a VAE's own images may score in the hundreds for it, a GAN's in the
tens, and the siblings of either half as much. What a source's own images and those of others score for it, when left
out of the gallery, brings them to one scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np

from genprint.fingerprints.fingerprint import Features, Fingerprint, Fingerprinter
from genprint.scoring.base import ByFingerprint
from genprint.scoring.plda import PLDA
from genprint.scoring.thresholds import SIZES

# Nats: a source whose own images score no better than others' is not blown up to look like one.
_LEAST_GAIN = 1.0
_MOST_SETS, _DRAWS = 10, 20
# Each division of the images, and each of the sources, costs a scorer of its own. Two of 19 sources left out together,
# siblings perhaps, already set the threshold wrong.
_FOLDS, _GROUPS = 5, 20
# Share of sets named right at which two sources count as told apart.
TOLD_APART = 0.95


@dataclass(frozen=True)
class Normaliser:
    """Brings log ratios to one scale: 0 as sets of other sources score, 1 as a source's own do far from any rival.

    F-norm (Poh & Bengio, "F-ratio client-dependent normalisation for biometric authentication tasks", ICASSP 2005) with
    the impostors' level half way to the probe's best rival, as T-norm would have it: some sources are near all probes,
    and some probes near all sources.

    Attributes:
        impostors: mean log ratio of sets of other sources, for each source.
        gain: how much more sets of the source itself score.
    """

    impostors: np.ndarray
    gain: np.ndarray

    @classmethod
    def fit(cls, means: np.ndarray, without: int | None = None) -> Self:
        """From the mean log ratio of each source's sets (rows) for each source (columns).

        On the diagonal NaN says that a source has too few images to tell: it is taken for an average one.

        Args:
            without: a source that counts as not enrolled.

        Raises:
            ValueError: fewer than two sources, or all have too few images.
        """
        inside = np.arange(len(means)) != (-1 if without is None else without)
        if inside.sum() < 2:
            raise ValueError("one source alone has no impostors")
        own = np.diag(means)
        if np.isnan(own[inside]).all():
            raise ValueError("no source has the two images that it takes to leave one out")
        impostors = np.where(np.eye(len(means)), 0, means)[inside].sum(0) / (inside.sum() - 1)
        gain = np.maximum(own - impostors, _LEAST_GAIN)
        return cls(impostors, np.where(np.isnan(gain), np.nanmean(gain[inside]), gain))

    def __call__(self, ratios: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Scores of probes ``(n,)`` for one source each, ``chosen``, from their log ratios ``(n, sources)``."""
        rows = np.arange(len(ratios))
        others = ratios.copy()
        others[rows, chosen] = -np.inf
        level = (self.impostors[chosen] + others.max(1)) / 2
        return (ratios[rows, chosen] - level) / self.gain[chosen]


class Trials:
    """Log ratios of sets of enrolled images, as if these were not enrolled.

    Neither gallery nor scorer may have seen them: what the within-source covariance was adapted to looks more like its
    source than fresh images ever do.

    Args:
        fingerprinter: of the features.
        plda: its scorer.
        features: of each enrolled source.
        gallery: their fingerprints, with scatter.

    Attributes:
        known: what the scorer, adapted to the gallery, knows of it.
    """

    def __init__(
        self,
        fingerprinter: Fingerprinter,
        plda: PLDA,
        features: Sequence[Features],
        gallery: Sequence[Fingerprint],
    ):
        self._fingerprinter, self._features, self._gallery = fingerprinter, features, gallery
        self._fewest = min(map(len, features))
        self._held_out: dict[int, list[np.ndarray]] = {}
        self._foreign: dict[int, list[np.ndarray]] = {}
        self._plda = plda
        self.known = plda.adapt(gallery).posterior(gallery)

    def size(self, images: int) -> int:
        """Of the sets that stand for a probe of so many images: as many, or half of what each source has."""
        return max(1, min(images, self._fewest // 2))

    def sets(self, size: int) -> list[list[Features]]:
        """Disjoint sets of each source's images."""
        rng = np.random.default_rng(0)
        orders = [rng.permutation(len(own)) for own in self._features]
        return [
            [own[order[at : at + size]] for at in range(0, len(order) - size + 1, size)][:_MOST_SETS]
            for own, order in zip(self._features, orders, strict=True)
        ]

    def held_out(self, size: int) -> list[np.ndarray]:
        """Log ratios of each source's sets, ``(sets, sources)`` each, by a gallery of the other images.

        Sets are left out together, one in ``_FOLDS`` of every source, so that all sources have as many images left. The
        source's own column is NaN if it has none.
        """
        if size not in self._held_out:
            sets = self.sets(size)
            ratios = [np.empty((len(own), len(sets))) for own in sets]
            for fold in range(min(_FOLDS, max(map(len, sets)))):
                left = [own[fold::_FOLDS] for own in sets]
                self._leave_out(left, [own[fold::_FOLDS] for own in ratios])
            self._held_out[size] = ratios
        return self._held_out[size]

    def _leave_out(self, left: Sequence[Sequence[Features]], ratios: Sequence[np.ndarray]) -> None:
        """Fills in the log ratios of these sets of each source."""
        rest = [_without(own, sets) for own, sets in zip(self._features, left, strict=True)]
        gallery = [
            self._summary(kept if len(kept) else own, scatter=True)
            for own, kept in zip(self._features, rest, strict=True)
        ]
        known = self._plda.adapt(gallery).posterior(gallery)
        for i, sets in enumerate(left):
            if sets:
                ratios[i][:] = known.compare([self._summary(own) for own in sets])
                ratios[i][:, i] = np.where(len(rest[i]), ratios[i][:, i], np.nan)

    def foreign(self, size: int) -> list[np.ndarray]:
        """Log ratios of each source's sets, ``(sets, sources)`` each, as if it were not enrolled.

        Its own column is minus infinity. One in ``_GROUPS`` of the sources is kept from the scorer at a time.
        """
        if size not in self._foreign:
            # Whoever asks for one size asks for the smaller ones too, and adapting takes longest.
            wanted = {n: self.sets(n) for n in {*SIZES, size} - set(self._foreign) if n <= size}
            for n in wanted:
                self._foreign[n] = [np.empty(0)] * len(self._gallery)
            for group in np.array_split(np.arange(len(self._gallery)), min(_GROUPS, len(self._gallery))):
                plda = self._plda.adapt(own for i, own in enumerate(self._gallery) if i not in group)
                known = plda.posterior(self._gallery)
                for (n, sets), i in product(wanted.items(), group):
                    ratios = known.compare([self._summary(own) for own in sets[i]])
                    ratios[:, i] = -np.inf
                    self._foreign[n][i] = ratios
        return self._foreign[size]

    def separation(self, one: int, other: int) -> tuple[int, float]:
        """The fewest images at which sets of two sources are told apart, and the share of them that are.

        Told apart: of the two, each set's own is likelier in 19 of 20. If no size does it, the largest of which each
        source has four sets is given.
        """
        for size in [1, *(size for size in SIZES[1:] if 4 * size <= self._fewest)]:
            right = [
                float((self.held_out(size)[own][:, own] > self.held_out(size)[own][:, another]).mean())
                for own, another in ((one, other), (other, one))
            ]
            if min(right) >= TOLD_APART:
                break
        return size, float(np.mean(right))

    def normaliser(self, size: int) -> Normaliser:
        """For probes of so many images. Raises as ``Normaliser.fit`` does."""
        return Normaliser.fit(self._means(size))

    def unknown(self, size: int) -> Iterator[tuple[list[Features], np.ndarray, np.ndarray]]:
        """For each source: its sets, their log ratios, and their scores for the likeliest, as if it were not enrolled.

        Raises:
            ValueError: fewer than three sources, or all have too few images.
        """
        means = self._means(size)
        for i, (sets, ratios) in enumerate(zip(self.sets(size), self.foreign(size), strict=True)):
            yield sets, ratios, Normaliser.fit(means, without=i)(ratios, ratios.argmax(1))

    def score(self, features: Features, chosen: int) -> float:
        """Of a probe for one source; of one larger than the trials' sets, the mean over parts as large as those."""
        size = self.size(len(features))
        rng = np.random.default_rng(0)
        draws = _DRAWS if len(features) > size else 1
        parts = [features[rng.permutation(len(features))[:size]] for _ in range(draws)]
        ratios = self.known.compare([self._summary(part) for part in parts])
        return float(self.normaliser(size)(ratios, np.full(draws, chosen)).mean())

    def _means(self, size: int) -> np.ndarray:
        """Mean log ratio of each source's sets (rows) for each source (columns)."""
        means = np.stack([own.mean(0) for own in self.foreign(size)])
        np.fill_diagonal(means, [own[:, i].mean() for i, own in enumerate(self.held_out(size))])
        return means

    def _summary(self, features: Features, scatter: bool = False) -> Fingerprint:
        return self._fingerprinter.summarise(features, "", vector=False, scatter=scatter)


def _without(features: Features, sets: Sequence[Features]) -> Features:
    left = {digest for own in sets for digest in own.digests}
    return features[[i for i, digest in enumerate(features.digests) if digest not in left]]


class Normalised(ByFingerprint):
    """The comparer of PLDA with one scale for all probes: the likeliest source has its normalised score.

    The others follow at the distance of their log ratios.
    """

    scorer: PLDA

    def score(self, probes: Sequence[Features], gallery: Sequence[Features]) -> np.ndarray:
        summaries = [self.fingerprinter.summarise(own, "", vector=False) for own in gallery]
        trials = Trials(self.fingerprinter, self.scorer, gallery, summaries)
        asked = [self.fingerprinter.summarise(own, "", vector=False, scatter=False) for own in probes]
        ratios = trials.known.compare(asked)
        scores = [trials.score(own, row.argmax()) for own, row in zip(probes, ratios, strict=True)]
        return ratios - ratios.max(1, keepdims=True) + np.array(scores)[:, None]
