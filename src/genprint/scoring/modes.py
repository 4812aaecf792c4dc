"""Two modes: whether the images under one name fall into two groups, as those of two models would.

Along the direction in which images of a source vary most, those of one model lie in one heap, those of two in two
heaps. What a cut in two leaves unexplained of the variance there says which: 1 - 2 / pi = 0.36 of a normal
distribution, nothing of two points. ``benchmarks/unwell.py`` measures how often single sources look like two.
"""

from __future__ import annotations

import numpy as np

#: Images that it takes to tell.
FEWEST = 48
# Share of the variance that a cut leaves, below which there are two groups: 1 in 100 single sources is below.
_LEAST = 0.19
# Directions that are looked at, and the share of images that the smaller group has at least.
_DIRECTIONS, _SMALLER = 3, 0.1


def two_modes(white: np.ndarray) -> np.ndarray | None:
    """Numbers of the images in the smaller of two groups; None if there is one, or there are too few images to tell.

    Args:
        white: features of a source's images ``(n, d)``, scaled so that variance within a source is about one.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> one, other = rng.normal(0, 1, (50, 8)), rng.normal(8, 1, (6, 8))
        >>> two_modes(one), two_modes(np.concatenate([one, other]))
        (None, array([50, 51, 52, 53, 54, 55]))
    """
    if len(white) < FEWEST:
        return None
    centred = white.astype(np.float64) - white.mean(0)
    _, vectors = np.linalg.eigh(centred @ centred.T)
    for along in vectors[:, : -_DIRECTIONS - 1 : -1].T:
        order, left, cut = along.argsort(), *_cut(np.sort(along))
        if left < _LEAST:
            groups = order[:cut], order[cut:]
            return np.sort(min(groups, key=len))
    return None


def _cut(values: np.ndarray) -> tuple[float, int]:
    """Share of the variance of sorted values that the best cut in two leaves, and how many are before it."""
    centred = values - values.mean()
    count, least = len(values), max(2, round(_SMALLER * len(values)))
    before = np.arange(least, count - least + 1)
    sums = np.cumsum(centred)[before - 1]
    explained = np.square(sums) * (1 / before + 1 / (count - before))
    best = int(explained.argmax())
    return 1 - float(explained[best] / np.square(centred).sum()), int(before[best])
