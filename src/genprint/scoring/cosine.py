"""Cosine of unit vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.scoring.base import Comparer


@dataclass(frozen=True)
class Cosine(Comparer):
    """Cosine of the fingerprinter's unit vectors, whatever the number of images behind each."""

    fingerprinter: Fingerprinter

    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        embed = self.fingerprinter.embed
        left, right = (np.stack([embed(fingerprint) for fingerprint in sets]) for sets in (probes, gallery))
        cosines: np.ndarray = left.astype(np.float64) @ right.T
        return cosines

    def distances(self, sets: Sequence[Fingerprint]) -> np.ndarray:
        """One minus the cosine."""
        apart = 1 - self.score(sets, sets)
        np.fill_diagonal(apart, 0)
        return apart.clip(0)
