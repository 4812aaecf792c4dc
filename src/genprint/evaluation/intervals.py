"""Means over sources with their intervals: the unit of inference is the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mean:
    """A mean over sources with its 95 % interval (bootstrap over sources), and how many there are."""

    mean: float
    low: float
    high: float
    sources: int


def over_sources(values: Sequence[float] | np.ndarray, seed: int = 0, draws: int = 2000) -> Mean:
    """The mean of one value a source."""
    values = np.asarray(values, float)
    chosen = np.random.default_rng(seed).integers(len(values), size=(draws, len(values)))
    low, high = np.quantile(values[chosen].mean(1), [0.025, 0.975])
    return Mean(float(values.mean()), float(low), float(high), len(values))
