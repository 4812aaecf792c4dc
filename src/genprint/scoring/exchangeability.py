"""Whether two sets of features could be of one source: a permutation test."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

#: Level of the test: so large a share of a source's sets fails it.
ALPHA = 0.05
#: Permutations, and those where many sets are tested.
PERMUTATIONS, QUICK = 999, 199

_PRIOR = 100  # images that the identity counts for when the sets' covariance is shrunk towards it
_MOST = 400  # images of each set that are used; the matrix of distances grows with the square


def exchangeable(a: np.ndarray, b: np.ndarray, permutations: int = PERMUTATIONS, seed: int = 0) -> float:
    """p of the null hypothesis that images of both sets are drawn alike: small where they are not.

    Energy distance (Szekely & Rizzo, "Testing for Equal Distributions in High Dimension", 2004) of the sets,
    whitened by their common covariance, against that of random divisions of all images into two sets as large.
    Exact for any distribution and any sizes: among sets of one source, a share p has a value of p or less. One
    image against n has no less than about 1 / (n + 1).

    Args:
        a: features ``(n, d)``, scaled so that variance within a source is about one.
        b: features ``(m, d)``, scaled alike.
        permutations: random divisions; p is no smaller than 1 / (permutations + 1).
        seed: of the divisions.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> exchangeable(rng.normal(0, 1, (30, 4)), rng.normal(3, 1, (30, 4)))
        0.001
    """
    rng = np.random.default_rng(seed)
    a, b = (features[rng.permutation(len(features))[:_MOST]] for features in (a, b))
    both = np.concatenate([a, b])
    total, first = len(both), len(a)
    apart = cdist(*[_white(both)] * 2)
    order = rng.permuted(np.tile(np.arange(total), (permutations, 1)), axis=1)
    chosen = np.zeros((permutations + 1, total))
    chosen[0, :first] = 1
    np.put_along_axis(chosen[1:], order[:, :first], 1, axis=1)
    energy = _energy(apart, chosen, first)
    return float((energy >= energy[0] * (1 - 1e-9)).mean())


def _white(values: np.ndarray) -> np.ndarray:
    """Whitened up to a rotation, to which distances are invariant: by the ``(n, n)`` Gram matrix of the few images."""
    centred = values - values.mean(0)
    square, left = np.linalg.eigh(centred @ centred.T)
    square = square.clip(0)
    white: np.ndarray = left * np.sqrt(square * (len(values) + _PRIOR) / (square + _PRIOR))
    return white


def _energy(apart: np.ndarray, chosen: np.ndarray, first: int) -> np.ndarray:
    """Energy distance of each division, ``chosen`` being one where an image is in the first set."""
    second = len(apart) - first
    rows = chosen @ apart
    inside = (rows * chosen).sum(1)
    across = rows.sum(1) - inside
    outside = apart.sum() - inside - 2 * across
    energy: np.ndarray = 2 * across / (first * second) - inside / first**2 - outside / second**2
    return energy
