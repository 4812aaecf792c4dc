"""Likelihood ratios, against another implementation and on sources whose truth is known."""

import json

import numpy as np
import pytest
from lir.data.models import LLRData
from lir.metrics import cllr, cllr_min
from typer.testing import CliRunner

from genprint.answers.attribution import Identifier
from genprint.cli.app import app
from genprint.encoder.encoder import SetEncoder
from genprint.evaluation.calibration import calibration, reliability_bins, summarise
from genprint.fingerprints.fingerprint import Features
from genprint.scoring.thresholds import LikelihoodRatio, evidence

from tests.conftest import encoder_of_sources

ENCODER = SetEncoder.from_pretrained()


def test_costs_are_those_of_lir(rng):
    same, different = rng.normal(1, 0.8, 60), rng.normal(-0.5, 0.7, 90)
    ours = summarise({"a": tuple(same)}, {"a": tuple(different)}, cap=9.0)
    data = LLRData(features=np.r_[same, different], labels=np.repeat([1, 0], [60, 90]))
    assert ours.cllr.mean == pytest.approx(cllr(data))
    assert ours.cllr_min == pytest.approx(cllr_min(data), abs=1e-6)


def test_calibrated_ratios_of_gaussians_are_the_true_ones(rng):
    same = [rng.normal([2, 1], 1, (400, 2)) for _ in range(30)]
    different = [rng.normal(0, 1, (400, 2)) for _ in range(30)]
    found = LikelihoodRatio.fit(same, different)
    # log N(x; m, 1) / N(x; 0, 1) = m x - m^2 / 2
    assert found.slopes == pytest.approx((2, 1), rel=0.1)
    assert found.intercept == pytest.approx(-2.5, rel=0.1)
    points = np.array([[-99.0, 1.0], [1.0, 0.5], [99.0, 1.0]])
    assert found.log10(points) == pytest.approx([-np.log10(30), 0, np.log10(30)], abs=0.05)


def test_more_of_one_kind_of_evidence_never_speaks_for_less(rng):
    same, different = ([rng.normal([mean, -mean], 1, (200, 2)) for _ in range(20)] for mean in (1.0, 0.0))
    found = LikelihoodRatio.fit(same, different)
    alone = LikelihoodRatio.fit([own[:, :1] for own in same], [own[:, :1] for own in different])
    assert found.slopes == (*alone.slopes, 0.0)
    assert found.intercept == alone.intercept


def test_evidence_that_goes_the_wrong_way_is_none(rng):
    same, different = ([rng.normal(mean, 1, (20, 2)) for _ in range(3)] for mean in (0.0, 1.0))
    found = LikelihoodRatio.fit(same, different)
    assert (found.slopes, found.intercept) == ((0.0, 0.0), 0.0)


def test_evidence_is_against_the_rivals_and_the_unknown():
    ratios = np.array([[3.0, 1.0, -2.0]])
    expected = 3 - np.log(np.exp(1) + np.exp(-2) + 1)
    assert evidence(ratios)[0, 0] == pytest.approx([np.arcsinh(expected / 5), np.arcsinh(3 / 50)])


def test_bins_of_the_posterior():
    log10 = np.log10(np.array([0.25 / 0.75] * 4 + [3.0] * 4))
    means, shares, gaps, masses = reliability_bins(log10, np.array([1, 0, 0, 0, 1, 1, 1, 1]), np.ones(8))
    assert means == pytest.approx([0.25, 0.75])
    assert shares == pytest.approx([0.25, 1])
    assert gaps == pytest.approx([0, 0.25])
    assert masses == pytest.approx([0.5, 0.5])


@pytest.fixture(scope="module")
def world():
    """Sources that are just what the scorer believes them to be."""
    rng = np.random.default_rng(0)
    size = 6
    encoder = encoder_of_sources(0.3 * np.eye(size))

    def source(n):
        values = (rng.normal(0, 0.3**0.5, size) + rng.normal(size=(n, size))).astype(np.float32)
        return Features(values, tuple(f"{rng.integers(2**60):x}" for _ in range(n)))

    return encoder, {f"source {i}": source(80) for i in range(24)}


def test_ratios_are_calibrated_for_sources_left_out(world):
    encoder, features = world
    found = calibration(features, encoder, enrolled=32, size=4, repeats=2)
    assert found.cap == pytest.approx(np.log10(23))
    assert found.cllr_min < found.cllr.mean < found.cllr_min + 0.1
    assert found.ece < 0.08
    assert found.misleading.mean < 0.25


def test_evidence_for_an_answer(world):
    encoder, features = world
    enrolled = {name: own[np.arange(32)] for name, own in features.items()}
    identifier = Identifier(encoder, enrolled)
    answers = {
        size: [identifier.identify("probe", own[np.arange(32, 32 + size)]) for own in features.values()]
        for size in (1, 16)
    }
    for own in answers.values():
        for answer in own:
            evidence = answer.evidence
            if answer.images == 1:
                assert evidence.low is evidence.high is None
            else:
                assert evidence.low - 1e-9 <= evidence.high <= evidence.cap + 1e-9
            assert abs(evidence.log10_lr) <= evidence.cap == pytest.approx(np.log10(24))
            assert evidence.hp.startswith(answer.candidates[0].source)
    few, many = (np.mean([a.evidence.log10_lr for a in own]) for own in answers.values())
    assert many > few
    grown = answers[16][0].evidence.by_images
    assert list(grown) == [1, 2, 5, 10, 16]
    assert all(low <= mean + 1e-9 and mean <= high + 1e-9 for mean, low, high in list(grown.values())[:-1])


def test_two_sources_give_no_ratio(world):
    encoder, features = world
    two = {name: own[np.arange(40)] for name, own in list(features.items())[:2]}
    assert Identifier(encoder, two).identify("probe", features["source 0"][np.arange(40, 80)]).evidence is None


def test_a_ratio_of_one_source_hardly_moves_with_another_in_the_gallery(world):
    encoder, features = world
    enrolled = {name: own[np.arange(32)] for name, own in features.items()}
    probe = features["source 0"][np.arange(32, 42)]
    with_all = Identifier(encoder, enrolled).identify("probe", probe).evidence
    with_less = Identifier(encoder, {k: v for k, v in enrolled.items() if k != "source 9"}).identify("probe", probe)
    assert with_less.evidence.log10_lr == pytest.approx(with_all.log10_lr, abs=0.3)
