"""Agreement of trees with known labels, and distance with kinship, on trees whose answer is plain."""

import numpy as np
import pytest

from genprint.evaluation.families import agreement, kinship
from genprint.scoring.base import ByScorer
from genprint.scoring.lda import LDA
from tests.answers.test_families import tree_of
from tests.conftest import given


def test_a_tree_that_follows_its_labels():
    tree = tree_of([0, 1, 2, 10, 11, 12, 30, 31, 32])
    labels = {f"s{i}": "abc"[i // 3] for i in range(9)}
    found = agreement(tree, labels)
    assert (found.ami, found.ari, found.purity) == (1, 1, 1)
    assert found.k == 3
    assert found.cophenetic > 0.5
    assert found.p < 0.01


def test_a_tree_that_knows_nothing_of_its_labels():
    tree = tree_of([0, 1, 10, 11, 20, 21])
    found = agreement(tree, {f"s{i}": "ab"[i % 2] for i in range(6)})
    assert found.ari < 0.1
    assert found.p > 0.5


def test_purity_by_hand():
    # ((s0 s1) s2): the one pair of equals meets at s0 s2, below which all three lie; two of them are 'a'.
    assert agreement(tree_of([0, 1, 5]), {"s0": "a", "s1": "b", "s2": "a"}).purity == pytest.approx(2 / 3)


def test_labels_have_to_be_there_and_to_differ():
    tree = tree_of([0, 1, 5])
    with pytest.raises(ValueError, match="s2"):
        agreement(tree, {"s0": "a", "s1": "b"})
    with pytest.raises(ValueError, match="same label"):
        agreement(tree, dict.fromkeys(tree.sources, "a"))


def test_kinship_orders_pairs():
    about = {
        "a-s0": {"class": "gan", "architecture": "a", "parent": ""},
        "a-s0-int8": {"class": "gan", "architecture": "a", "parent": "a-s0"},
        "a-s1": {"class": "gan", "architecture": "a", "parent": ""},
        "b-s0": {"class": "gan", "architecture": "b", "parent": ""},
        "c-s0": {"class": "vae", "architecture": "c", "parent": ""},
    }
    at = np.array([0, 0.1, 1, 5, 50])
    found = kinship(list(about), np.abs(at[:, None] - at[None]), about)
    assert found.pairs == {"descendant": 1, "seed": 1, "architecture": 3, "class": 4}
    assert list(found.mean) == ["descendant", "seed", "architecture", "class"]
    assert sorted(found.mean.values()) == list(found.mean.values())
    assert found.order > 0.9


def test_distances_of_any_comparer_are_symmetric(rng):
    sets = [given(rng.normal(i, 1, (30, 5))) for i in (0, 1, 5)]
    apart = ByScorer(LDA()).distances(sets)
    assert np.allclose(apart, apart.T)
    assert (np.diag(apart) == 0).all()
    assert apart[0, 1] < apart[1, 2] < apart[0, 2]
