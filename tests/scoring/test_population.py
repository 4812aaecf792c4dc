"""The reference population: what it is made of, and what it is written as."""

import json

import numpy as np
import pytest

from genprint.scoring.population import ReferencePopulation
from tests.answers.test_verification import images, model, sources

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
    made = ReferencePopulation.fit(model.plda, sources(rng, 12, conditions=["squeeze"]), "a dozen")
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


def test_only_conditions_that_all_sources_are_known_in_count(model, rng):
    made = {**sources(rng, 4, conditions=["squeeze"]), "bare": images(rng, 0.0)}
    assert ReferencePopulation.fit(model.plda, made, "").conditions == ("original",)


def test_a_judgement_does_not_depend_on_which_set_comes_first(model, rng):
    population = ReferencePopulation.fit(model.plda, sources(rng, 12), "a dozen")
    a, b = images(rng, 0.0, 30), images(rng, 0.2, 7)
    one, other = population.judge(model.plda, a, b), population.judge(model.plda, b, a)
    assert one == other
    assert one.different_below <= one.same_above
