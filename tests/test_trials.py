"""Trials and the one scale they give, against numbers worked out by hand, and what answers make of it."""

import numpy as np
import pytest

from genprint.answers import INCONCLUSIVE
from genprint.attribution import LEAST_SCORE, Identifier
from genprint.calibration import upper_threshold
from genprint.evaluation.answers import answers
from genprint.fingerprint import Features
from genprint.methods.set_encoder.encoder import SetEncoder
from genprint.scoring import PLDA, ByFingerprint
from genprint.trials import Normalised, Normaliser, Trials


@pytest.fixture(scope="module")
def encoder():
    made = SetEncoder.from_pretrained()
    made.plda_ = PLDA(np.zeros(6), np.eye(6), np.diag([9.0, 9, 4, 1, 1, 1]))
    return made


def source(rng, images, centre=None):
    centre = rng.normal(size=6) * np.sqrt([9, 9, 4, 1, 1, 1]) if centre is None else centre
    values = (centre + rng.normal(size=(images, 6))).astype(np.float32)
    return Features(values, tuple(f"{rng.integers(2**60):x}" for _ in range(images)))


def test_scale_by_hand():
    means = np.array([[9.0, 1.0, -3.0], [-1.0, 5.0, -5.0], [-3.0, 3.0, np.nan]])
    scale = Normaliser.fit(means)
    assert scale.impostors == pytest.approx([-2, 2, -4])
    assert scale.gain == pytest.approx([11, 3, 7])  # the third as the mean of the others
    scores = scale(np.array([[6.0, 4.0, 0.0], [6.0, 4.0, 0.0]]), np.array([0, 1]))
    assert scores == pytest.approx([(6 - (-2 + 4) / 2) / 11, (4 - (2 + 6) / 2) / 3])
    rest = Normaliser.fit(means, without=1)
    assert rest.impostors[[0, 2]] == pytest.approx([-3, -3])
    assert rest.gain[0] == pytest.approx(12)
    with pytest.raises(ValueError, match="impostors"):
        Normaliser.fit(means[:2, :2], without=1)


def test_trials_leave_out_what_they_ask_for(encoder, rng):
    features = [source(rng, 12) for _ in range(4)]
    gallery = [encoder.summarise(own, "", vector=False) for own in features]
    trials = Trials(encoder, encoder.plda_, features, gallery)
    assert [trials.size(n) for n in (1, 6, 50)] == [1, 6, 6]
    ratios = trials.ratios(4)[2]
    part = trials._parts[4][2][0]
    rest = features[2][np.setdiff1d(np.arange(12), part)]
    probe, known = (encoder.summarise(own, "", vector=False) for own in (features[2][part], rest))
    assert ratios.shape == (3, 4)
    assert ratios[0, 2] == pytest.approx(trials.plda.compare([probe], [known])[0, 0])
    assert ratios[0, 1] == pytest.approx(trials.plda.compare([probe], [gallery[1]])[0, 0])
    unknown = [row for _, rows, _ in trials.unknown(4) for row in rows]
    assert np.isneginf(unknown).sum() == len(unknown)  # a set's own source, and no other


def test_own_probes_score_high_and_unknown_ones_low_whatever_their_size(encoder, rng):
    features = {f"{i}": source(rng, 120) for i in range(20)}
    identifier = Identifier(encoder, {name: own[np.arange(40)] for name, own in features.items()}, rate=0.1)
    own = [identifier.identify("", f[np.arange(40 + at, 50 + at)]).score for f in features.values() for at in (0, 10)]
    large = [identifier.identify("", f[np.arange(40, 120)]).score for f in features.values()]
    unknown = [identifier.identify("", source(rng, 10)).score for _ in range(40)]
    assert 0.4 < np.mean(own) < 1
    assert np.mean(large) == pytest.approx(np.mean(own), abs=0.1)  # more images do not carry a probe up the scale
    assert np.mean(unknown) < np.mean(own) - 0.1


def test_the_order_of_sources_is_that_of_their_log_ratios(encoder, rng):
    features = [source(rng, 30) for _ in range(6)]
    gallery, probes = [own[np.arange(20)] for own in features], [own[np.arange(20, 30)] for own in features]
    raw, scaled = (made(encoder, encoder.plda_).score(probes, gallery) for made in (ByFingerprint, Normalised))
    assert (np.argsort(raw, axis=1) == np.argsort(scaled, axis=1)).all()


def test_the_rate_holds_for_all_tests_together(encoder, rng):
    features = {f"{i}": source(rng, 62) for i in range(24)}
    found = answers(encoder, features, {name: name for name in features}, rate=0.2)
    assert found.false.mean <= 0.2
    assert found.right.mean > 0.5


def test_few_sources_or_images_set_no_threshold(encoder, rng):
    two = {name: source(rng, 20) for name in "ab"}
    singles = {name: source(rng, 1) for name in "abcd"}
    one_of_many = {"a": source(rng, 10), **{name: source(rng, 1) for name in "bcd"}}
    for known in (two, singles, one_of_many):
        identifier = Identifier(encoder, known)
        assert identifier.threshold(5) is None
        answer = identifier.identify("", source(rng, 5))
        assert answer.answer == INCONCLUSIVE
        assert answer.score is None
        assert "enroll three" in answer.reason
    mixed = Identifier(encoder, {**two, "single": source(rng, 1)}, rate=0.3)
    threshold, size = mixed.threshold(5)
    assert size == 1
    assert threshold >= LEAST_SCORE


def test_the_threshold_is_that_of_all_sets_put_to_all_tests(encoder, rng):
    # The weights of 19 and 39 sources add up to just above the rate.
    for sources, rate in ((12, 0.1), (12, 0.5), (19, 0.1), (39, 0.05)):
        # All much alike, so that many pass the other tests.
        features = {f"{i}": source(rng, 24, 0.3 * rng.normal(size=6)) for i in range(sources)}
        identifier = Identifier(encoder, features, rate, min_share=0.0)
        scores = []
        for sets, ratios, reached in identifier._trials.unknown(2):
            passed = [identifier._passes(own, row) for own, row in zip(sets, ratios, strict=True)]
            scores.append(np.where(passed, reached, LEAST_SCORE).clip(LEAST_SCORE))
        expected = upper_threshold(scores, rate)
        assert expected > LEAST_SCORE
        assert identifier.threshold(2) == (pytest.approx(expected), 2)
