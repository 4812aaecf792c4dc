"""Families: hierarchical clustering of sources by the distance of their fingerprints."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINKAGES = ("average", "complete", "single", "ward")


@dataclass(frozen=True)
class FamilyTree:
    """A dendrogram of sources.

    Attributes:
        sources: names of the leaves.
        distances: ``(n, n)``, symmetric, zero diagonal.
        linkage: SciPy's linkage matrix, ``(n - 1, 4)``.
        method: of linkage.

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

    @classmethod
    def build(cls, sources: list[str], distances: np.ndarray, method: str = "average") -> FamilyTree:
        """Clusters sources by their distances.

        Raises:
            ValueError: fewer than two sources, or distances of another shape.
        """
        if len(sources) < 2:
            raise ValueError(f"a family tree needs at least two sources; there is {', '.join(sources) or 'none'}")
        if distances.shape != (len(sources), len(sources)):
            raise ValueError(f"{len(sources)} sources need as many rows and columns, not {distances.shape}")
        return cls(tuple(sources), distances, hierarchy.linkage(squareform(distances, checks=False), method), method)

    def cut(self, families: int) -> dict[str, int]:
        """Which of so many families each source is in."""
        labels = hierarchy.fcluster(self.linkage, families, "maxclust")
        return dict(zip(self.sources, labels.tolist(), strict=True))

    def newick(self) -> str:
        """The tree in Newick format, branch lengths in units of distance."""

        def text(node: hierarchy.ClusterNode, above: float) -> str:
            length = f"{above - node.dist:.6g}"
            if node.is_leaf():
                name = self.sources[node.id]
                plain = name.replace("_", "").replace("-", "").replace(".", "").isalnum()
                return f"{name if plain else _quoted(name)}:{length}"
            return f"({text(node.left, node.dist)},{text(node.right, node.dist)}):{length}"

        root = hierarchy.to_tree(self.linkage)
        return text(root, root.dist).rsplit(":", 1)[0] + ";"

    def plot(self, ax: Axes) -> Axes:
        """The dendrogram, leaves to the right."""
        hierarchy.dendrogram(self.linkage, labels=list(self.sources), orientation="left", ax=ax)
        ax.set_xlabel("distance of fingerprints")
        for side in ("top", "left", "right"):
            ax.spines[side].set_visible(False)
        return ax

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "sources": list(self.sources), "distances": self.distances.tolist(), "linkage": self.linkage.tolist(),
            "method": self.method, "newick": self.newick(),
        }  # fmt: skip

    def to_json(self) -> str:
        """Everything, as JSON."""
        return json.dumps(self.to_dict(), indent=2)


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
