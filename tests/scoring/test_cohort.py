"""Trials and the one scale they give, against numbers worked out by hand, and what answers make of it."""

import numpy as np
import pytest

from genprint.answers.attribution import LEAST_SCORE, Identifier
from genprint.answers.results import INCONCLUSIVE
from genprint.evaluation.answers import answers
from genprint.fingerprints.fingerprint import Features
from genprint.scoring.base import ByFingerprint
from genprint.scoring.cohort import Normalised, Normaliser, Trials
from genprint.scoring.thresholds import upper_threshold

from tests.conftest import encoder_of_sources


@pytest.fixture(scope="module")
def encoder():
    return encoder_of_sources(np.diag([9.0, 9, 4, 1, 1, 1]))


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


def summaries(encoder, features):
    return [encoder.summarise(own, "", vector=False) for own in features]


def test_trials_leave_out_what_they_ask_for(encoder, rng):
    features = [source(rng, 12) for _ in range(4)]
    gallery = summaries(encoder, features)
    trials = Trials(encoder, encoder.plda_, features, gallery)
    assert [trials.size(n) for n in (1, 6, 50)] == [1, 6, 6]
    sets = trials.sets(4)
    probe = summaries(encoder, [sets[2][1]])
    # The second set of every source is left out of gallery and scorer alike.
    left = {digest for own in sets for digest in own[1].digests}
    rest = [own[[i for i, digest in enumerate(own.digests) if digest not in left]] for own in features]
    assert [len(own) for own in rest] == [8] * 4
    known = summaries(encoder, rest)
    assert trials.held_out(4)[2].shape == (3, 4)
    assert trials.held_out(4)[2][1] == pytest.approx(encoder.plda_.adapt(known).compare(probe, known)[0])
    # Were it not enrolled, its images would not have been in the scorer at all.
    others = encoder.plda_.adapt(own for i, own in enumerate(gallery) if i != 2)
    expected = others.compare(probe, gallery)[0]
    expected[2] = -np.inf
    assert trials.foreign(4)[2][1] == pytest.approx(expected)
    assert trials.foreign(2)[0].shape == (6, 4)


def test_held_out_images_score_as_fresh_ones_do(encoder, rng):
    # Few images for their many dimensions: a scorer that had seen them would name them all.
    wide = encoder_of_sources(0.02 * np.eye(100), prior_images=10)
    centres = 0.02**0.5 * rng.normal(size=(8, 100))
    drawn = centres[:, None] + rng.normal(size=(8, 60, 100))
    features = [Features(own.astype(np.float32), tuple(f"{i} {j}" for j in range(60))) for i, own in enumerate(drawn)]
    known, fresh = [own[np.arange(20)] for own in features], [own[np.arange(20, 60)] for own in features]
    trials = Trials(wide, wide.plda_, known, summaries(wide, known))
    asked = trials.known.compare(summaries(wide, [own[[i]] for own in fresh for i in range(40)])).reshape(8, 40, 8)
    right = np.mean([(own.argmax(1) == i).mean() for i, own in enumerate(asked)])
    held_out = np.mean([(own.argmax(1) == i).mean() for i, own in enumerate(trials.held_out(1))])
    assert right < 0.8
    assert held_out == pytest.approx(right, abs=0.12)


def test_how_many_images_tell_two_sources_apart(encoder, rng):
    near = [source(rng, 40, np.array([shift, 0, 0, 0, 0, 0])) for shift in (0.0, 0.8, 6.0)]
    trials = Trials(encoder, encoder.plda_, near, summaries(encoder, near))
    few, right = trials.separation(0, 2)
    assert (few, right) == (1, 1.0)
    many, _ = trials.separation(0, 1)
    assert many > few
    alike = [source(rng, 40, np.zeros(6)) for _ in range(5)]
    trials = Trials(encoder, encoder.plda_, alike, summaries(encoder, alike))
    found = [trials.separation(i, j) for i in range(5) for j in range(i)]
    assert np.mean([size == 10 and right < 0.95 for size, right in found]) >= 0.8


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
