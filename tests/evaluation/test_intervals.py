"""Means over sources and their intervals."""

import pytest

from genprint.evaluation.intervals import over_sources


def test_interval_covers_the_mean_and_narrows_with_sources(rng):
    few, many = over_sources(rng.normal(size=10)), over_sources(rng.normal(size=1000))
    assert few.low <= few.mean <= few.high
    assert many.high - many.low < few.high - few.low
    assert many.high - many.low == pytest.approx(2 * 1.96 / 1000**0.5, rel=0.2)
