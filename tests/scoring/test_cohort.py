"""The cohort and the one scale it gives, against numbers worked out by hand."""

import numpy as np
import pytest

from genprint.scoring.base import ByScorer
from genprint.scoring.cohort import Cohort, Normalised, Normaliser
from tests.conftest import drawn_digests, given, model_of_sources


@pytest.fixture(scope="module")
def model():
    return model_of_sources(np.diag([9.0, 9, 4, 1, 1, 1]))


def source(rng, images, centre=None):
    centre = rng.normal(size=6) * np.sqrt([9, 9, 4, 1, 1, 1]) if centre is None else centre
    return given(centre + rng.normal(size=(images, 6)), digests=drawn_digests(rng, images))


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


def cohort_of(model, fingerprints):
    """The cohort of these sources."""
    return Cohort(model.scorer.adapt(fingerprints).enroll(fingerprints), fingerprints)


def test_scores_leave_out_what_they_are_of(model, rng):
    sources = [source(rng, 12) for _ in range(4)]
    cohort = cohort_of(model, sources)
    assert [cohort.size(n) for n in (1, 6, 50)] == [1, 6, 6]
    sets = cohort.sets(4)
    probe = [sources[2][sets[2][1]]]
    # The second set of every source is left out of gallery and scorer alike.
    rest = [own[np.setdiff1d(np.arange(12), drawn[1])] for own, drawn in zip(sources, sets, strict=True)]
    assert [len(own) for own in rest] == [8] * 4
    assert cohort.target_scores(4)[2].shape == (3, 4)
    expected = model.scorer.adapt(rest).enroll(rest).llr(probe)[0]
    # What unequal spread adds is taken off by the variances of the whole gallery.
    assert cohort.target_scores(4)[2][1] == pytest.approx(expected, rel=5e-3, abs=0.02)
    # Were it not enrolled, its images would not have been in the scorer at all.
    others = model.scorer.adapt(own for i, own in enumerate(sources) if i != 2)
    expected = others.enroll(sources).llr(probe)[0]
    expected[2] = -np.inf
    assert cohort.nontarget_scores(4)[2][1] == pytest.approx(expected, rel=5e-3, abs=0.02)
    assert cohort.nontarget_scores(2)[0].shape == (6, 4)


def test_held_out_images_score_as_fresh_ones_do(rng):
    # Few images for their many dimensions: a scorer that had seen them would name them all.
    wide = model_of_sources(0.02 * np.eye(100), prior_images=10)
    centres = 0.02**0.5 * rng.normal(size=(8, 100))
    drawn = centres[:, None] + rng.normal(size=(8, 60, 100))
    sources = [given(own, digests=tuple(f"{i} {j}" for j in range(60))) for i, own in enumerate(drawn)]
    known, fresh = [own[np.arange(20)] for own in sources], [own[np.arange(20, 60)] for own in sources]
    cohort = cohort_of(wide, known)
    asked = [cohort.llr(cohort.take(own), np.arange(40)[:, None]) for own in fresh]
    right = np.mean([(own.argmax(1) == i).mean() for i, own in enumerate(asked)])
    held_out = np.mean([(own.argmax(1) == i).mean() for i, own in enumerate(cohort.target_scores(1))])
    assert right < 0.8
    assert held_out == pytest.approx(right, abs=0.12)


def test_what_leaving_a_set_out_costs_is_made_up_for(rng):
    # So many dimensions that every enrolled image more is felt.
    wide = model_of_sources(0.3 * np.eye(100), prior_images=10_000)
    drawn = 0.3**0.5 * rng.normal(size=(8, 1, 100)) + rng.normal(size=(8, 128, 100))
    sources = [given(own, digests=tuple(f"{i} {j}" for j in range(128))) for i, own in enumerate(drawn)]
    cohort = cohort_of(wide, [own[np.arange(32)] for own in sources])
    parts = np.arange(90).reshape(9, 10)
    fresh = np.mean([cohort.llr(cohort.take(own[np.arange(32, 128)]), parts)[:, i] for i, own in enumerate(sources)])
    left_out, whole = (
        np.mean([own[:, i] for i, own in enumerate(scores)])
        for scores in (cohort.target_scores(10), cohort.whole_target_scores(10))
    )
    assert left_out < fresh
    assert abs(whole - fresh) < (fresh - left_out) / 2


