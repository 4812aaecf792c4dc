"""Kernel distances between sets: maximum mean discrepancy (Gretton et al., "A Kernel Two-Sample Test", 2012)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances, polynomial_kernel, rbf_kernel

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.base import Comparer
from genprint.scoring.distances import root_distances

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]


class MMD(Comparer):
    """Minus the squared maximum mean discrepancy between two sets' features.

    A set's similarity to itself leaves out each image with itself, but for a set of one image, which has nothing else.

    Args:
        kernel: 'cubic' (that of the kernel inception distance; Binkowski et al., 2018) or 'rbf' (its width the
            median distance in the gallery).
    """

    def __init__(self, kernel: str = "cubic"):
        if kernel not in ("cubic", "rbf"):
            raise ValueError(f"no kernel {kernel!r}; there are: cubic, rbf")
        self.kernel = kernel

    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        known = np.concatenate([source.values for source in gallery]).astype(np.float64)
        scale = known.std(0) + 1e-6  # features of different units
        kernel = self._kernel(known / scale)
        sets = [source.values / scale for source in gallery]
        asked = [probe.values / scale for probe in probes]
        owners = np.repeat(np.arange(len(probes)), [len(probe) for probe in probes])
        similarity = np.stack([kernel(np.concatenate(asked), values).mean(1) for values in sets], axis=1)
        sums = np.zeros((len(probes), len(sets)))
        np.add.at(sums, owners, similarity)
        to_itself, gallery_to_itself = (np.array([_to_itself(kernel(x, x)) for x in kind]) for kind in (asked, sets))
        scores: np.ndarray = 2 * sums / np.bincount(owners)[:, None] - to_itself[:, None] - gallery_to_itself
        return scores

    def distances(self, sets: Sequence[Fingerprint]) -> np.ndarray:
        """Square roots of the discrepancies between sets, ``(n, n)``."""
        return root_distances(-self.score(sets, sets))

    def _kernel(self, known: np.ndarray) -> Kernel:
        if self.kernel == "cubic":
            return lambda a, b: polynomial_kernel(a, b, degree=3, gamma=None, coef0=1)
        some = known[np.random.default_rng(0).permutation(len(known))[:1000]]
        distances = euclidean_distances(some)
        gamma = 1 / (2 * np.median(distances[np.triu_indices(len(some), 1)]) ** 2)
        return lambda a, b: rbf_kernel(a, b, gamma)


def _to_itself(square: np.ndarray) -> float:
    n = len(square)
    return float((square.sum() - np.trace(square)) / (n * (n - 1)) if n > 1 else square[0, 0])
