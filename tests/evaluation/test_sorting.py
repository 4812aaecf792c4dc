"""Piles to be sorted, and how well they were."""

import numpy as np
import pytest

from genprint.evaluation.sorting import Sorting, even, few, grow, learn, piled, uneven, varied
from genprint.scoring.plda import PLDA


def test_a_pile_that_is_sorted_right():
    truth = np.array([0, 0, 0, 1, 1, 1, 2])
    found = Sorting.of(truth, np.array([1, 1, 1, 0, 0, 0, -1]))
    assert (found.ari, found.nmi, found.groups, found.sources) == (1, pytest.approx(1), 2, 2)
    assert (found.pure, found.strays, found.lost) == (1, 1, 0)


def test_strays_count_as_groups_of_one():
    truth = np.array([0, 0, 0, 0, 1, 2])
    found = Sorting.of(truth, np.array([0, 0, 0, -1, 0, -1]))
    assert (found.pure, found.strays, found.lost) == (0.75, 0.5, 0.25)
    assert found.ari < 0.5


def test_uneven_piles(rng):
    counts = dict.fromkeys(map(str, range(25)), 80)
    drawn = uneven(counts, rng)
    sizes = [len(rows) for _, rows in drawn]
    assert sizes[:2] == [60, 20]
    assert sizes[-10:] == [1] * 10
    assert all(3 <= size <= 5 for size in sizes[2:-10])
    assert len({name for name, _ in drawn}) == len(drawn)
    fewer = uneven(dict.fromkeys(counts, 40), rng)
    assert len(fewer[0][1]) <= 40
    with pytest.raises(ValueError, match="too few"):
        uneven({"one": 100, "two": 100}, rng)


@pytest.mark.parametrize("draw", [even, few, varied])
def test_other_piles(rng, draw):
    features = {str(i): np.full((70, 2), i) for i in range(12)}
    rows, truth = piled(features, draw({name: len(own) for name, own in features.items()}, rng))
    assert len(rows) == len(truth)
    for number in np.unique(truth):
        assert len(np.unique(rows[truth == number])) == 1


def test_rules_are_learned(rng):
    size = 40
    plda = PLDA(np.zeros(size), np.eye(size)[None], 4 * np.eye(size)[None])
    world = {str(i): 2 * rng.normal(size=size) + rng.normal(size=(70, size)) for i in range(20)}
    rules = learn(list(grow(plda, [world], 2, 0, lambda: None)))
    assert (len(rules.split), len(rules.belongs), len(rules.member)) == (6, 3, 5)
    assert rules.split[1] > 0  # the farther apart, the likelier two sources
    assert rules.belongs[1] > 0  # the likelier here than of an unknown source
    assert rules.member[1] > 0  # the likelier here than elsewhere
