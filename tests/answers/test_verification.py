"""Verification: thresholds from a population, and what both sets went through."""

from dataclasses import replace

import numpy as np
import pytest

from genprint.answers.verification import verify
from genprint.images.sets import ImageSetError
from genprint.model import Model
from genprint.scoring.lda import LDA
from genprint.scoring.population import ReferencePopulation
from tests.conftest import Given, Named, drawn_digests, given, model_of_sources

DIM, SQUEEZE = 24, Named("squeeze")


@pytest.fixture
def model():
    """One whose scorer is known: within is the identity, between four times that."""
    return model_of_sources(4 * np.eye(DIM))


def images(rng, centre, count=40):
    return given(centre + rng.normal(size=(count, DIM)), digests=drawn_digests(rng, count))


def sources(rng, count, common=0.0):
    """Sources about a point that all have in common, hard to tell apart; squeezed, all lie far off."""
    made = {}
    for i in range(count):
        own = images(rng, common + 0.3 * rng.normal(size=DIM))
        made[f"s{i}"] = given(own.values, f"s{i}", own.digests, conditions={SQUEEZE: 6 + 0.3 * own.values})
    return made


def halves(whole):
    return whole[np.arange(20)], whole[np.arange(20, 40)]


def test_errors_are_as_rare_as_stated_on_fresh_sources(model, rng):
    population = ReferencePopulation.fit(model.plda, sources(rng, 60), "sixty", rate=0.1)
    pairs = [halves(own) for own in sources(rng, 60).values()]
    answers = np.array([[verify(model, a, b, population).decision for _, b in pairs] for a, _ in pairs])
    own = np.eye(60, dtype=bool)
    assert (answers[~own] == "same").mean() < 0.12
    assert (answers[own] == "different").mean() < 0.15
    assert (answers[own] == "same").mean() > 0.5
    assert population.rate == 0.1


def test_what_a_population_has_in_common_is_no_sign_of_one_source(model, rng):
    near, far = (ReferencePopulation.fit(model.plda, sources(rng, 40, common), "") for common in (0.0, 2.0))
    a, b = (halves(own)[0] for own in sources(rng, 2, 2.0).values())
    by_near, by_far = (verify(model, a, b, population) for population in (near, far))
    assert by_near.evidence.similarity == by_far.evidence.similarity
    assert by_near.evidence.same_above < by_near.evidence.similarity < by_far.evidence.same_above
    # nor has a population of other sources anything to say of them
    assert (by_near.evidence.typical, by_near.decision) == (False, "inconclusive")
    assert by_far.evidence.typical


def test_one_odd_source_does_not_make_strangers_typical(model, rng):
    made = sources(rng, 40)
    made["odd"] = images(rng, 2.0)
    population = ReferencePopulation.fit(model.plda, made, "forty and an odd one")
    # what two sources have in common may be what both went through
    a, b = (halves(own)[0] for own in sources(rng, 2, 1.5).values())
    found = verify(model, a, b, population)
    assert found.evidence.similarity > found.evidence.same_above
    assert (found.evidence.typical, found.decision) == (False, "inconclusive")


def test_sets_that_went_through_something_are_judged_by_what_did(model, rng, monkeypatch):
    monkeypatch.setattr("genprint.scoring.population._RULED_OUT", 10.0)
    population = ReferencePopulation.fit(model.plda, sources(rng, 40), "forty", conditions=(SQUEEZE,))
    a, b = (halves(own)[0] for own in sources(rng, 2).values())
    before, after = (
        verify(model, own[0], own[1], population) for own in ((a, b), (a.under(SQUEEZE), b.under(SQUEEZE)))
    )
    assert (before.evidence.conditions, after.evidence.conditions) == (("original",), ("squeeze",))
    assert before.evidence.similarity < after.evidence.similarity < after.evidence.same_above
    # one of them alone: what they differ in is not their source's
    mixed = verify(model, a, b.under(SQUEEZE), population)
    assert not mixed.evidence.one_condition
    assert mixed.decision == "inconclusive"
    assert mixed.llr is None
    assert set(mixed.evidence.conditions) == {"original", "squeeze"}
    assert mixed.evidence.same_above == max(before.evidence.same_above, after.evidence.same_above)


def test_thresholds_follow_the_size_of_both_sets(model, rng):
    population = ReferencePopulation.fit(model.plda, sources(rng, 40), "forty")
    own = sources(rng, 1)["s0"]
    small, large = own[np.arange(2)], own[np.arange(2, 22)]
    found = verify(model, small, large, population)
    levels = population.thresholds[0, population.sizes.index(2) : population.sizes.index(20) + 1]
    assert found.evidence.same_above == levels[:, 1].max()
    assert found.evidence.different_below == levels[:, 0].min()
    assert -np.log(40) <= found.llr <= np.log(40)


def test_the_answer_says_who_was_compared_and_by_whom(model, rng):
    population = ReferencePopulation.fit(model.plda, sources(rng, 40), "forty made-up sources")
    (a, b), (c, _) = (halves(own) for own in sources(rng, 2).values())
    found = verify(replace(model, population=population), a, b)  # the model's own population
    assert found == verify(model, a, b, population)
    assert (found.left, found.right, found.images) == ("s0", "s0", (20, 20))
    assert (found.population, found.sources, found.rate) == ("forty made-up sources", 40, 0.05)
    assert "forty made-up sources" in found.hd
    assert found.verdict == f"s0 (20 images), s0 (20 images): {found.decision}"
    turned = verify(model, b, a, population)
    assert (turned.decision, turned.llr, turned.evidence) == (found.decision, found.llr, found.evidence)
    assert verify(model, a, c, population).right == "s1"


def test_sets_that_cannot_be_verified_are_refused(model, rng):
    population = ReferencePopulation.fit(model.plda, sources(rng, 4), "four")
    a, b = halves(images(rng, 0.0))
    with pytest.raises(ImageSetError, match="in both"):
        verify(model, a, a, population)
    with pytest.raises(ValueError, match="no reference population"):
        verify(model, a, b)
    with pytest.raises(ValueError, match="scorer is a PLDA, not LDA"):
        verify(Model(Given(), LDA()), a, b, population)


def test_of_too_few_images_nothing_is_said(model, rng):
    two = {f"s{i}": images(rng, float(i), 3) for i in range(30)}
    population = ReferencePopulation.fit(model.plda, two, "of three images each")
    assert population.sizes == (1,)
    a, b = halves(images(rng, 0.0))
    found = verify(model, a, b, population)
    assert found.evidence.same_above is not None
