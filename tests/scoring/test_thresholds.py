"""Thresholds keep their rate, and no rate is promised that the sources do not support."""

import numpy as np
import pytest

from genprint.scoring.thresholds import disjoint_subsets, smallest_rate, upper_threshold
from tests.conftest import given


def test_threshold_keeps_its_rate_on_fresh_sources(rng):
    """Sources with scores of their own: the share of a fresh source's probes above is at most the rate, on average."""
    above = []
    for _ in range(400):
        centres = rng.normal(0, 2, 20)
        scores = [c + rng.normal(size=10) for c in centres]
        above.append((rng.normal(0, 2) + rng.normal(size=200) > upper_threshold(scores, 0.1)).mean())
    assert np.mean(above) < 0.1 + 3 * np.std(above) / 20
    assert np.mean(above) > 0.02  # and it is not vacuous


def test_no_rate_below_what_the_sources_support():
    assert smallest_rate(4) == pytest.approx(0.2)
    with pytest.raises(ValueError, match="4 sources"):
        upper_threshold([np.zeros(3)] * 4, 0.1)


def test_subsets_share_no_image(rng):
    whole = given(rng.normal(size=(11, 2)))
    drawn = disjoint_subsets(whole, 3, 99, rng)
    assert [len(own) for own in drawn] == [3, 3, 3]
    assert len({digest for own in drawn for digest in own.digests}) == 9
    assert len(disjoint_subsets(whole, 3, 2, rng)) == 2
    assert [len(own) for own in disjoint_subsets(whole, 20, 2, rng)] == [11]
