"""Trees in forms that other programs read: Newick, networkx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import networkx


def written(names: Sequence[str], linkage: np.ndarray, support: Sequence[float] | None = None) -> str:
    """A tree as text: branch lengths as in SciPy's ``linkage``, support in percent as names of branches."""
    texts = {i: name if _plain(name) else _quoted(name) for i, name in enumerate(names)}
    heights = np.concatenate([np.zeros(len(names)), linkage[:, 2]])
    # From the leaves to the root, and not by recursion: trees of many sources are deep.
    for i, (left, right, height, _) in enumerate(linkage):
        parts = [f"{texts.pop(int(child))}:{height - heights[int(child)]:.6g}" for child in (left, right)]
        share = "" if support is None else f"{100 * support[i]:.0f}"
        texts[len(names) + i] = f"({','.join(parts)}){share}"
    (whole,) = texts.values()
    return f"{whole};"


def as_graph(names: Sequence[str], linkage: np.ndarray) -> networkx.DiGraph:
    """A tree from its root down: leaves are names, branches numbers, edges have lengths (needs networkx)."""
    import networkx

    graph = networkx.DiGraph()
    nodes: list[str | int] = [*names, *range(len(linkage))]
    heights = np.concatenate([np.zeros(len(names)), linkage[:, 2]])
    for i, (left, right, height, _) in enumerate(linkage):
        for child in (int(left), int(right)):
            graph.add_edge(i, nodes[child], length=float(height - heights[child]))
    return graph


def _plain(name: str) -> bool:
    return name.replace("_", "").replace("-", "").replace(".", "").isalnum()


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
