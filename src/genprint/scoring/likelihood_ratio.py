"""Calibrated evidence: how much more likely an enrolled source makes a probe than one that is not enrolled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genprint.fingerprints.fingerprint import Features, Fingerprint
from genprint.scoring.cohort import Trials
from genprint.scoring.thresholds import SIZES, LikelihoodRatio, evidence

_DRAWS = 200
_NONE = np.full(1, np.nan)  # no vector is looked at


@dataclass(frozen=True)
class Evidence:
    """A calibrated likelihood ratio for two propositions.

    It is for a source named before the probe was looked at. The best of many candidates misleads more often, up to
    as many times as there are candidates.

    Attributes:
        hp: the first proposition.
        hd: the second one.
        log10_lr: log10 of the likelihood ratio of the first against the second.
        low: end of its 95 % interval, by bootstrap over the probe's images; None for a single image.
        high: other end.
        cap: largest ``log10_lr`` that so many calibration sources support.
        sources: it was calibrated on: the enrolled ones, each compared by images left out of the gallery.
        calibrated_at: size of the sets it was calibrated with.
        by_images: ``log10_lr`` by number of images, with both ends of its interval: of the whole probe, and the mean
            over random parts of it.
    """

    hp: str
    hd: str
    log10_lr: float
    low: float | None
    high: float | None
    cap: float
    sources: int
    calibrated_at: int
    by_images: dict[int, tuple[float, float | None, float | None]]


class Weigher:
    """Weighs a probe as evidence for an enrolled source; calibrated on the enrolled sources, once for each set size.

    Args:
        trials: of the enrolled sources.
        gallery: their fingerprints.
    """

    def __init__(self, trials: Trials, gallery: Sequence[Fingerprint]):
        self._trials, self._gallery = trials, gallery
        self._likelihood_ratios: dict[int, LikelihoodRatio] = {}

    def likelihood_ratio(self, images: int) -> LikelihoodRatio | None:
        """What makes a likelihood ratio of evidence from so many images; None with fewer than three sources, or one of
        a single image.

        Sets of each enrolled source's images are compared with a gallery that lacks them, and, for sources that are
        not enrolled, with one that lacks their source.
        """
        if len(self._gallery) < 3 or min(own.count for own in self._gallery) < 2:
            return None
        size = self._trials.size(images)
        if size not in self._likelihood_ratios:
            own, others = self._trials.held_out(size), self._trials.foreign(size)
            same = [evidence(ratios)[:, i] for i, ratios in enumerate(own)]
            different = [np.concatenate(evidence(np.delete(ratios, i, axis=1))) for i, ratios in enumerate(others)]
            self._likelihood_ratios[size] = LikelihoodRatio.fit(same, different)
        return self._likelihood_ratios[size]

    def evidence(self, features: Features, best: int) -> Evidence | None:
        """The calibrated likelihood ratio for one enrolled source."""
        found = self.likelihood_ratio(len(features))
        if found is None:
            return None
        rng = np.random.default_rng(0)
        values = features.values.astype(np.float64)

        def log10_lr(sets: np.ndarray, model: LikelihoodRatio) -> np.ndarray:
            """Of sets of the probe's images, ``(sets, size)`` of their numbers."""
            probes = [
                Fingerprint("", len(own), values[own].mean(0), scatter=None, digests=(), vector=_NONE) for own in sets
            ]
            ratios = self._trials.known.compare(probes)
            return model.log10(evidence(ratios)[:, best])

        def of_parts(size: int) -> tuple[float, float, float]:
            """Mean and interval over parts drawn with replacement."""
            model = self.likelihood_ratio(size)
            assert model is not None
            again = log10_lr(rng.integers(len(values), size=(_DRAWS, size)), model)
            low, high = np.quantile(again, [0.025, 0.975])
            return float(again.mean()), float(low), float(high)

        low = high = None
        if len(features) > 1:
            _, low, high = of_parts(len(features))
        by_images: dict[int, tuple[float, float | None, float | None]] = {
            size: of_parts(size) for size in SIZES if size < len(features)
        }
        value = float(log10_lr(np.arange(len(values))[None], found)[0])
        return Evidence(
            hp=f"{self._gallery[best].source} made the images",
            hd="a source that is not enrolled, but like those that are, made them",
            log10_lr=value, low=low, high=high, cap=found.cap, sources=found.sources,
            calibrated_at=self._trials.size(len(features)), by_images={**by_images, len(features): (value, low, high)},
        )  # fmt: skip