def test_how_many_images_tell_two_sources_apart(model, rng):
    cohort = cohort_of(model, [source(rng, 40, np.array([shift, 0, 0, 0, 0, 0])) for shift in (0.0, 0.8, 6.0)])
    few, right = cohort.separation(0, 2)
    assert (few, right) == (1, 1.0)
    many, _ = cohort.separation(0, 1)
    assert many > few
    cohort = cohort_of(model, [source(rng, 40, np.zeros(6)) for _ in range(5)])
    found = [cohort.separation(i, j) for i in range(5) for j in range(i)]
    assert np.mean([size == 10 and right < 0.95 for size, right in found]) >= 0.8


def test_the_order_of_sources_is_that_of_their_log_ratios(model, rng):
    sources = [source(rng, 30) for _ in range(6)]
    gallery, probes = [own[np.arange(20)] for own in sources], [own[np.arange(20, 30)] for own in sources]
    raw, scaled = (made(model.scorer).score(probes, gallery) for made in (ByScorer, Normalised))
    assert (np.argsort(raw, axis=1) == np.argsort(scaled, axis=1)).all()


def test_scores_of_smaller_sets_are_the_same_whoever_asks_first(model, rng):
    sources = [source(rng, 24) for _ in range(4)]
    one, other = cohort_of(model, sources), cohort_of(model, sources)
    one.nontarget_scores(5)
    for size in (1, 2, 5):
        for a, b in zip(one.nontarget_scores(size), other.nontarget_scores(size), strict=True):
            assert np.array_equal(a, b)


def test_while_scores_are_worked_out_no_part_of_them_is_seen(model, rng, monkeypatch):
    """Threads share a cohort."""
    cohort = cohort_of(model, [source(rng, 20) for _ in range(5)])
    without, seen = cohort._frame.without, []

    def watched(left):
        seen.append(dict(cohort._nontargets))
        return without(left)

    monkeypatch.setattr(type(cohort._frame), "without", lambda _, left: watched(left))
    scores = cohort.nontarget_scores(5)
    assert all(rows.shape == (4, 5) for rows in scores)
    assert len(seen) > 1
    assert not any(seen)


def test_twins_are_left_out_together_and_are_no_rivals(model, rng):
    sources = [source(rng, 12) for _ in range(4)]
    copy = given(sources[1].values, digests=sources[1].digests)
    alone, twinned = cohort_of(model, sources), cohort_of(model, [*sources, copy])
    assert twinned.twins.groups == [[0], [1, 4], [2], [3]]
    unknown = list(twinned.unknown(4))
    assert np.isneginf(unknown[1][1][:, [1, 4]]).all()
    assert np.isfinite(unknown[0][1][:, 1:]).all()
    # The scorer has seen neither.
    others = [sources[i] for i in (0, 2, 3)]
    expected = model.scorer.adapt(others).enroll([*sources, copy]).llr([sources[1][twinned.sets(4)[1][0]]])[0]
    assert unknown[1][1][0, [0, 2, 3]] == pytest.approx(expected[[0, 2, 3]], rel=5e-3, abs=0.02)
    # A set of either scores as if the other were not there.
    probe = given(sources[1].values[:4] + 0.1, digests=tuple("abcd"))
    assert twinned.score(probe, 1) == pytest.approx(alone.score(probe, 1), abs=0.15)
    assert twinned.score(probe, 4) == pytest.approx(twinned.score(probe, 1), abs=0.15)


def test_two_twins_and_nothing_else_have_no_impostors():
    same = np.array([[True, True, False], [True, True, False], [False, False, True]])
    means = np.array([[9.0, 8.0, -3.0], [8.0, 9.0, -5.0], [-3.0, -4.0, 7.0]])
    scale = Normaliser.fit(means, same=same)
    assert scale.impostors == pytest.approx([-3, -4, -4])
    (score,) = scale(np.array([[8.0, 9.0, -1.0]]), np.array([1]))
    assert score == pytest.approx((9 - (-4 + -1) / 2) / 13)  # the rival is the third
    with pytest.raises(ValueError, match="impostors"):
        Normaliser.fit(means, without=2, same=same)
