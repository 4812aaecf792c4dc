"""Distances between sources from what scorers say of them."""

from __future__ import annotations

import numpy as np


def root_distances(squared: np.ndarray) -> np.ndarray:
    """Distances from estimates of their squares ``(n, n)``: below zero is zero, symmetric, zero diagonal. In place."""
    apart: np.ndarray = np.sqrt(np.maximum(squared, 0, out=squared), out=squared)
    np.fill_diagonal(apart, 0)
    apart += apart.T
    apart /= 2
    return apart
