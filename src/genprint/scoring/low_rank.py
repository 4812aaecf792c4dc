"""Covariances that are diagonal less the outer products of few vectors: inverted in d k^2 steps, in place of d^3."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.linalg import get_blas_funcs


class LowRank:
    """Covariances ``diag(diagonal) - scale * rows.T @ rows``, one of each part, inverted.

    By the formula of Sherman, Morrison & Woodbury, with a triangular factor of k by k. Squares and products under the
    inverse are those of vectors that went through ``embed``. What the rows change is worked out in their precision;
    what the diagonal says, which is much larger, in float64.

    Args:
        diagonal: float64 ``(parts, d)``.
        rows: ``(parts, k, d)``.
        scale: so small that what is left is positive definite.

    Attributes:
        log_determinant: of the covariances, ``(parts,)``.
    """

    def __init__(self, diagonal: np.ndarray, rows: np.ndarray, scale: float):
        self._root = 1 / np.sqrt(diagonal)[:, None]
        self._scaled = rows * (np.sqrt(scale) * self._root).astype(rows.dtype)
        inner = np.eye(rows.shape[1], dtype=rows.dtype) - self._scaled @ self._scaled.swapaxes(1, 2)
        self._factor = np.linalg.cholesky(inner)
        # It gets transposes throughout, for BLAS wants columns one after the other.
        (self._trsm,) = get_blas_funcs(("trsm",), (self._factor,))
        logs = np.log(np.diagonal(self._factor, axis1=1, axis2=2)).sum(1)
        self.log_determinant: np.ndarray = np.log(diagonal).sum(1) + 2 * logs

    def embed(self, rows: np.ndarray) -> np.ndarray:
        """Rows ``(parts, n, d)`` as ``(parts, n, d + k)``, whose products are those under the inverse."""
        scaled = rows * self._root
        return np.concatenate([scaled, self.halved(self._across(scaled))], axis=2)

    def solve(self, rows: np.ndarray) -> np.ndarray:
        """Rows ``(parts, n, d)`` times the inverse."""
        scaled = rows * self._root
        across = self.halved(self.halved(self._across(scaled)), transposed=True)
        solved: np.ndarray = (scaled + across @ self._scaled) * self._root
        return solved

    @cached_property
    def inverse_diagonal(self) -> np.ndarray:
        """The diagonal of the inverse, ``(parts, d)``."""
        pairs = zip(self._factor, self._scaled, strict=True)
        halved = np.stack([self._trsm(1, factor.T, own.T, side=1).T for factor, own in pairs])
        found: np.ndarray = (1 + np.einsum("pkd,pkd->pd", halved, halved)) * np.square(self._root[:, 0])
        return found

    def _across(self, scaled: np.ndarray) -> np.ndarray:
        products: np.ndarray = scaled.astype(self._scaled.dtype) @ self._scaled.swapaxes(1, 2)
        return products

    def halved(self, products: np.ndarray, transposed: bool = False) -> np.ndarray:
        """Products ``(parts, n, k)`` with the rows, times the inverse of the factor's transpose, or of the factor."""
        pairs = zip(self._factor, products, strict=True)
        return np.stack([self._trsm(1, factor.T, own.T, trans_a=not transposed).T for factor, own in pairs])
