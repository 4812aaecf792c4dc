"""Existence: a trace is found where there is one, and only there."""

import numpy as np
import pytest

from genprint.evaluation.existence import ALPHA, existence, summarise
from genprint.scoring.base import ByScorer
from genprint.scoring.lda import LDA
from tests.conftest import given

COMPARER = ByScorer(LDA())


def made_up(rng, offsets, images=100, size=4):
    return {
        name: given(rng.normal(offset, 1, (images, size)), name, tuple(map(str, range(images))))
        for name, offset in offsets.items()
    }


def test_sources_apart_are_found_and_a_pair_without_difference_is_not_told_apart(rng):
    found_in = made_up(rng, {"a": 0.0, "b": 0.0, "c": 3.0, "d": -3.0})
    found = existence(found_in, COMPARER, 10)
    assert [found[name].p < ALPHA for name in "abcd"] == [True] * 4  # a and b too: they are far from c and d
    assert found["c"].auc > 0.99
    assert found["a"].auc < 0.95  # its twin is as near to it as itself
    assert all(row.sets == 10 and row.within > row.between for row in found.values())


def test_without_any_trace_p_is_uniform(rng):
    values = []
    for trial in range(40):
        found_in = made_up(rng, dict.fromkeys("abcde", 0.0), images=60)
        found = existence(found_in, COMPARER, 10, seed=trial, permutations=499)
        values += [row.p for row in found.values()]
        assert 0.2 < np.mean([row.auc for row in found.values()]) < 0.8
    assert np.mean(np.array(values) < 0.1) == pytest.approx(0.1, abs=0.06)
    assert np.mean(np.array(values) < 0.5) == pytest.approx(0.5, abs=0.12)


def test_summary_counts_by_class(rng):
    found = existence(made_up(rng, {"a": 0.0, "b": 5.0, "c": -5.0}), COMPARER, 20)
    summary = summarise(found, {"a": "gan", "b": "gan", "c": "vae"})
    assert tuple(summary[kind].auc.sources for kind in ("gan", "vae", "all")) == (2, 1, 3)
    assert summary["all"].significant == sum(row.p < ALPHA for row in found.values())
    assert summary["all"].auc.low <= summary["all"].auc.mean <= summary["all"].auc.high


def test_too_few_images_is_an_error(rng):
    with pytest.raises(ValueError, match="two sets of 60"):
        existence(made_up(rng, {"a": 0.0, "b": 1.0}), COMPARER, 60)
