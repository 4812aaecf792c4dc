"""Twins: sources that are one as far as anybody can tell, so that neither says how images of unknown sources score.

One folder that is enrolled under two names would set the threshold alone: with either left out as unknown, the other
scores as the source itself does. So twins are left out together, and count as one source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Self

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform

from genprint.fingerprints.fingerprint import Fingerprint
from genprint.scoring.exchangeability import exchangeable

#: Share of its files that a source has in common with another from which on the two count as one.
SHARED = 0.1
#: Images that sources need to be called twins by a test: of fewer, it rejects too few that differ.
FEWEST = 24
# Level at which the exchangeability test parts two sources.
_LEVEL = 0.05
# Squared distance of means, over what is expected of two halves of one source: beyond, no test is needed.
_FAR = 3.0


@dataclass(frozen=True, eq=False)
class Centre:
    """Where the images of a source lie, for seeing at once that most sources are far from one another.

    Attributes:
        mean: of their scaled features, float64 ``(d,)``.
        noise: expected squared distance of that mean from the source's.
    """

    mean: np.ndarray = field(repr=False)
    noise: float

    @classmethod
    def of(cls, white: np.ndarray) -> Self | None:
        """Of a source's scaled features ``(images, d)``; None if they are too few for a test."""
        if len(white) < FEWEST:
            return None
        return cls(white.mean(0), float(white.var(0, ddof=1).sum() / len(white)))


@dataclass(frozen=True)
class Twins:
    """Which sources are twins, in groups: all that share files, and those of which no test tells any two apart.

    Attributes:
        labels: number of each source's group, ``(sources,)``; groups are numbered by their first source.
        shared: number of files that two sources have in common, by their numbers, the lower first; where any.
        alike: pairs that no test tells apart, though they share few files or none.
    """

    labels: np.ndarray
    shared: Mapping[tuple[int, int], int] = field(default_factory=dict)
    alike: frozenset[tuple[int, int]] = frozenset()

    @classmethod
    def of(cls, fingerprints: Sequence[Fingerprint], white: Sequence[np.ndarray] = ()) -> Self:
        """Twins among sources.

        Args:
            fingerprints: of each.
            white: features of each one's images ``(images, d)``, scaled so that variance within a source is about one;
                without these, only shared files are looked at.
        """
        files, centres = [source.digests for source in fingerprints], [Centre.of(rows) for rows in white]
        return cls.by(files, centres, lambda i, j: exchangeable(white[i], white[j]))

    @classmethod
    def by(
        cls, files: Sequence[Sequence[str]], centres: Sequence[Centre | None], test: Callable[[int, int], float]
    ) -> Self:
        """The same, by what is kept of each source.

        Args:
            files: digests of each one's images.
            centres: of each; where there is none, or no centres at all, only shared files are looked at.
            test: p of the exchangeability test of two sources, by their numbers; asked of those that are near.
        """
        shared = shared_files(files)
        pairs = {pair for pair, count in shared.items() if count >= SHARED * min(len(files[i]) for i in pair)}
        alike = frozenset(pair for pair in _near(centres) if pair not in pairs and test(*pair) > _LEVEL)
        return cls(_labels(len(files), pairs, alike), shared, alike)

    def __len__(self) -> int:
        """Number of groups."""
        return int(self.labels.max()) + 1

    @property
    def groups(self) -> list[list[int]]:
        """Numbers of each group's sources; of most, one."""
        return [np.flatnonzero(self.labels == label).tolist() for label in range(len(self))]

    @property
    def same(self) -> np.ndarray:
        """Whether two sources are of one group, ``(sources, sources)``; each is of its own."""
        same: np.ndarray = self.labels[:, None] == self.labels
        return same

    def alike_two(self, one: int, other: int) -> bool:
        """Whether a test was made of two sources, and does not tell them apart."""
        return (min(one, other), max(one, other)) in self.alike

    @property
    def name(self) -> str:
        """What tells this grouping from others, for keeping what follows from it; empty without twins."""
        joined = [group for group in self.groups if len(group) > 1]
        return f" twins {joined}" if joined else ""


def shared_files(digests: Sequence[Sequence[str]]) -> dict[tuple[int, int], int]:
    """Number of files that two sources have in common, by their numbers, the lower first; where there are any.

    Example:
        >>> shared_files([["x", "y"], ["z"], ["y", "x"]])
        {(0, 2): 2}
    """
    owners: dict[str, list[int]] = {}
    for i, own in enumerate(digests):
        for one in set(own):
            owners.setdefault(one, []).append(i)
    return dict(Counter(pair for several in owners.values() for pair in combinations(several, 2)))


def _near(centres: Sequence[Centre | None]) -> list[tuple[int, int]]:
    """Pairs of sources that are not far apart."""
    there = [(i, centre) for i, centre in enumerate(centres) if centre]
    if len(there) < 2:
        return []
    means, noise = np.stack([one.mean for _, one in there]), np.array([one.noise for _, one in there])
    squared = np.square(means).sum(1)
    apart = squared[:, None] + squared - 2 * means @ means.T
    near = np.argwhere(np.triu(apart < _FAR * (noise[:, None] + noise), 1))
    return [(there[i][0], there[j][0]) for i, j in near]


def _labels(count: int, sharing: set[tuple[int, int]], alike: frozenset[tuple[int, int]]) -> np.ndarray:
    rows, columns = np.array(sorted(sharing), int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(count, count))
    found, labels = connected_components(graph, directed=False)
    if alike:
        # Complete linkage: along a chain of near sources, the ends may well be told apart.
        apart = 1 - np.eye(found)
        for one, other in alike:
            apart[labels[[one, other]], labels[[other, one]]] = 0
        labels = fcluster(linkage(squareform(apart), "complete"), 0.5, "distance")[labels]
    _, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
    ordered: np.ndarray = first.argsort().argsort()[numbers]
    return ordered
