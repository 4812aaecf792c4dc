"""Likelihood ratios of sources whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from genprint.answers.attribution import Identifier
from genprint.scoring.base import ByScorer
from genprint.scoring.cohort import Cohort
from genprint.scoring.lda import LDA
from genprint.scoring.likelihood_ratio import (
    LEAST,
    LEAST_UNTESTED,
    LikelihoodRatioSystem,
    calibration_features,
    times,
)
from genprint.scoring.logistic import LogisticCalibration, _regression
from tests.conftest import drawn_digests, given, model_of_sources


def test_calibrated_ratios_of_gaussians_are_the_true_ones(rng):
    same = [rng.normal([2, 1], 1, (400, 2)) for _ in range(30)]
    different = [rng.normal(0, 1, (400, 2)) for _ in range(30)]
    found = LogisticCalibration.fit(same, different)
    # log N(x; m, 1) / N(x; 0, 1) = m x - m^2 / 2
    assert found.slopes == pytest.approx((2, 1), rel=0.1)
    assert found.intercept == pytest.approx(-2.5, rel=0.1)
    points = np.array([[-99.0, 1.0], [1.0, 0.5], [99.0, 1.0]])
    assert found.llr(points) == pytest.approx([-np.log(30), 0, np.log(30)], abs=0.12)
    assert found.cap == pytest.approx(np.log(30))


def test_more_of_one_feature_never_speaks_for_less(rng):
    same, different = ([rng.normal([mean, -mean], 1, (200, 2)) for _ in range(20)] for mean in (1.0, 0.0))
    found = LogisticCalibration.fit(same, different)
    alone = LogisticCalibration.fit([own[:, :1] for own in same], [own[:, :1] for own in different])
    assert found.slopes == (*alone.slopes, 0.0)
    assert found.intercept == alone.intercept


@pytest.mark.parametrize("apart", [0.0, 1.0, 20.0])
def test_the_regression_is_a_penalised_logistic_one(rng, apart):
    """However far apart true and false ones are."""
    truth = rng.integers(0, 2, 200)
    values, weights = rng.normal(size=(200, 2)) + apart * truth[:, None], rng.uniform(0.5, 2, 200)
    model = LogisticRegression(C=1e3, tol=1e-12, max_iter=10_000).fit(values, truth, weights)
    expected = [*model.coef_[0], model.intercept_[0]]
    assert _regression(values, truth, weights) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_features_that_go_the_wrong_way_say_nothing(rng):
    same, different = ([rng.normal(mean, 1, (20, 2)) for _ in range(3)] for mean in (0.0, 1.0))
    found = LogisticCalibration.fit(same, different)
    assert (found.slopes, found.intercept) == ((0.0, 0.0), 0.0)


def test_features_are_against_the_rivals_and_the_unknown():
    ratios = np.array([[3.0, 1.0, -2.0]])
    expected = 3 - np.log(np.exp(1) + np.exp(-2) + 1)
    assert calibration_features(ratios)[0, 0] == pytest.approx([np.arcsinh(expected / 5), np.arcsinh(3 / 50)])


@pytest.fixture(scope="module")
def world():
    """Sources that are just what the scorer believes them to be."""
    rng = np.random.default_rng(0)
    size = 6

    def source(name, n):
        values = rng.normal(0, 0.3**0.5, size) + rng.normal(size=(n, size))
        return given(values, name, drawn_digests(rng, n))

    return model_of_sources(0.3 * np.eye(size)), {f"source {i}": source(f"source {i}", 80) for i in range(24)}


def test_the_ratio_of_an_answer(world):
    model, sources = world
    enrolled = {name: own[np.arange(32)] for name, own in sources.items()}
    identifier = Identifier(model, enrolled)
    answers = {
        size: [identifier.identify(own[np.arange(32, 32 + size)]) for own in sources.values()] for size in (1, 16)
    }
    for own in answers.values():
        for answer in own:
            ratio = answer.evidence.ratio
            if answer.images == 1:
                assert ratio.low is ratio.high is None
            else:
                assert ratio.low - 1e-9 <= ratio.high <= ratio.cap + 1e-9
            assert abs(ratio.llr) <= ratio.cap == pytest.approx(np.log(ratio.sources))
            assert ratio.capped == (abs(ratio.llr) == ratio.cap)
            assert ratio.hp.startswith(answer.evidence.candidates[0].source)
            assert answer.llr == ratio.llr
            assert 12 < ratio.sources <= 24  # those that no test tells apart count as one
    few, many = (np.mean([a.llr for a in own]) for own in answers.values())
    assert many > few
    grown = answers[16][0].evidence.ratio.by_images
    assert list(grown) == [1, 2, 5, 10, 16]
    assert all(low <= mean + 1e-9 and mean <= high + 1e-9 for mean, low, high in list(grown.values())[:-1])
    assert grown[16][0] == answers[16][0].llr


def test_two_sources_give_no_ratio(world):
    model, sources = world
    few = {name: own[np.arange(40)] for name, own in list(sources.items())[: LEAST - 1]}
    answer = Identifier(model, few).identify(sources["source 0"][np.arange(40, 80)])
    assert answer.evidence.ratio is None
    assert answer.llr is None
    assert answer.evidence.no_ratio == (
        "No likelihood ratio is given: it takes 3 enrolled sources or more; there are 2."
    )


def test_that_a_scorer_which_learned_nothing_takes_more_sources_is_said(world):
    model, sources = world
    some = {name: own[np.arange(12)] for name, own in list(sources.items())[:5]}
    answer = Identifier(replace(model, scorer=LDA()), dict(list(some.items())[:4]), conditions=False).identify(
        sources["source 0"][np.arange(12, 20)]
    )
    assert answer.evidence.p_counts
    assert answer.evidence.no_ratio == (
        "No likelihood ratio is given: it takes 5 enrolled sources or more where the exchangeability test has no part "
        "in it; there are 4."
    )
    copied = {**some, "source 4": replace(some["source 3"], source="source 4")}
    answer = Identifier(replace(model, scorer=LDA()), copied, conditions=False).identify(
        sources["source 0"][np.arange(12, 20)]
    )
    assert answer.evidence.no_ratio.endswith("in it; there are 4, those that are one counted once.")


def test_a_ratio_of_one_source_hardly_moves_with_another_in_the_gallery(world):
    model, sources = world
    enrolled = {name: own[np.arange(32)] for name, own in sources.items()}
    probe = sources["source 0"][np.arange(32, 42)]
    with_all = Identifier(model, enrolled).identify(probe)
    with_less = Identifier(model, {k: v for k, v in enrolled.items() if k != "source 9"}).identify(probe)
    assert with_less.llr == pytest.approx(with_all.llr, abs=0.3 * np.log(10))


def test_too_few_sources_or_images_give_no_calibration(world):
    model, sources = world

    def system(enrolled):
        return LikelihoodRatioSystem(Cohort(model.scorer.adapt(enrolled).enroll(enrolled), enrolled))

    few = [own[np.arange(8)] for own in list(sources.values())[:LEAST_UNTESTED]]
    assert system(few).calibration(4).sources == LEAST_UNTESTED
    assert system(few[1:]).calibration(4) is None
    assert system(few).lacking == ""
    alone = system([*few[1:], few[0][[0]]])
    assert alone.calibration(4) is None
    assert alone.lacking.endswith("two images of each enrolled source; source 0 has one.")
    assert system(few[1:]).likelihood_ratio(few[0], 0) is None
    assert ByScorer(model.scorer).score(few, few).argmax(1).tolist() == list(range(LEAST_UNTESTED))


def test_ratios_are_said_without_exponents():
    assert [times(np.log(ratio)) for ratio in (190, 12.4, 1.0, 1 / 190)] == ["190", "12", "1", "0.0053"]
