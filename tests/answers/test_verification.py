"""Verification: thresholds from a population, and what both sets went through."""

from dataclasses import replace

import numpy as np
import pytest

from genprint.answers.attribution import verify
from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints.fingerprint import Features
from genprint.scoring.population import Verification

from tests.conftest import encoder_of_sources

DIM = 24


@pytest.fixture
def encoder():
    """One whose scorer is known: within is the identity, between four times that."""
    return encoder_of_sources(4 * np.eye(DIM))


def images(rng, centre, count=40):
    values = (centre + rng.normal(size=(count, DIM))).astype(np.float32)
    return Features(values, tuple(f"{rng.integers(2**60):x}" for _ in range(count)))


def sources(rng, count, common=0.0, after=()):
    """Sources about a point that all have in common, hard to tell apart; after a history all lie far from there."""
    made = {}
    for i in range(count):
        own = images(rng, common + 0.3 * rng.normal(size=DIM))
        changed = {name: (6 + 0.3 * own.values).astype(np.float32) for name in after}
        made[f"s{i}"] = replace(own, after=changed)
    return made


def halves(features):
    return features[np.arange(20)], features[np.arange(20, 40)]


def test_errors_are_as_rare_as_stated_on_fresh_sources(encoder, rng):
    population = Verification.fit(encoder, sources(rng, 60), "sixty", rate=0.1)
    pairs = [halves(own) for own in sources(rng, 60).values()]
    answers = np.array([[verify(encoder, "a", a, "b", b, population).answer for _, b in pairs] for a, _ in pairs])
    own = np.eye(60, dtype=bool)
    assert (answers[~own] == "same").mean() < 0.12
    assert (answers[own] == "different").mean() < 0.15
    assert (answers[own] == "same").mean() > 0.5
    assert population.rate == 0.1


def test_what_a_population_has_in_common_is_no_sign_of_one_source(encoder, rng):
    near, far = (Verification.fit(encoder, sources(rng, 40, common), "") for common in (0.0, 2.0))
    a, b = (halves(own)[0] for own in sources(rng, 2, 2.0).values())
    by_near, by_far = (verify(encoder, "a", a, "b", b, population) for population in (near, far))
    assert by_near.same_above < by_near.likeness == by_far.likeness < by_far.same_above
    # nor has a population of other sources anything to say of them
    assert (by_near.typical, by_near.answer) == (False, "inconclusive")
    assert by_far.typical


def test_one_odd_source_does_not_make_strangers_typical(encoder, rng):
    made = sources(rng, 40)
    made["odd"] = images(rng, 2.0)
    population = Verification.fit(encoder, made, "forty and an odd one")
    # what two sources have in common may be what both went through
    a, b = (halves(own)[0] for own in sources(rng, 2, 1.5).values())
    found = verify(encoder, "a", a, "b", b, population)
    assert found.likeness > found.same_above
    assert (found.typical, found.answer) == (False, "inconclusive")


def test_sets_that_went_through_something_are_judged_by_what_did(encoder, rng, monkeypatch):
    monkeypatch.setattr("genprint.scoring.population._RULED_OUT", 10.0)
    population = Verification.fit(encoder, sources(rng, 40, after=["squeeze"]), "forty")
    a, b = (halves(own)[0] for own in sources(rng, 2, after=["squeeze"]).values())
    before, after = (
        verify(encoder, "a", own[0], "b", own[1], population)
        for own in ((a, b), (a.with_history("squeeze"), b.with_history("squeeze")))
    )
    assert (before.histories, after.histories) == (("none",), ("squeeze",))
    assert before.likeness < after.likeness < after.same_above
    # one of them alone: what they differ in is not their source's
    mixed = verify(encoder, "a", a, "b", b.with_history("squeeze"), population)
    assert not mixed.one_history
    assert mixed.answer == "inconclusive"
    assert mixed.log10_lr is None
    assert set(mixed.histories) == {"none", "squeeze"}
    assert mixed.same_above == max(before.same_above, after.same_above)


def test_thresholds_follow_the_size_of_both_sets(encoder, rng):
    population = Verification.fit(encoder, sources(rng, 40), "forty")
    own = sources(rng, 1)["s0"]
    small, large = own[np.arange(2)], own[np.arange(2, 22)]
    found = verify(encoder, "a", small, "b", large, population)
    levels = population.thresholds[0, population.sizes.index(2) : population.sizes.index(20) + 1]
    assert found.same_above == levels[:, 1].max()
    assert found.different_below == levels[:, 0].min()
    assert -np.log10(40) <= found.log10_lr <= np.log10(40)


def test_a_population_of_few_sources_or_images(encoder, rng):
    assert Verification.fit(encoder, sources(rng, 4), "four").rate == pytest.approx(1 / 5)
    with pytest.raises(ValueError, match="two or more sources"):
        Verification.fit(encoder, sources(rng, 1), "one")
    with pytest.raises(ValueError, match="s1 has a single image"):
        Verification.fit(encoder, {"s0": images(rng, 0.0), "s1": images(rng, 0.0, 1)}, "")


def test_the_shipped_population_is_real_generators():
    shipped = SetEncoder.from_pretrained().verification_
    assert shipped.sources >= 32
    assert shipped.states[0] == "none"
    assert {"JPEG 90", "JPEG 15", "blur 1", "grey", "shift 1,1, JPEG 75"} <= set(shipped.states)
    assert shipped.thresholds.shape == (len(shipped.states), len(shipped.sizes), 2)
    # where less of the traces is left, sources are more alike
    by_state = dict(zip(shipped.states, shipped.thresholds[:, shipped.sizes.index(10), 1], strict=True))
    assert by_state["none"] < by_state["JPEG 90"] < by_state["JPEG 50"]
