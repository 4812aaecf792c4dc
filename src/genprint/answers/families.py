"""Families: hierarchical clustering of sources by the distance of their fingerprints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist, squareform

from genprint.answers.results import Result, plain_text
from genprint.fingerprints.fingerprint import Fingerprint, check_comparable
from genprint.fingerprints.fingerprinter import Progress
from genprint.scoring.base import Scorer
from genprint.words import counted

if TYPE_CHECKING:
    import networkx
    import pandas
    from matplotlib.axes import Axes

# Sources of a tree that is drawn whole; of a larger one, so many branches are.
MOST_DRAWN, TOP = 150, 60
# Sources whose distances are written as text.
MOST_LISTED = 1000
# Sources whose tree fits in the memory of a workstation.
MOST_LINKED = 20_000
# Distances are scaled by each source's neighbourhood, up to this neighbour, where there are as many sources as that.
NEIGHBOUR, FEWEST_SCALED = 3, 8
LINKAGES = ("average", "complete", "single", "ward")


def locally_scaled(distances: np.ndarray) -> np.ndarray:
    """Distances ``(n, n)`` in units of how far from both sources their neighbours are, 0 to 1.

    Some sources lie far from all others and some among many: by plain distances, the former leave the tree one by one
    and all others are one family. (Zelnik-Manor & Perona, "Self-Tuning Spectral Clustering", 2004: one less their
    affinity.) Of fewer than ``FEWEST_SCALED`` sources, which have no neighbourhoods, the distances as they are.
    """
    if len(distances) < FEWEST_SCALED:
        return distances
    reach = np.partition(distances, NEIGHBOUR, axis=1)[:, NEIGHBOUR]  # each row's zero on the diagonal comes first
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
        support: share of resampled trees that have each branch, row by row of ``linkage``; None if not asked for.

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

    @property
    def verdict(self) -> str:
        return self.newick()

    @classmethod
    def of(
        cls,
        scorer: Scorer,
        sources: Sequence[Fingerprint],
        method: str = "average",
        support: int = 0,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> FamilyTree:
        """The tree of sources by their fingerprints.

        Args:
            scorer: adapted to these sources first.
            sources: a fingerprint each.
            method: of linkage.
            support: how many trees of random halves of the images say how sure each branch is; 0 for none.
            seed: of the halves.
            progress: called with 1 after every such tree.

        Raises:
            ValueError: fewer than two sources.
        """
        check_comparable(sources)
        adapted = scorer.adapt(sources)
        tree = cls.build([source.source for source in sources], adapted.distances(sources), method)
        if not support:
            return tree
        halved = (adapted.distances(halves) for halves in _halves(sources, support, seed, progress))
        return tree.with_support(halved)

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
        branches = _branches(self.linkage)
        found = np.zeros(len(branches))
        count = 0
        for distances in resampled:
            others = set(_branches(FamilyTree.build(list(self.sources), distances, self.method).linkage))
            found += [branch in others for branch in branches]
            count += 1
        if not count:
            raise ValueError("support needs at least one resampling")
        return replace(self, support=tuple((found / count).tolist()))

    def cut(self, families: int) -> dict[str, int]:
        """Which of so many families each source is in."""
        labels = hierarchy.fcluster(self.linkage, families, "maxclust")
        return dict(zip(self.sources, labels.tolist(), strict=True))

    def newick(self) -> str:
        """The tree in Newick format: branch lengths as in ``linkage``, support in percent as names of branches."""
        texts = {i: name if _plain(name) else _quoted(name) for i, name in enumerate(self.sources)}
        heights = np.concatenate([np.zeros(len(self.sources)), self.linkage[:, 2]])
        # From the leaves to the root, and not by recursion: trees of many sources are deep.
        for i, (left, right, height, _) in enumerate(self.linkage):
            parts = [f"{texts.pop(int(child))}:{height - heights[int(child)]:.6g}" for child in (left, right)]
            support = "" if self.support is None else f"{100 * self.support[i]:.0f}"
            texts[len(self.sources) + i] = f"({','.join(parts)}){support}"
        (whole,) = texts.values()
        return f"{whole};"

    def plot(self, ax: Axes, notes: Mapping[int, str] | None = None) -> Axes:
        """The dendrogram, leaves to the right, support in percent beside the branches; of many sources, its top.

        Args:
            ax: to draw on.
            notes: of branches, by the row of ``linkage``, written below them; not in a tree of which the top is drawn.
        """
        top = len(self.sources) > MOST_DRAWN
        drawn = hierarchy.dendrogram(
            self.linkage, p=TOP, truncate_mode="lastp" if top else None, orientation="left", ax=ax,
            leaf_label_func=self._label,
        )  # fmt: skip
        if self.support is not None and not top:
            heights = {leaf: 5.0 + 10 * rank for rank, leaf in enumerate(drawn["leaves"])}  # where SciPy puts leaves
            for i, ((left, right, distance, _), share) in enumerate(zip(self.linkage, self.support, strict=True)):
                heights[len(self.sources) + i] = at = (heights[int(left)] + heights[int(right)]) / 2
                ax.annotate(f"{100 * share:.0f}", (distance, at), (2, 2), textcoords="offset points", fontsize=7)
        if notes and not top:
            self._write(notes, drawn["leaves"], ax)
        scaled = len(self.sources) >= FEWEST_SCALED
        ax.set_xlabel("distance of fingerprints" + (", scaled by their neighbours'" if scaled else ""))
        for side in ("top", "left", "right"):
            ax.spines[side].set_visible(False)
        return ax

    def _write(self, notes: Mapping[int, str], leaves: Sequence[int], ax: Axes) -> None:
        """Notes below the branches that they are of, towards the leaves."""
        heights = {leaf: 5.0 + 10 * rank for rank, leaf in enumerate(leaves)}  # where SciPy puts leaves
        for i, (left, right, distance, _) in enumerate(self.linkage):
            heights[len(self.sources) + i] = at = (heights[int(left)] + heights[int(right)]) / 2
            if i in notes:
                ax.annotate(
                    plain_text(notes[i]), (distance, at), (2, -8), textcoords="offset points", fontsize=6, color="C0"
                )

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
        }  # fmt: skip

    def to_frame(self) -> pandas.DataFrame:
        """Distances between sources as a table (needs pandas)."""
        import pandas

        return pandas.DataFrame(self.distances, index=self.sources, columns=self.sources)

    def to_networkx(self) -> networkx.DiGraph:
        """The tree as a graph from its root down (needs networkx).

        Leaves are names, branches numbers, edges have lengths.
        """
        import networkx

        graph = networkx.DiGraph()
        nodes: list[str | int] = [*self.sources, *range(len(self.linkage))]
        heights = np.concatenate([np.zeros(len(self.sources)), self.linkage[:, 2]])
        for i, (left, right, height, _) in enumerate(self.linkage):
            for child in (int(left), int(right)):
                graph.add_edge(i, nodes[child], length=float(height - heights[child]))
        return graph


def grouped(
    sources: Sequence[str], vectors: np.ndarray, groups: int, method: str = "average", seed: int = 0
) -> tuple[FamilyTree, np.ndarray]:
    """The tree of groups of sources, for collections whose whole tree would be too large.

    Groups are clusters of vectors (mini-batch k-means: Sculley, "Web-Scale K-Means Clustering", 2010); each is named
    after the source nearest to its centre, and how many more it has. Distances are those of the centres.

    Args:
        sources: names, ``n`` of them.
        vectors: unit vectors, float32 ``(n, d)``.
        groups: at most; empty ones are left out.
        method: of linkage.
        seed: of the clustering.

    Returns:
        The tree, and the number of the leaf that each source is in, ``(n,)``.

    Raises:
        ValueError: fewer sources than groups.
    """
    from sklearn.cluster import MiniBatchKMeans

    if len(sources) < groups:
        raise ValueError(f"{counted(len(sources), 'source')} cannot make {groups} groups")
    model = MiniBatchKMeans(groups, batch_size=max(4 * groups, 4096), n_init=1, random_state=seed).fit(vectors)
    used, labels, counts = np.unique(model.labels_, return_inverse=True, return_counts=True)
    centres = model.cluster_centers_[used]
    away = np.square(vectors - centres[labels]).sum(1)
    order = np.lexsort((away, labels))
    nearest = order[np.searchsorted(labels[order], np.arange(len(used)))]
    names = [
        sources[i] + (f" and {count - 1} more" if count > 1 else "") for i, count in zip(nearest, counts, strict=True)
    ]
    apart = squareform(pdist(centres))
    return FamilyTree.build(names, apart, method), labels


def _halves(
    sources: Sequence[Fingerprint], count: int, seed: int, progress: Progress | None
) -> Iterator[list[Fingerprint]]:
    """Random halves of the sources' images, ``count`` times.

    Halves without replacement rather than the bootstrap: an image that counts twice makes a small set seem far from
    all others, for distances allow for the number of images.
    """
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield [source[rng.permutation(len(source))[: max(1, len(source) // 2)]] for source in sources]
        if progress:
            progress(1)


def _branches(linkage: np.ndarray) -> list[frozenset[int]]:
    """The leaves below each merge."""
    below = [frozenset([i]) for i in range(len(linkage) + 1)]
    for left, right, *_ in linkage:
        below.append(below[int(left)] | below[int(right)])
    return below[len(linkage) + 1 :]


def _plain(name: str) -> bool:
    return name.replace("_", "").replace("-", "").replace(".", "").isalnum()


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
