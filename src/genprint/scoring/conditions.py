"""Histories: what images may have gone through since they were made, so that like is compared with like.

A JPEG probe against lossless images compares histories, not models. What the probe went through cannot be undone, but
it can be done to the enrolled images too: features are kept of each as it is and after every one of ``HISTORIES``,
and a probe is compared with the state of the gallery in which its features are likeliest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
from scipy.special import logsumexp

from genprint.fingerprints.fingerprint import Features, Fingerprint, Fingerprinter
from genprint.images.processing import Change, blur, chain, jpeg, noise, resize, shift
from genprint.scoring.base import ByFingerprint
from genprint.scoring.plda import PLDA, Posterior

# By how much more log density a history must explain a probe than none does. Log densities of many features are too
# sure of themselves: this much costs no unchanged set of 5 or more images of the shipped generators its source, and
# changed ones pass it easily. Single images hardly do, and are taken for unchanged.
MARGIN = 40.0
#: The history of images that went through nothing since they were enrolled.
NONE = "none"
SHIFTS: Mapping[str, Change] = MappingProxyType({f"shift {y},{x}": shift(y, x) for y, x in ((0, 1), (1, 0), (1, 1))})
HISTORIES: Mapping[str, Change] = MappingProxyType(
    {
        **{f"JPEG {quality}": jpeg(quality) for quality in (95, 90, 82, 70, 50)},
        **{f"JPEG {quality} 4:4:4": jpeg(quality, "4:4:4") for quality in (95, 88, 75)},
        "resize 75 %": resize(0.75),
        **{f"blur {sigma:g}": blur(sigma) for sigma in (0.5, 1.0)},
        **{f"noise {levels}": noise(levels) for levels in (2, 5)},
        **SHIFTS,
        # Cropped, then saved: of other qualities too, this is nearer than either alone.
        **{f"{name}, JPEG 82": chain(change, jpeg(82)) for name, change in SHIFTS.items()},
    }
)


def common(sets: Sequence[Features]) -> list[str]:
    """The histories that all the sets have features of, ``NONE`` first."""
    return [NONE, *(name for name in sets[0].after if all(name in own.after for own in sets))]


class Matcher:
    """Finds the state of a gallery that a probe is to be compared with.

    A history is only believed if it explains the probe better than no history does, by ``MARGIN``.

    Args:
        fingerprinter: of the features.
        plda: adapted to each state's own images.
        gallery: features of each enrolled source.
    """

    def __init__(self, fingerprinter: Fingerprinter, plda: PLDA, gallery: Sequence[Features]):
        self._fingerprinter, self._plda, self._gallery = fingerprinter, plda, gallery
        self._names = common(gallery)

    @cached_property
    def states(self) -> dict[str, Posterior]:
        """What is known of the gallery after each history, by the scorer adapted to it."""
        made = {}
        for name in self._names:
            own = [self._summary(known.with_history(name)) for known in self._gallery]
            made[name] = self._plda.adapt(own).posterior(own)
        return made

    def match(self, probes: Sequence[Fingerprint]) -> list[str]:
        """The history of each probe under which the enrolled sources explain it best."""
        if self._names == [NONE]:
            return [NONE] * len(probes)
        return self._believed(self._explained(probes, self.states))

    def match_mixed(self, images: Sequence[Fingerprint]) -> str:
        """The history that all these images have in common, whichever sources they are of."""
        if self._names == [NONE]:
            return NONE
        (history,) = self._believed(self._explained(images, self.states).mean(1, keepdims=True))
        return history

    def _believed(self, explained: np.ndarray) -> list[str]:
        """The history that explains best, for each column, if it does so by more than the margin."""
        gained = explained.max(0) - explained[0]
        best = explained.argmax(0)
        return [self._names[i] if more > MARGIN else NONE for i, more in zip(best, gained, strict=True)]

    def _summary(self, features: Features) -> Fingerprint:
        return self._fingerprinter.summarise(features, "", vector=False)

    @staticmethod
    def _explained(probes: Sequence[Fingerprint], states: Mapping[str, Posterior]) -> np.ndarray:
        """Log density of each probe, were it of any enrolled source, ``(histories, n)``."""
        return np.stack([logsumexp(known.log_density(probes), axis=1) for known in states.values()])


@dataclass(frozen=True)
class Matched(ByFingerprint):
    """The comparer of PLDA that first matches each probe's history, where the gallery has features for that."""

    scorer: PLDA

    def score(self, probes: Sequence[Features], gallery: Sequence[Features]) -> np.ndarray:
        if common(gallery) == [NONE]:
            return super().score(probes, gallery)
        matcher = Matcher(self.fingerprinter, self.scorer, gallery)
        summaries = [self.fingerprinter.summarise(own, "", vector=False, scatter=False) for own in probes]
        found = np.array(matcher.match(summaries))
        scores = np.empty((len(probes), len(gallery)))
        for name in set(found):
            scores[found == name] = matcher.states[name].compare([summaries[i] for i in np.flatnonzero(found == name)])
        return scores
