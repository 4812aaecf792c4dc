"""Histories: what images may have gone through since they were made, so that like is compared with like.

A JPEG probe against lossless images compares histories, not models. What the probe went through cannot be undone, but
it can be done to the enrolled images too: features are kept of each as it is and after every one of ``HISTORIES``,
and a probe is compared with the state of the gallery in which its features are likeliest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.special import logsumexp

from genprint.changes import Change, blur, jpeg, noise, resize, shift
from genprint.fingerprint import Features, Fingerprint, Fingerprinter
from genprint.scoring import PLDA, ByFingerprint

#: The history of images that went through nothing since they were enrolled.
NONE = "none"
HISTORIES: Mapping[str, Change] = MappingProxyType(
    {
        **{f"JPEG {quality}": jpeg(quality) for quality in (95, 90, 82, 70, 50)},
        **{f"JPEG {quality} 4:4:4": jpeg(quality, "4:4:4") for quality in (95, 88, 75)},
        "resize 75 %": resize(0.75),
        "blur 1": blur(1.0),
        "noise 5": noise(5),
        **{f"shift {y},{x}": shift(y, x) for y, x in ((0, 1), (1, 0), (1, 1))},
    }
)


def common(sets: Sequence[Features]) -> list[str]:
    """The histories that all the sets have features of, ``NONE`` first."""
    return [NONE, *(name for name in sets[0].after if all(name in own.after for own in sets))]


class Matcher:
    """Finds the state of a gallery that a probe is to be compared with.

    Args:
        fingerprinter: of the features.
        plda: adapted to each state's own images.
        gallery: features of each enrolled source.
    """

    def __init__(self, fingerprinter: Fingerprinter, plda: PLDA, gallery: Sequence[Features]):
        self.states: dict[str, tuple[PLDA, list[Fingerprint]]] = {}
        for name in common(gallery):
            own = [fingerprinter.summarise(known.with_history(name), "", vector=False) for known in gallery]
            self.states[name] = plda.adapt(own), own

    def match(self, probes: Sequence[Fingerprint]) -> list[str]:
        """The history of each probe under which the enrolled sources explain it best."""
        names = list(self.states)
        if len(names) == 1:
            return names * len(probes)
        return [names[i] for i in np.argmax(self._explained(probes), axis=0)]

    def match_mixed(self, images: Sequence[Fingerprint]) -> str:
        """The history that all these images have in common, whichever sources they are of."""
        return list(self.states)[np.argmax(self._explained(images).sum(1))]

    def _explained(self, probes: Sequence[Fingerprint]) -> np.ndarray:
        """Log density of each probe, were it of any enrolled source, ``(histories, n)``."""
        return np.stack([logsumexp(plda.log_density(probes, known), axis=1) for plda, known in self.states.values()])


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
            plda, known = matcher.states[name]
            scores[found == name] = plda.compare([summaries[i] for i in np.flatnonzero(found == name)], known)
        return scores
