"""Attributability: closed-set top-1, and two methods on the same probes."""

import numpy as np
import pytest

from genprint.evaluation.attributability import Rate, named, paired, top1
from genprint.scoring.base import ByScorer, Comparer
from genprint.scoring.lda import LDA
from tests.conftest import given
from tests.evaluation.test_stability import sources


def test_top_1_of_sources_apart_and_of_sources_that_are_one(rng):
    apart = sources(rng, 20 * np.eye(4))
    found = top1(apart, ByScorer(LDA()), 20, (1, 10, 50), repeats=2, seed=0)
    assert list(found) == [1, 10]  # of 60 images, 40 are left to probe with
    assert found[1].mean == found[10].mean == 1
    assert (found[1].probes, found[10].probes, found[1].sources) == (4 * 40, 4 * 4, 4)
    same = top1(sources(rng, np.ones((4, 3))), ByScorer(LDA()), 20, (1,), repeats=4, seed=0)[1]
    assert same.mean == pytest.approx(0.25, abs=0.08)
    assert same.low <= same.mean <= same.high
    assert all(len(rates) == 4 for rates in same.by_source.values())


def test_probes_are_disjoint_and_not_enrolled_and_may_be_in_another_condition(rng):
    class Watching(Comparer):
        def _score(self, probes, gallery):
            enrolled = [set(own.digests) for own in gallery]
            asked = [digest for own in probes for digest in own.digests]
            assert len(set(asked)) == len(asked)
            assert not any(set(asked) & own for own in enrolled)
            assert all(own.values.min() > 50 for own in probes)  # those of the other condition
            return np.zeros((len(probes), len(gallery)))

    known = sources(rng, np.zeros((3, 2)))
    moved = {name: given(own.values + 100, name, own.digests) for name, own in known.items()}
    rates = top1(known, Watching(), 20, (5,), repeats=3, seed=1, asked=moved)
    assert rates[5].mean == pytest.approx(1 / 3)  # no source before the others
    with pytest.raises(ValueError, match="0: 60 images: too few"):
        top1(known, Watching(), 58, (5,), 1, 0)


def test_paired_by_hand():
    def rate(**by_source):
        return Rate(0, 0, 0, 10, len(by_source), by_source)

    ours, theirs = rate(a=(1.0, 0.8), b=(0.9, 0.7), c=(1.0, 1.0)), rate(a=(0.8,), b=(0.5,), c=(0.8,))
    found = paired(ours, theirs)
    assert found.difference[0] == pytest.approx((0.2 + 0.4 + 0.2) / 3)  # of the one split that both had
    assert found.error_ratio[0] == pytest.approx(0.1 / 0.9)
    assert found.difference[1:] == pytest.approx((0.2, 0.4))  # three times the same source, in some draws
    assert 0 <= found.error_ratio[1] <= found.error_ratio[0] <= found.error_ratio[2] <= 0.2 + 1e-9
    same = paired(theirs, theirs)
    assert same.difference == (0, 0, 0)
    assert same.error_ratio == (1, 1, 1)
    perfect = rate(a=(1.0,), b=(1.0,), c=(1.0,))
    assert paired(ours, perfect).error_ratio[0] is None
    with pytest.raises(ValueError, match="cannot be paired"):
        paired(ours, rate(a=(1.0,), d=(1.0,), c=(1.0,)))


def test_where_several_are_best_each_has_its_share():
    scores = np.array([[1.0, 0, 0], [1, 0, 0], [2, 2, 0], [1, 1, 1]])
    assert named(scores, [0, 1, 1, 2]).tolist() == pytest.approx([1, 0, 1 / 2, 1 / 3])
