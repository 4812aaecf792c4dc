"""Exact search among the unit vectors of enrolled sources."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

_BLOCK = 1024


@dataclass(frozen=True)
class Index:
    """The vectors of all enrolled sources, in memory, for exact search.

    Attributes:
        names: of the sources.
        vectors: unit vectors, float32 ``(rows, e)``; a source has one in each condition, in a row.
        starts: the first row of each source.
    """

    names: tuple[str, ...] = field(repr=False)
    vectors: np.ndarray = field(repr=False)
    starts: np.ndarray = field(repr=False)

    def nearest(self, vector: np.ndarray, count: int) -> list[str]:
        """Names of so many sources, by the cosine of their vector in its best condition, the nearest first."""
        cosines = self.vectors @ vector.astype(np.float32)
        if len(cosines) > len(self.names):
            cosines = np.maximum.reduceat(cosines, self.starts)
        # The best are in the blocks with the largest maxima; to sort all would take longer than to compute them.
        starts = np.arange(0, len(cosines), _BLOCK)
        blocks = np.argsort(-np.maximum.reduceat(cosines, starts), kind="stable")[:count]
        rows = (starts[blocks][:, None] + np.arange(_BLOCK)).ravel()
        rows = np.sort(rows[rows < len(cosines)])
        return [self.names[i] for i in rows[np.argsort(-cosines[rows], kind="stable")[:count]]]
