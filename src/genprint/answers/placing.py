"""Sources that are added to a family tree: where each joins, and all that was there stays as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

# How far a source is from a branch, by its distances to the branch's leaves. Ward's goes by variances, not by these.
_TOGETHER: dict[str, Callable[[np.ndarray], np.floating]] = {"average": np.mean, "complete": np.max, "single": np.min}


@dataclass(eq=False)
class Node:
    """A branch of a tree that grows, or a leaf.

    Attributes:
        leaves: numbers of the sources below.
        height: at which the two below join; 0 of a leaf.
        support: share of resampled trees that have it; None if not asked for.
        children: none, or two.
        parent: None of the root.
    """

    leaves: frozenset[int]
    height: float = 0.0
    support: float | None = None
    children: tuple[Node, ...] = ()
    parent: Node | None = field(default=None, repr=False)


def grown(linkage: np.ndarray, support: Sequence[float] | None) -> list[Node]:
    """The nodes of a tree: leaves by number, then branches, row by row of SciPy's ``linkage``, the root last."""
    nodes = [Node(frozenset([i])) for i in range(len(linkage) + 1)]
    for i, (left, right, height, _) in enumerate(linkage):
        pair = nodes[int(left)], nodes[int(right)]
        node = Node(pair[0].leaves | pair[1].leaves, float(height), None if support is None else support[i], pair)
        for child in pair:
            child.parent = node
        nodes.append(node)
    return nodes


def place(nodes: list[Node], scaled: np.ndarray, method: str) -> list[frozenset[int]]:
    """Adds the sources that ``scaled`` has more than the tree, the nearest first, and says beside whom each came.

    A source starts at its nearest leaf and climbs for as long as it is further from all below than the next branch is
    high. There it joins: where the linkage would have put it, had all others been joined before it.

    Args:
        nodes: of the tree; the new ones are added at the end.
        scaled: distances ``(n + m, n + m)``, the tree's sources first.
        method: of linkage.

    Returns:
        Leaves that each new source joined, in the order of their numbers.

    Raises:
        ValueError: Ward's linkage, which is not one of distances to leaves.
    """
    if method not in _TOGETHER:
        raise ValueError(f"sources are added to trees of {', '.join(_TOGETHER)} linkage, not of {method}")
    together = _TOGETHER[method]
    known = sorted(leaf for node in nodes for leaf in node.leaves if not node.children)
    nearest = {new: scaled[new, known].min() for new in range(len(known), len(scaled))}
    beside: dict[int, frozenset[int]] = {}
    for new in sorted(nearest, key=lambda one: nearest[one]):
        leaves = [node for node in nodes if not node.children]
        at = min(leaves, key=lambda leaf: scaled[new, min(leaf.leaves)])
        while at.parent and _apart(scaled, new, at, together) > at.parent.height:
            at = at.parent
        beside[new] = at.leaves
        _join(nodes, at, new, max(at.height, _apart(scaled, new, at, together)))
    return [beside[new] for new in sorted(beside)]


def _apart(scaled: np.ndarray, new: int, node: Node, together: Callable[[np.ndarray], np.floating]) -> float:
    return float(together(scaled[new, sorted(node.leaves)]))


def _join(nodes: list[Node], at: Node, new: int, height: float) -> None:
    leaf, above = Node(frozenset([new])), at.parent
    branch = Node(at.leaves | {new}, height, None, (at, leaf), above)
    at.parent = leaf.parent = branch
    if above:
        above.children = tuple(branch if child is at else child for child in above.children)
    while above:
        above.leaves |= {new}
        above = above.parent
    nodes += [leaf, branch]


def as_linkage(nodes: Iterable[Node]) -> tuple[np.ndarray, list[Node]]:
    """SciPy's linkage matrix of a tree, and the branch of each row."""
    branches = sorted((node for node in nodes if node.children), key=lambda node: (node.height, len(node.leaves)))
    number = {id(node): min(node.leaves) for node in nodes if not node.children}
    count = len(number)
    rows = []
    for i, node in enumerate(branches):
        rows.append([*sorted(number[id(child)] for child in node.children), node.height, len(node.leaves)])
        number[id(node)] = count + i
    return np.array(rows, float), branches
