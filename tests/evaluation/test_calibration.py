"""Costs and calibration of likelihood ratios, against another implementation and on sources whose truth is known."""

import numpy as np
import pytest
from lir.data.models import LLRData
from lir.metrics import cllr, cllr_min

from genprint.evaluation.calibration import calibration, reliability_bins, summarise
from tests.conftest import given, model_of_sources
from tests.scoring.test_likelihood_ratio import world

__all__ = ["world"]


def test_costs_are_those_of_lir(rng):
    same, different = rng.normal(1, 0.8, 60), rng.normal(-0.5, 0.7, 90)
    ours = summarise({"a": tuple(same)}, {"a": tuple(different)}, cap=9.0)
    data = LLRData(
        features=np.r_[same, different] / np.log(10),  # theirs are decimal
        labels=np.repeat([1, 0], [60, 90]),
    )
    assert ours.cllr.mean == pytest.approx(cllr(data))
    assert ours.cllr_min == pytest.approx(cllr_min(data), abs=1e-6)


def test_bounds_are_as_far_as_the_probes_bear_out(rng):
    true = {f"s{i}": tuple(rng.normal(3, 1, 20)) for i in range(5)}
    false = {f"s{i}": tuple(rng.normal(-3, 1, 20)) for i in range(5)}
    low, high = summarise(true, false, cap=9.0).elub
    assert -np.log(101) <= low < -1
    assert 1 < high <= np.log(101)
    assert summarise(false, true, cap=9.0).elub == (0, 0)  # ratios that mislead bear out nothing


def test_bins_of_the_posterior():
    llr = np.log(np.array([0.25 / 0.75] * 4 + [3.0] * 4))
    means, shares, gaps, masses = reliability_bins(llr, np.array([1, 0, 0, 0, 1, 1, 1, 1]), np.ones(8))
    assert means == pytest.approx([0.25, 0.75])
    assert shares == pytest.approx([0.25, 1])
    assert gaps == pytest.approx([0, 0.25])
    assert masses == pytest.approx([0.5, 0.5])


@pytest.mark.slow
def test_ratios_are_calibrated_for_sources_left_out(world):
    model, sources = world
    found = calibration(model, sources, enrolled=32, size=4, repeats=2)
    assert np.log(12) < found.cap <= np.log(23)  # twins count as one
    assert found.cllr_min < found.cllr.mean < found.cllr_min + 0.1
    assert found.ece < 0.08
    assert found.misleading.mean < 0.35
    assert len(found.figure().axes) == 2


def test_what_cannot_be_calibrated_is_told(rng):
    model = model_of_sources(np.eye(3))
    sources = {name: given(rng.normal(size=(12, 3))) for name in "abcdef"}
    with pytest.raises(ValueError, match="4 sources or more"):
        calibration(model, {name: sources[name] for name in "abc"}, 8, 4)
    with pytest.raises(ValueError, match="need 10 enrolled"):
        calibration(model, sources, 8, 5)
    with pytest.raises(ValueError, match="a: 12 images: too few"):
        calibration(model, sources, 10, 4)
