"""Stability, open set and robustness on data whose answer is known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from genprint.baselines.content import ColourQuantiles
from genprint.evaluation.answers import answers
from genprint.evaluation.attributability import Rate, paired
from genprint.evaluation.intervals import over_sources
from genprint.evaluation.open_set import open_set, oscr
from genprint.evaluation.stability import stability
from genprint.evaluation.verification import by_the_others, verified
from genprint.fingerprints.fingerprint import Features
from genprint.scoring.base import LDA, ByFingerprint
from tests.conftest import encoder_of_sources


def sources(rng, centres, images=60):
    return {
        str(i): Features(rng.normal(centre, 1, (images, len(centre))).astype(np.float32), ("",) * images)
        for i, centre in enumerate(centres)
    }


def test_interval_covers_the_mean_and_narrows_with_sources(rng):
    few, many = over_sources(rng.normal(size=10)), over_sources(rng.normal(size=1000))
    assert few.low <= few.mean <= few.high
    assert many.high - many.low < few.high - few.low
    assert many.high - many.low == pytest.approx(2 * 1.96 / 1000**0.5, rel=0.2)


def test_stability_against_cosines_of_all_pairs(rng):
    features = sources(rng, 4 * np.eye(3))
    found = stability(features, ColourQuantiles(), 10)
    order = np.random.default_rng([0, 10])
    vectors = []
    for own in features.values():
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


def test_oscr_by_hand():
    known, right = np.array([3.0, 2.0, 1.0]), np.array([True, False, True])
    # against 2.5: one right and higher; against 0.5: two right and higher
    alike = np.full(3, 1 / 3)
    assert oscr(known, right, np.array([2.5, 0.5]), alike) == pytest.approx((1 / 3 + 2 / 3) / 2)
    auroc = oscr(known, np.ones(3, bool), np.array([1.5]), alike)
    assert auroc == pytest.approx(roc_auc_score([1, 1, 1, 0], [3, 2, 1, 1.5]))


def test_open_set_counts_known_sources_alike_however_many_probes_they_have():
    class Level:
        """Every source of the gallery scores as the probe is high."""

        def score(self, probes, gallery):
            return np.array([[own.values.mean()] * len(gallery) for own in probes])

    levels = {"low": (1.0, 55), "between": (2.0, 10), "high": (3.0, 10)}
    features = {
        name: Features(np.full((count, 1), level, np.float32), tuple(map(str, range(count))))
        for name, (level, count) in levels.items()
    }
    found = open_set(features, Level(), {name: name for name in features}, 5, 5)
    # low is below all, high above all, and between has one known source on each side, one probe against ten
    assert found.auroc.mean == pytest.approx((1 + 0.5 + 0) / 3)


def test_unknown_sources_stand_out_where_they_are_far_and_not_where_a_twin_is_enrolled(rng):
    centres = np.array([[0, 0], [0.0, 0], [20, 0], [0, 20]])
    comparer = ByFingerprint(ColourQuantiles(), LDA())
    features = sources(rng, centres)
    alone = open_set(features, comparer, {name: name for name in features}, 20, 5)
    grouped = open_set(features, comparer, {"0": "twin", "1": "twin", "2": "b", "3": "c"}, 20, 5)
    assert alone.auroc.mean < 0.8  # two of four have a twin in the gallery
    assert grouped.auroc.mean > 0.99
    assert grouped.oscr.mean > alone.oscr.mean
    assert grouped.curve[0][0] == 0
    assert grouped.curve[-1][0] == 1
    assert grouped.curve[-1][1] < 0.25  # without a threshold, only twins that are both enrolled are confused
    assert np.all(np.diff(grouped.curve, axis=0) * [1, -1] >= 0)
    # between them lies the area that OSCR is, were there one threshold for each source rather than one for all
    rates = np.array(grouped.curve)
    assert np.trapezoid(1 - rates[:, 1], rates[:, 0]) == pytest.approx(grouped.oscr.mean, abs=0.05)
    with pytest.raises(ValueError, match="one group"):
        open_set(features, comparer, dict.fromkeys(features, "same"), 20, 5)


def test_answers_count_false_right_and_wrong():
    rng, size = np.random.default_rng(0), 6
    encoder = encoder_of_sources(25 * np.eye(size))
    centres = 5 * rng.normal(size=(16, size))
    centres[1] = centres[0]  # twins: each is taken for the other when that alone is enrolled
    features = {
        f"{i}": Features(
            (centre + rng.normal(size=(52, size))).astype(np.float32),
            tuple(f"{rng.integers(2**60):x}" for _ in range(52)),
        )
        for i, centre in enumerate(centres)
    }
    alone = answers(encoder, features, {name: name for name in features}, rate=0.2)
    together = answers(encoder, features, {name: "01" if name in "01" else name for name in features}, rate=0.2)
    assert alone.rate == 0.2
    assert together.false.mean < alone.false.mean
    assert alone.false.mean == pytest.approx(2 / 16, abs=0.05)
    assert alone.right.mean > 0.7
    assert alone.wrong.mean < 0.1
    again = answers(encoder, features, {name: name for name in features}, rate=0.2, seed=1)
    both = answers(encoder, features, {name: name for name in features}, rate=0.2, repeats=2)
    assert both.right.mean == pytest.approx((alone.right.mean + again.right.mean) / 2)
    assert alone.right.mean != again.right.mean


def test_verification_counts_false_and_right_of_both_kinds():
    rng, size = np.random.default_rng(0), 12
    encoder = encoder_of_sources(4 * np.eye(size))
    centres = 2 * rng.normal(size=(24, size))
    centres[1] = centres[0]  # twins: no population of others can tell them apart
    features = {
        f"{i}": Features(
            (centre + rng.normal(size=(40, size))).astype(np.float32),
            tuple(f"{rng.integers(2**60):x}" for _ in range(40)),
        )
        for i, centre in enumerate(centres)
    }
    found = verified(encoder, features, features, 20, by_the_others(encoder, features))
    assert found.false_same.mean == pytest.approx(2 / 24 / 23, abs=0.01)
    assert found.false_different.mean <= 0.1
    # one source in five gets no answer, being unlike the others, nor has a pair that it is of
    assert found.same.mean > 0.7
    assert found.different.mean > 0.8**2
    assert found.given > 0.8**2
    assert found.cllr < 0.3
    with pytest.raises(ValueError, match="twice 30 images"):
        verified(encoder, features, features, 30)


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
