"""Stability on sources whose fingerprints are known."""

import numpy as np
import pytest

from genprint.baselines.content import ColourQuantiles
from genprint.evaluation.stability import stability
from tests.conftest import given


def sources(rng, centres, images=60):
    return {str(i): given(rng.normal(centre, 1, (images, len(centre))), str(i)) for i, centre in enumerate(centres)}


def test_stability_against_cosines_of_all_pairs(rng):
    found_in = sources(rng, 4 * np.eye(3))
    found = stability(found_in, ColourQuantiles(), 10)
    order = np.random.default_rng([0, 10])
    vectors = []
    for own in found_in.values():
        means = own.values[order.permutation(60)].reshape(6, 10, 3).mean(1)
        vectors.append(means / np.linalg.norm(means, axis=1, keepdims=True))
    upper = np.triu_indices(6, 1)
    assert found.within.mean == pytest.approx(np.mean([(v @ v.T)[upper].mean() for v in vectors]), abs=1e-4)
    cross = [(vectors[i] @ vectors[j].T).mean() for i in range(3) for j in range(3) if i != j]
    assert found.between.mean == pytest.approx(np.mean(cross), abs=1e-4)
    assert found.ratio > 10
    assert found.sets == 6


def test_stability_of_sources_that_are_one_is_no_better_than_between(rng):
    found = stability(sources(rng, np.ones((16, 6)), images=400), ColourQuantiles(), 5)
    assert found.within.mean == pytest.approx(found.between.mean, abs=0.02)
    assert found.ratio == pytest.approx(1, abs=0.3)
    with pytest.raises(ValueError, match="four sets"):
        stability(sources(rng, np.ones((2, 6)), images=10), ColourQuantiles(), 5)
