"""Open set, on scores worked out by hand and on sources that are known to be near or far."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from genprint.evaluation.open_set import open_set, oscr
from genprint.scoring.base import ByScorer, Comparer
from genprint.scoring.lda import LDA
from tests.conftest import given
from tests.evaluation.test_stability import sources


def test_oscr_by_hand():
    known, right = np.array([3.0, 2.0, 1.0]), np.array([True, False, True])
    # against 2.5: one right and higher; against 0.5: two right and higher
    alike = np.full(3, 1 / 3)
    assert oscr(known, right, np.array([2.5, 0.5]), alike) == pytest.approx((1 / 3 + 2 / 3) / 2)
    auroc = oscr(known, np.ones(3, bool), np.array([1.5]), alike)
    assert auroc == pytest.approx(roc_auc_score([1, 1, 1, 0], [3, 2, 1, 1.5]))


def test_open_set_counts_known_sources_alike_however_many_probes_they_have():
    class Level(Comparer):
        """Every source of the gallery scores as the probe is high."""

        def _score(self, probes, gallery):
            return np.array([[own.values.mean()] * len(gallery) for own in probes])

    levels = {"low": (1.0, 55), "between": (2.0, 10), "high": (3.0, 10)}
    found_in = {
        name: given(np.full((count, 1), level), name, tuple(map(str, range(count))))
        for name, (level, count) in levels.items()
    }
    found = open_set(found_in, Level(), {name: name for name in found_in}, 5, 5)
    # low is below all, high above all, and between has one known source on each side, one probe against ten
    assert found.auroc.mean == pytest.approx((1 + 0.5 + 0) / 3)


def test_unknown_sources_stand_out_where_they_are_far_and_not_where_a_twin_is_enrolled(rng):
    centres = np.array([[0, 0], [0.0, 0], [20, 0], [0, 20]])
    comparer = ByScorer(LDA())
    found_in = sources(rng, centres)
    alone = open_set(found_in, comparer, {name: name for name in found_in}, 20, 5)
    grouped = open_set(found_in, comparer, {"0": "twin", "1": "twin", "2": "b", "3": "c"}, 20, 5)
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
        open_set(found_in, comparer, dict.fromkeys(found_in, "same"), 20, 5)
