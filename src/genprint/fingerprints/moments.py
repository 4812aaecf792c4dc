"""Moments: what is kept of a set whose single features are not, and how those of two sets become one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and scatter of the features of a set whose single features are not kept.

    Attributes:
        count: number of images.
        mean: float64 ``(d,)``.
        scatter: float64 ``(parts, d / parts, d / parts)``; see ``Fingerprint.scatter``.
    """

    count: int
    mean: np.ndarray = field(repr=False)
    scatter: np.ndarray = field(repr=False)

    def __add__(self, other: Moments) -> Moments:
        """Of both sets together (Chan, Golub & LeVeque, 1983, equation 2.1)."""
        count = self.count + other.count
        apart = other.mean - self.mean
        parts = apart.reshape(len(self.scatter), -1)
        outer = parts[:, :, None] * parts[:, None]
        scatter = self.scatter + other.scatter + outer * (self.count * other.count / count)
        return Moments(count, self.mean + apart * (other.count / count), scatter)
