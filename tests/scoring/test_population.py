"""The reference population: what it is made of, and what it is written as."""

import json

import numpy as np
import pytest

from genprint.evaluation.verification import by_the_others
from genprint.scoring.population import ReferencePopulation
from tests.answers.test_verification import SQUEEZE, images, model, sources
from tests.conftest import Named

__all__ = ["model"]


def test_a_population_of_few_sources_or_images(model, rng):
    assert ReferencePopulation.fit(model.plda, sources(rng, 4), "four").rate == pytest.approx(1 / 5)
    with pytest.raises(ValueError, match="two or more sources"):
        ReferencePopulation.fit(model.plda, sources(rng, 1), "one")
    with pytest.raises(ValueError, match="s1 has a single image"):
        ReferencePopulation.fit(model.plda, {"s0": images(rng, 0.0), "s1": images(rng, 0.0, 1)}, "")


def test_the_shipped_population_is_real_generators(shipped):
    found = shipped.population
    assert found.sources >= 32
    assert found.conditions[0] == "original"
    assert {"JPEG 90", "JPEG 15", "blur 1", "grey", "shift 1,1, JPEG 75"} <= set(found.conditions)
    assert found.thresholds.shape == (len(found.conditions), len(found.sizes), 2)
    # where less of the traces is left, sources are more alike
    by_condition = dict(zip(found.conditions, found.thresholds[:, found.sizes.index(10), 1], strict=True))
    assert by_condition["original"] < by_condition["JPEG 90"] < by_condition["JPEG 50"]


def test_what_is_written_of_a_population_is_read_again(model, rng):
    made = ReferencePopulation.fit(model.plda, sources(rng, 12), "a dozen", conditions=(SQUEEZE,))
    written, arrays = json.loads(json.dumps(made.to_dict())), made.arrays()
    again = ReferencePopulation.of(written, arrays)
    assert again.to_dict() == made.to_dict()
    assert (again.sizes, again.conditions) == ((1, 2, 5, 10, 20), ("original", "squeeze"))
    for name, values in made.arrays().items():
        assert np.array_equal(again.arrays()[name], values)
    a, b = images(rng, 0.0), images(rng, 0.0)
    assert again.judge(model.plda, a, b) == made.judge(model.plda, a, b)
    # as it was written before 0.2
    old = {**{k: v for k, v in written.items() if k != "conditions"}, "states": ["none", "squeeze"]}
    assert ReferencePopulation.of(old, arrays).to_dict() == made.to_dict()


def test_conditions_are_those_that_are_asked_for(model, rng):
    made, told = sources(rng, 4), []
    plain = ReferencePopulation.fit(model.plda, made, "four")
    assert plain.conditions == ("original",)
    assert not [one for own in made.values() for one in own.originals[0].asked]  # no image is read again
    both = (SQUEEZE, Named("nothing"))
    found = ReferencePopulation.fit(model.plda, made, "four", conditions=both, progress=told.append)
    assert found.conditions == ("original", "squeeze", "nothing")
    assert sum(told) == 4 * 40 * 2
    for values in found.arrays().values():
        assert len(values) == 3
        assert np.allclose(values[0], values[2])  # as they were
    assert np.allclose(found.centres[0], plain.centres[0])
    assert not np.allclose(found.centres[0], found.centres[1])


def test_in_conditions_it_is_of_the_images_whose_originals_are_at_hand(model, rng):
    made = sources(rng, 4)
    more = {name: own + images(rng, 9.0, 160) for name, own in made.items()}  # without originals
    plain = ReferencePopulation.fit(model.plda, more, "")
    found = ReferencePopulation.fit(model.plda, more, "", conditions=(SQUEEZE,))
    expected = ReferencePopulation.fit(model.plda, made, "", conditions=(SQUEEZE,))
    assert found.sizes == expected.sizes != plain.sizes
    assert np.allclose(found.centres, expected.centres)
    assert not np.allclose(found.centres[0], plain.centres[0], atol=1)
    with pytest.raises(ValueError, match="a population needs two or more sources of two or more images each: bare"):
        ReferencePopulation.fit(model.plda, {**made, "bare": images(rng, 0.0)}, "", conditions=(SQUEEZE,))


def test_each_pair_may_be_judged_by_the_others_in_conditions(model, rng):
    made = sources(rng, 5)
    judged = by_the_others(model, made, conditions=(SQUEEZE,))("s0", "s3")
    assert (judged.sources, judged.conditions) == (3, ("original", "squeeze"))
    assert by_the_others(model, made)("s0", "s3").conditions == ("original",)


def test_it_says_how_well_each_condition_explains_sets(model, rng):
    population = ReferencePopulation.fit(model.plda, sources(rng, 12), "a dozen", conditions=(SQUEEZE,))
    (own,) = sources(rng, 1).values()
    found = population.explained(model.plda, [own, own.under(SQUEEZE), own[[0]]])
    assert found.shape == (2, 3)
    assert found.argmax(0).tolist() == [0, 1, 0]
    # what it is moved by is found again in the units of features
    moved = model.plda.back(population.centres - population.centres[0])
    assert np.allclose(moved[0], 0)
    assert np.allclose(moved[1], 6, atol=0.3)


def test_a_judgement_does_not_depend_on_which_set_comes_first(model, rng):
    population = ReferencePopulation.fit(model.plda, sources(rng, 12), "a dozen")
    a, b = images(rng, 0.0, 30), images(rng, 0.2, 7)
    one, other = population.judge(model.plda, a, b), population.judge(model.plda, b, a)
    assert one == other
    assert one.different_below <= one.same_above
