"""Trials: enrolled images as probes, and what their log ratios say of everybody else's.

Raw log ratios of different sources do not compare: a VAE's own images may score in the hundreds for it, a GAN's in the
tens, and the siblings of either half as much. What a source's own images and those of others score for it, when left
out of the gallery, brings them to one scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from genprint.fingerprint import Features, Fingerprint, Fingerprinter
from genprint.scoring import PLDA, ByFingerprint

# Nats: a source whose own images score no better than others' is not blown up to look like one.
_LEAST_GAIN = 1.0
_MOST_SETS, _DRAWS = 10, 20


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
    """Log ratios of sets of enrolled images, each left out of the gallery in its turn.

    Args:
        fingerprinter: of the features.
        plda: its scorer.
        features: of each enrolled source.
        gallery: their fingerprints, with scatter.

    Attributes:
        plda: adapted to the gallery.
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
        self._parts: dict[int, list[list[np.ndarray]]] = {}
        self._ratios: dict[int, list[np.ndarray]] = {}
        self.plda = plda.adapt(gallery)

    def size(self, images: int) -> int:
        """Of the sets that stand for a probe of so many images: as many, or half of what each source has."""
        return max(1, min(images, self._fewest // 2))

    def ratios(self, size: int) -> list[np.ndarray]:
        """Log ratios of each source's sets, ``(sets, sources)`` each.

        A source's own column compares with its other images. It is NaN if there are none.
        """
        if size not in self._ratios:
            rng = np.random.default_rng(0)
            orders = [rng.permutation(len(own)) for own in self._features]
            self._parts[size] = [
                [order[at : at + size] for at in range(0, len(order) - size + 1, size)][:_MOST_SETS] for order in orders
            ]
            self._ratios[size] = [self._of_source(i, parts) for i, parts in enumerate(self._parts[size])]
        return self._ratios[size]

    def _of_source(self, i: int, parts: Sequence[np.ndarray]) -> np.ndarray:
        own = self._features[i]
        probes = [self._summary(own[part]) for part in parts]
        ratios = self.plda.compare(probes, self._gallery)
        for row, probe, part in zip(ratios, probes, parts, strict=True):
            rest = np.setdiff1d(np.arange(len(own)), part)
            row[i] = self.plda.compare([probe], [self._summary(own[rest])])[0, 0] if len(rest) else np.nan
        return ratios

    def normaliser(self, size: int) -> Normaliser:
        """For probes of so many images. Raises as ``Normaliser.fit`` does."""
        return Normaliser.fit(self._means(size))

    def unknown(self, size: int) -> Iterator[tuple[list[Features], np.ndarray, np.ndarray]]:
        """For each source: its sets, their log ratios, and their scores for the likeliest, as if it were not enrolled.

        Its own log ratios are minus infinity.

        Raises:
            ValueError: fewer than three sources, or all have too few images.
        """
        means = self._means(size)
        for i, own in enumerate(self.ratios(size)):
            ratios = own.copy()
            ratios[:, i] = -np.inf
            scores = Normaliser.fit(means, without=i)(ratios, ratios.argmax(1))
            yield [self._features[i][part] for part in self._parts[size][i]], ratios, scores

    def score(self, features: Features, chosen: int) -> float:
        """Of a probe for one source; of one larger than the trials' sets, the mean over parts as large as those."""
        size = self.size(len(features))
        rng = np.random.default_rng(0)
        draws = _DRAWS if len(features) > size else 1
        parts = [features[rng.permutation(len(features))[:size]] for _ in range(draws)]
        ratios = self.plda.compare([self._summary(part) for part in parts], self._gallery)
        return float(self.normaliser(size)(ratios, np.full(draws, chosen)).mean())

    def _means(self, size: int) -> np.ndarray:
        return np.stack([own.mean(0) for own in self.ratios(size)])

    def _summary(self, features: Features) -> Fingerprint:
        return self._fingerprinter.summarise(features, "", vector=False, scatter=False)


class Normalised(ByFingerprint):
    """The comparer of PLDA with one scale for all probes: the likeliest source has its normalised score.

    The others follow at the distance of their log ratios.
    """

    scorer: PLDA

    def score(self, probes: Sequence[Features], gallery: Sequence[Features]) -> np.ndarray:
        summaries = [self.fingerprinter.summarise(own, "", vector=False) for own in gallery]
        trials = Trials(self.fingerprinter, self.scorer, gallery, summaries)
        asked = [self.fingerprinter.summarise(own, "", vector=False, scatter=False) for own in probes]
        ratios = trials.plda.compare(asked, summaries)
        scores = [trials.score(own, row.argmax()) for own, row in zip(probes, ratios, strict=True)]
        return ratios - ratios.max(1, keepdims=True) + np.array(scores)[:, None]
