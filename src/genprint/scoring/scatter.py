"""Scatter within sources, summed over many."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from genprint.fingerprints.fingerprint import Fingerprint, by_part

# Images whose deviations are multiplied at once: a product for each source takes several times as long.
_BLOCK = 1024


def pooled_scatter(sources: Iterable[Fingerprint]) -> tuple[np.ndarray, int]:
    """Summed scatter within the sources, ``(parts, d, d)``, and its degrees of freedom; they are read one at a time."""
    scatter, freedom = np.zeros((1, 1, 1)), 0
    waiting: list[np.ndarray] = []
    for source in sources:
        freedom += source.count - 1
        if source.moments:
            scatter = scatter + source.scatter
            continue
        waiting.append(by_part(source.values - source.mean, source.parts))
        if sum(rows.shape[1] for rows in waiting) >= _BLOCK:
            scatter = scatter + _product(waiting)
            waiting = []
    return (scatter + _product(waiting) if waiting else scatter), freedom


def _product(deviations: list[np.ndarray]) -> np.ndarray:
    rows = np.concatenate(deviations, axis=1)
    product: np.ndarray = rows.swapaxes(1, 2) @ rows
    return product
