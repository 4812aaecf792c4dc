"""A vote: every image of the probe is attributed alone, and the source with most of them wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.base import Comparer


@dataclass(frozen=True)
class Vote(Comparer):
    """Share of the probe's images that go to each source; ties go by the mean score.

    Attributes:
        single: scores single images.
    """

    single: Comparer

    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        alone = [probe[[i]] for probe in probes for i in range(len(probe))]
        scores = self.single.score(alone, gallery)
        votes = np.eye(len(gallery))[scores.argmax(1)]
        sizes = [len(probe) for probe in probes]
        starts = np.cumsum([0, *sizes[:-1]])
        shares, means = (np.add.reduceat(part, starts) / np.array(sizes)[:, None] for part in (votes, scores))
        ranks = means.argsort(1).argsort(1) / len(gallery)
        score: np.ndarray = shares + ranks / (2 * np.array(sizes)[:, None])
        return score
