"""One gallery in one condition: thresholds are those of all tests together, and what would separate two sources."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from genprint.answers.attribution import Identifier
from genprint.answers.results import INCONCLUSIVE
from genprint.evaluation.answers import answers
from genprint.fingerprints.conditions import CONDITIONS, KEPT
from genprint.gallery.enrolled import _HELD, ALPHA, LEAST_SCORE, Enrolled, EnrolledIn
from genprint.scoring.exchangeability import exchangeable
from genprint.scoring.lda import LDA
from genprint.scoring.thresholds import upper_threshold
from tests.conftest import Named, given
from tests.scoring.test_cohort import model, source

__all__ = ["model"]


@pytest.mark.slow
def test_own_probes_score_high_and_unknown_ones_low_whatever_their_size(model, rng):
    sources = {f"{i}": source(rng, 120) for i in range(20)}
    identifier = Identifier(model, {name: own[np.arange(40)] for name, own in sources.items()}, rate=0.1)

    def score(probe):
        return identifier.identify(probe).evidence.score

    own = [score(f[np.arange(40 + at, 50 + at)]) for f in sources.values() for at in (0, 10)]
    large = [score(f[np.arange(40, 120)]) for f in sources.values()]
    unknown = [score(source(rng, 10)) for _ in range(40)]
    assert 0.4 < np.mean(own) < 1
    assert np.mean(large) == pytest.approx(np.mean(own), abs=0.1)  # more images do not carry a probe up the scale
    assert np.mean(unknown) < np.mean(own) - 0.1


@pytest.mark.slow
def test_the_rate_holds_for_all_tests_together(model, rng):
    sources = {f"{i}": source(rng, 62) for i in range(24)}
    found = answers(model, sources, {name: name for name in sources}, rate=0.2)
    assert found.false.mean <= 0.2
    assert found.right.mean > 0.5


def test_few_sources_or_images_set_no_threshold(model, rng):
    two = {name: source(rng, 20) for name in "ab"}
    singles = {name: source(rng, 1) for name in "abcd"}
    one_of_many = {"a": source(rng, 10), **{name: source(rng, 1) for name in "bcd"}}
    for known in (two, singles, one_of_many):
        identifier = Identifier(model, known)
        assert identifier.threshold(5) is None
        answer = identifier.identify(source(rng, 5))
        assert answer.decision == INCONCLUSIVE
        assert answer.evidence.score is None
        assert answer.evidence.rate is answer.evidence.threshold is answer.evidence.calibrated_at is None
        assert "Three enrolled sources" in answer.changes
    mixed = Identifier(model, {**two, "single": source(rng, 1)}, rate=0.3)
    threshold, size = mixed.threshold(5)
    assert size == 1
    assert threshold >= LEAST_SCORE


@pytest.mark.parametrize(("sources", "rate"), [(12, 0.1), (12, 0.5), (19, 0.1), (39, 0.05)])
def test_the_threshold_is_that_of_all_sets_put_to_all_tests(model, rng, sources, rate):
    # The weights of 19 and 39 sources add up to just above the rate. All are much alike, so that many pass the tests;
    # of 20 images each, no test says that they are twins.
    known = {f"{i}": source(rng, 20, 0.3 * rng.normal(size=6)) for i in range(sources)}
    for min_posterior in (0.0, 0.2):
        enrolled = Enrolled(model.scorer, [own.ordered() for own in known.values()])
        scores = []
        for own, (sets, llrs, reached) in zip(enrolled.fingerprints, enrolled.cohort.unknown(2), strict=True):
            passed = [
                softmax(row).max() >= min_posterior and enrolled.exchangeability(own[drawn], int(row.argmax())) > ALPHA
                for drawn, row in zip(sets, llrs, strict=True)
            ]
            scores.append(np.where(passed, reached, LEAST_SCORE).clip(LEAST_SCORE))
        expected = upper_threshold(scores, rate)
        assert expected > LEAST_SCORE or min_posterior
        assert enrolled.threshold(2, rate, min_posterior) == (pytest.approx(expected), 2)
        assert Identifier(model, known, rate, min_posterior).threshold(2) == (pytest.approx(expected), 2)


def test_what_separates_two_sources(model, rng):
    near = [np.zeros(6), np.array([0.8, 0, 0, 0, 0, 0]), np.full(6, 9.0)]
    known = {name: source(rng, 40, centre) for name, centre in zip("abc", near, strict=True)}
    enrolled = Enrolled(model.scorer, list(known.values()))
    assert enrolled.what_separates(1, 0, 2) == "the gallery's sets of 1 are told apart, so that it may be neither"
    said = enrolled.what_separates(1, 0, 1)
    assert "more images would tell them apart" in said or "cannot tell them apart" in said
    known["c"] = known["c"] + known["a"][[0, 1]]
    assert Enrolled(model.scorer, list(known.values())).what_separates(5, 0, 2) == (
        "they share 2 enrolled images: leave these out of one"
    )
    same = Enrolled(model.scorer, [source(rng, 40, np.zeros(6)) for _ in "abcde"])
    said = [same.what_separates(5, i, j) for i in range(5) for j in range(i)]
    assert np.mean(["this gallery cannot tell them apart (" in one for one in said]) >= 0.8


def test_exchangeability_is_asked_in_units_of_what_was_learned(model, rng):
    known = {name: source(rng, 40) for name in "abc"}
    enrolled, probe = Enrolled(model.scorer, list(known.values())), source(rng, 20)
    expected = exchangeable(*(model.scorer.whiten(own.values) for own in (known["b"], probe)))
    assert enrolled.exchangeability(probe, 1) == expected
    for scorer in (model.scorer, LDA()):
        enrolled = Enrolled(scorer, list(known.values()))
        assert enrolled.exchangeability(source(rng, 20), 0) < 0.05
        assert enrolled.exchangeability(known["a"], 0) > 0.9


def test_a_scorer_that_has_learned_nothing_rejects_one_own_probe_in_twenty(rng):
    """Of few images, linear discriminants fitted to the enrolled ones alone would call nearly all others strangers."""
    size, sources, enrolled, asked = 100, 4, 16, 10
    mixing = np.linalg.qr(rng.normal(size=(size, size)))[0] * np.geomspace(1, 0.01, size)  # most variance in a few
    values = []
    for _ in range(40):
        drawn = rng.normal(size=(sources, 1, size)) + rng.normal(size=(sources, enrolled + asked, size)) @ mixing.T
        gallery = Enrolled(LDA(), [given(own[:enrolled]) for own in drawn])
        values += [gallery.exchangeability(given(own[enrolled:]), i) for i, own in enumerate(drawn)]
    for level in (0.05, 0.2, 0.5):
        assert (np.array(values) <= level).mean() <= level + 2.6 * (level * (1 - level) / len(values)) ** 0.5
    assert (np.array(values) <= 0.5).mean() > 0.35


MOVED, OTHER = Named("moved"), Named("other")


def in_conditions(rng, model, images=20, sources=3, **more):
    """A gallery of which the features after two processings are given, and its sources."""
    known = {}
    for i in range(sources):
        own = source(rng, images)
        after = {MOVED: own.values + 5, OTHER: own.values - 5}
        known["abcdefgh"[i]] = given(own.values, digests=own.digests, conditions=after)
    return EnrolledIn(model, known, **more), known


def test_it_is_had_in_the_condition_that_is_asked_for(model, rng):
    enrolled, known = in_conditions(rng, model)
    assert enrolled(None) is enrolled.original  # of no more images than are kept
    assert (enrolled.original.condition, enrolled.original.names) == ("original", ("a", "b", "c"))
    moved = enrolled(MOVED)
    assert (moved.condition, moved.names) == ("moved", ("a", "b", "c"))
    for own, name in zip(moved.fingerprints, known, strict=True):
        assert np.allclose(own.values, known[name].values + 5)


def test_in_a_condition_it_is_of_the_images_that_are_kept(model, rng):
    enrolled, known = in_conditions(rng, model, images=KEPT + 8)
    told = []
    moved = enrolled(MOVED, told.append)
    assert sum(told) == 3 * KEPT
    for made in (moved, enrolled(None)):
        assert [len(own) for own in made.fingerprints] == [KEPT] * 3
        for own, name in zip(made.fingerprints, known, strict=True):
            assert set(own.digests) == set(sorted(known[name].digests)[:KEPT])
    assert [len(own) for own in enrolled.original.fingerprints] == [KEPT + 8] * 3


def test_what_was_made_is_kept_for_the_last_few_conditions(model, rng):
    enrolled, known = in_conditions(rng, model)
    asked = known["a"].originals[0].asked
    first = enrolled(MOVED)
    assert enrolled(MOVED) is first
    assert len(asked) == 1
    for i in range(_HELD - 1):
        enrolled(Named(f"{i}"))
        assert enrolled(MOVED) is first  # in use
    assert len(asked) == _HELD
    enrolled(Named("0"))
    assert len(asked) == _HELD  # as many are held
    enrolled(Named("one more"))
    enrolled(Named("1"))  # not used for longest
    assert len(asked) == _HELD + 2


def test_what_a_probe_was_compared_with_is_found_again_by_its_name(model, rng):
    enrolled, _ = in_conditions(rng, model, images=40)
    assert enrolled.called("moved") is enrolled.original  # not asked for yet
    moved, _ = enrolled(MOVED), enrolled(None)
    assert enrolled.called("moved") is moved
    assert enrolled.called("original") is enrolled.original
    assert [len(own) for own in enrolled.called("original").fingerprints] == [40] * 3


def test_a_source_without_originals_leaves_the_original_condition_alone(model, rng):
    enrolled, known = in_conditions(rng, model)
    probe = given(known["a"].values + 5.01, "probe")
    assert enrolled.candidates([probe]) == list(CONDITIONS.values())
    bare = {**known, "b": replace(known["b"], originals=())}
    for gallery in (EnrolledIn(model, bare), EnrolledIn(model, known, conditions=False)):
        assert gallery.candidates([probe]) == []
        assert gallery.match([probe])[0] is gallery.original


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["the same files", "other images"])
def test_a_source_that_is_enrolled_twice_leaves_the_threshold_as_it_is(model, rng, kind):
    sources = {f"{i}": source(rng, 80) for i in range(12)}
    known = {name: own[np.arange(32)] for name, own in sources.items()}
    twin = known["3"] if kind == "the same files" else sources["3"][np.arange(32, 64)]
    plain, twinned = Identifier(model, known, rate=0.1), Identifier(model, {**known, "copy": twin}, rate=0.1)
    assert [group for group in twinned.enrolled.original.twins.groups if len(group) > 1] == [[3, 12]]
    threshold, size = plain.threshold(10)
    assert twinned.threshold(10) == (pytest.approx(threshold, abs=0.1), size)
    answer = twinned.identify(sources["3"][np.arange(64, 74)], grown=False)
    assert answer.decision == INCONCLUSIVE
    assert "3 and copy are the same" in answer.reason or "copy and 3 are the same" in answer.reason
    told = "they share 32 files" if kind == "the same files" else "no test tells their enrolled images apart"
    assert f"as far as anybody can tell: {told}" in answer.reason
    others = {name: sources[name][np.arange(64, 74)] for name in ("0", "1", "5", "7", "9", "11")}
    found = {name: twinned.identify(other, grown=False).source for name, other in others.items()}
    assert found == {name: plain.identify(other, grown=False).source for name, other in others.items()}
    assert sum(name == source for name, source in found.items()) >= 4
    # Twins count as one: twelve sources support one in thirteen, and no less.
    few = Identifier(model, {**known, "copy": twin}, rate=0.01)
    assert few.identify(others["5"], grown=False).evidence.rate == pytest.approx(1 / 13)


def test_twins_make_no_third_source(model, rng):
    two = {name: source(rng, 20) for name in "ab"}
    assert Identifier(model, {**two, "copy": two["a"]}).threshold(5) is None


def test_conditions_are_of_the_twins_that_were_seen_in_the_original(model, rng):
    known = {name: source(rng, 30, 4 * rng.normal(size=6)) for name in "abcd"}
    same = {Named("blurred"): rng.normal(size=(30, 6))}  # all are alike there
    with_originals = {n: given(own.values, digests=own.digests, conditions=same) for n, own in known.items()}
    enrolled = EnrolledIn(replace(model), with_originals)
    assert len(enrolled(Named("blurred")).twins) == 4
