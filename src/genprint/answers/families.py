"""Families: hierarchical clustering of sources by the distance of their fingerprints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from genprint.answers import consensus
from genprint.answers.newick import as_graph, written
from genprint.answers.placing import as_linkage, grown, place
from genprint.answers.resampling import RESAMPLINGS
from genprint.answers.results import Result, plain_text
from genprint.fingerprints.fingerprint import Fingerprint, check_comparable
from genprint.fingerprints.fingerprinter import Progress
from genprint.scoring.base import Scorer

if TYPE_CHECKING:
    import networkx
    import pandas
    from matplotlib.axes import Axes

# Sources of a tree that is drawn whole, branches of a larger one; sources whose distances are written as text.
MOST_DRAWN, TOP, MOST_LISTED = 150, 60, 1000
# Sources whose tree fits in the memory of a workstation.
MOST_LINKED = 20_000
# Distances are scaled by each source's neighbourhood, up to this neighbour, where there are as many sources as that.
NEIGHBOUR, FEWEST_SCALED = 3, 8
LINKAGES = ("average", "complete", "single", "ward")
SUPPORTED = 0.8  # from which on a branch is taken for a family
RESAMPLING = "halves"  # for support; a bootstrap says as much (docs/families.md)


def locally_scaled(distances: np.ndarray, known: int | None = None) -> np.ndarray:
    """Distances ``(n, n)`` in units of how far from both sources their neighbours are, 0 to 1.

    Neighbours are among the first ``known`` sources, or all: so, sources that are added change nothing between others.

    Some sources lie far from all others and some among many: by plain distances, the former leave the tree one by one
    and all others are one family. (Zelnik-Manor & Perona, "Self-Tuning Spectral Clustering", 2004: one less their
    affinity.) Of fewer than ``FEWEST_SCALED`` sources, which have no neighbourhoods, the distances as they are.
    """
    known = len(distances) if known is None else known
    if known < FEWEST_SCALED:
        return distances
    reach = np.partition(distances[:, :known], NEIGHBOUR, axis=1)[:, NEIGHBOUR]  # each row's zero comes first
    if known < len(distances):  # of sources that are added, there is none
        reach[known:] = np.partition(distances[known:, :known], NEIGHBOUR - 1, axis=1)[:, NEIGHBOUR - 1]
    reach = np.maximum(reach, 1e-9 * max(1e-9, float(reach.max())))
    # In place: of many sources, one more such matrix is as much as fits.
    scaled: np.ndarray = np.square(distances)
    scaled /= reach
    scaled /= -reach[:, None]
    np.negative(np.expm1(scaled, out=scaled), out=scaled)
    return scaled


@dataclass(frozen=True)
class FamilyTree(Result):
    """A dendrogram of sources.

    Attributes:
        sources: names of the leaves.
        distances: ``(n, n)``, symmetric, zero diagonal, before they are ``locally_scaled``.
        linkage: SciPy's linkage matrix, ``(n - 1, 4)``, of distances after that.
        method: of linkage.
        support: share of resampled trees that have each branch, row by row of ``linkage``; None if not asked for. Of a
            branch by which a source was added, the share of them in which it joins the same others.
        added: the last of the sources, that were added to a tree of the others.
        notes: what is known of all leaves below a branch, by the row of ``linkage``.

    Example:
        >>> tree = FamilyTree.build(["a", "b", "c"], np.array([[0, 1, 4], [1, 0, 4], [4, 4, 0.0]]))
        >>> tree.newick()
        '(c:4,(a:1,b:1):3);'
        >>> tree.cut(2)
        {'a': 1, 'b': 1, 'c': 2}
    """

    sources: tuple[str, ...]
    distances: np.ndarray = field(repr=False)
    linkage: np.ndarray = field(repr=False)
    method: str = "average"
    support: tuple[float, ...] | None = None
    added: tuple[str, ...] = ()
    notes: Mapping[int, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        return self.newick()

    @classmethod
    def of(  # noqa: PLR0913
        cls,
        scorer: Scorer,
        sources: Sequence[Fingerprint],
        method: str = "average",
        support: int = 0,
        seed: int = 0,
        progress: Progress | None = None,
        add: Sequence[Fingerprint] = (),
        resampling: str = RESAMPLING,
        spectrum: bool = False,
    ) -> FamilyTree:
        """The tree of sources by their fingerprints; the scorer is adapted to them first.

        Args:
            scorer: says how far apart they are.
            sources: a fingerprint each.
            method: of linkage.
            support: how many trees of resampled images say how sure each branch is; 0 for none.
            seed: of the resampling.
            progress: called with 1 after every such tree.
            add: sources that are added to the tree of the others, which stays as it is.
            resampling: 'bootstrap' or 'halves' of the images.
            spectrum: distances are those that the scorer's and the images' mean spectra agree on, by rank.

        Raises:
            ValueError: fewer than two sources, or two of one name.
            OriginalsError: spectra are asked for, and no image of a source is at hand.
        """
        every = [*sources, *add]
        check_comparable(every)
        adapted = scorer.adapt(sources)
        along = consensus.spectra(every) if spectrum else []
        apart = consensus.distances(adapted, every, along, len(sources))
        names, count = [source.source for source in every], len(sources)
        tree = cls.build(names[:count], apart[:count, :count], method)
        draw = RESAMPLINGS[resampling]
        drawn = zip(draw(every, support, seed, progress), draw(along, support, seed), strict=True)
        resampled = (consensus.distances(adapted, *both, count) for both in drawn)
        if not add:
            return tree.with_support(resampled) if support else tree
        kept = list(resampled)
        if kept:
            tree = tree.with_support(one[:count, :count] for one in kept)
        return tree.adding(names[count:], apart, kept)

    @classmethod
    def build(cls, sources: list[str], distances: np.ndarray, method: str = "average") -> FamilyTree:
        """Clusters sources by their distances, which are ``locally_scaled`` first.

        Raises:
            ValueError: fewer than two sources, or distances of another shape.
        """
        if len(sources) < 2:
            raise ValueError(f"a family tree needs at least two sources; there is {', '.join(sources) or 'none'}")
        if distances.shape != (len(sources), len(sources)):
            raise ValueError(f"{len(sources)} sources need as many rows and columns, not {distances.shape}")
        condensed = squareform(locally_scaled(distances), checks=False)
        return cls(tuple(sources), distances, hierarchy.linkage(condensed, method), method)

    def with_support(self, resampled: Iterable[np.ndarray]) -> FamilyTree:
        """The tree with its support: how often trees of resampled distances have each branch (after Felsenstein, 1985).

        Args:
            resampled: distances of the same sources, from random parts of their images.
        """
        branches = self.branches()
        found = np.zeros(len(branches))
        count = 0
        for distances in resampled:
            others = set(FamilyTree.build(list(self.sources), distances, self.method).branches())
            found += [branch in others for branch in branches]
            count += 1
        if not count:
            raise ValueError("support needs at least one resampling")
        return replace(self, support=tuple((found / count).tolist()))

    def adding(self, names: Sequence[str], distances: np.ndarray, resampled: Iterable[np.ndarray] = ()) -> FamilyTree:
        """The tree with more sources, each where it joins; all that was there stays as it is.

        Args:
            names: of the sources that are added.
            distances: ``(n + m, n + m)`` of all, those of the tree first.
            resampled: as many for each resampling; how often a source joins the same others is its branch's support.

        Raises:
            ValueError: a source is in the tree, Ward's linkage, or distances of another shape.
        """
        if twice := sorted({name for name in names if [*self.sources, *names].count(name) > 1}):
            raise ValueError(f"already in the tree: {', '.join(twice)}")
        count = len(self.sources)
        if distances.shape != (count + len(names),) * 2:
            raise ValueError(f"{count + len(names)} sources need as many rows and columns, not {distances.shape}")
        nodes = grown(self.linkage, self.support)
        before = len(nodes)
        beside = place(nodes, locally_scaled(distances, count), self.method)
        again = [place(grown(self.linkage, None), locally_scaled(one, count), self.method) for one in resampled]
        for branch in nodes[before:]:
            if again and branch.children:
                (new,) = branch.children[1].leaves
                branch.support = float(np.mean([one[new - count] == beside[new - count] for one in again]))
        linkage, branches = as_linkage(nodes)
        shares = [branch.support for branch in branches]
        support = None if None in shares else tuple(share for share in shares if share is not None)
        return replace(
            self, sources=(*self.sources, *names), distances=distances, linkage=linkage, support=support,
            added=(*self.added, *names),
        )  # fmt: skip

    @property
    def cophenetic(self) -> float | None:
        """Correlation of the heights at which pairs of sources join with their scaled distances.

        (Sokal & Rohlf, "The Comparison of Dendrograms by Objective Methods", 1962.) None where one of both is constant.
        """
        scaled = locally_scaled(self.distances, len(self.sources) - len(self.added))
        pairs = hierarchy.cophenet(self.linkage), squareform(scaled, checks=False)
        constant = any(len(one) < 2 or np.ptp(one) == 0 for one in pairs)
        return None if constant else float(np.corrcoef(*pairs)[0, 1])

    def families(self, support: float = SUPPORTED) -> dict[str, int]:
        """Which family each source is in: the largest branches of such support, of half the sources at most.

        Numbered from 1, the largest first; a source that no such branch has is a family of its own.

        Raises:
            ValueError: the tree has no support.
        """
        if self.support is None:
            raise ValueError("families by support need a tree with support: ask for some resamplings")
        families: list[frozenset[int]] = []
        taken: set[int] = set()
        for leaves, share in reversed(list(zip(self.branches(), self.support, strict=True))):
            if share >= support and 2 * len(leaves) <= len(self.sources) and not leaves & taken:
                families.append(leaves)
                taken |= leaves
        families += [frozenset([i]) for i in range(len(self.sources)) if i not in taken]
        families.sort(key=lambda leaves: (-len(leaves), min(leaves)))
        numbers = {i: number for number, leaves in enumerate(families, 1) for i in leaves}
        return {name: numbers[i] for i, name in enumerate(self.sources)}

    def branches(self) -> list[frozenset[int]]:
        """The numbers of the sources below each branch, row by row of ``linkage``."""
        below = [frozenset([i]) for i in range(len(self.sources))]
        for left, right, *_ in self.linkage:
            below.append(below[int(left)] | below[int(right)])
        return below[len(self.sources) :]

    def cut(self, families: int) -> dict[str, int]:
        """Which of so many families each source is in."""
        labels = hierarchy.fcluster(self.linkage, families, "maxclust")
        return dict(zip(self.sources, labels.tolist(), strict=True))

    def newick(self) -> str:
        """The tree in Newick format: branch lengths as in ``linkage``, support in percent as names of branches."""
        return written(self.sources, self.linkage, self.support)

    def plot(self, ax: Axes, supported: float = SUPPORTED) -> Axes:
        """The dendrogram, leaves to the right, support in percent beside the branches; of many sources, its top.

        Branches with less support than ``supported`` are grey. Notes stand below their branches.
        """
        sure = [share >= supported for share in self.support or ()]
        count = len(self.sources)
        top = len(self.sources) > MOST_DRAWN
        drawn = hierarchy.dendrogram(
            self.linkage, p=TOP, truncate_mode="lastp" if top else None, orientation="left", ax=ax,
            leaf_label_func=self._label,
            link_color_func=lambda node: "#000000" if not sure or sure[node - count] else "#909090",
        )  # fmt: skip
        if not top:
            heights = {leaf: 5.0 + 10 * rank for rank, leaf in enumerate(drawn["leaves"])}  # where SciPy puts leaves
            beside = partial(ax.annotate, textcoords="offset points")
            for i, (left, right, distance, _) in enumerate(self.linkage):
                heights[count + i] = at = (heights[int(left)] + heights[int(right)]) / 2
                if self.support is not None:
                    beside(f"{100 * self.support[i]:.0f}", (distance, at), (2, 2), fontsize=7)
                if i in self.notes:
                    beside(plain_text(self.notes[i]), (distance, at), (2, -9), fontsize=7, style="italic")
        scaled = len(self.sources) >= FEWEST_SCALED
        ax.set_xlabel("distance of fingerprints" + (", scaled by their neighbours'" if scaled else ""))
        for side in ("top", "left", "right"):
            ax.spines[side].set_visible(False)
        return ax

    def _label(self, node: int) -> str:
        """The name of a leaf; of a branch that is drawn as one, that of its first source, and how many more."""
        count = 1 if node < len(self.sources) else int(self.linkage[node - len(self.sources), 3])
        while node >= len(self.sources):
            node = int(self.linkage[node - len(self.sources), 0])
        return plain_text(self.sources[node]) + (f" and {count - 1} more" if count > 1 else "")

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values; no distances where there are more than ``MOST_LISTED`` sources."""
        listed = self.distances.tolist() if len(self.sources) <= MOST_LISTED else None
        return {
            "verdict": self.verdict, "sources": list(self.sources), "distances": listed,
            "linkage": self.linkage.tolist(), "method": self.method, "newick": self.newick(), "support": self.support,
            "added": list(self.added), "notes": dict(self.notes),
            "cophenetic": None if listed is None else self.cophenetic,
        }  # fmt: skip

    def to_frame(self) -> pandas.DataFrame:
        """Distances between sources as a table (needs pandas)."""
        import pandas

        return pandas.DataFrame(self.distances, index=self.sources, columns=self.sources)

    def to_networkx(self) -> networkx.DiGraph:
        """The tree as a graph from its root down; leaves are names, edges have lengths (needs networkx)."""
        return as_graph(self.sources, self.linkage)
