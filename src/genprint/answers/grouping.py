"""Trees of groups of sources, for collections whose whole tree would be too large."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import pdist, squareform

from genprint.answers.families import FamilyTree
from genprint.words import counted


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
