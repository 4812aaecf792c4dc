"""Agreement of trees with known labels, on trees whose answer is plain."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.linalg import eigh
from typer.testing import CliRunner

from genprint.answers.families import FamilyTree, grouped, locally_scaled, resampled
from genprint.baselines.content import ColourQuantiles
from genprint.cli import app
from genprint.encoder.encoder import SetEncoder
from genprint.evaluation.families import agreement, distances, kinship
from genprint.fingerprints.fingerprint import Features, Fingerprint
from genprint.gallery.store import Gallery
from genprint.images.sets import ImageSet
from genprint.report.figures import tree_figure
from genprint.scoring.base import LDA, ByFingerprint
from genprint.scoring.conditions import HISTORIES
from genprint.scoring.plda import PLDA

from tests.conftest import textured

ENCODER = SetEncoder.from_pretrained()


def tree_of(positions, method="average"):
    names = [f"s{i}" for i in range(len(positions))]
    values = np.asarray(positions, float)
    return FamilyTree.build(names, np.abs(values[:, None] - values[None]), method)


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
    sets = [Features(rng.normal(i, 1, (30, 5)).astype(np.float32), ("",) * 30) for i in (0, 1, 5)]
    apart = distances(ByFingerprint(ColourQuantiles(), LDA()), sets)
    assert np.allclose(apart, apart.T)
    assert (np.diag(apart) == 0).all()
    assert apart[0, 1] < apart[1, 2] < apart[0, 2]


def test_support_counts_the_trees_that_have_a_branch():
    tree = tree_of([0, 1, 10])
    other = tree_of([0, 10, 9]).distances  # here s1 and s2 are the pair
    supported = tree.with_support([tree.distances, tree.distances, tree.distances, other])
    assert supported.support == (0.75, 1.0)
    assert supported.newick() == "(s2:9.5,(s0:1,s1:1)75:8.5)100;"
    texts = {text.get_text() for text in supported.plot(Figure().subplots()).texts}
    assert texts == {"75", "100"}


def test_resampling_draws_halves(rng):
    sets = [Features(rng.normal(i, 1, (20, 2)).astype(np.float32), ("",) * 20) for i in range(3)]
    drawn = list(resampled(sets, lambda own: np.stack([part.values.mean(0) for part in own]), 5))
    assert len(drawn) == 5
    assert len({part.tobytes() for part in drawn}) == 5
    assert next(resampled(sets, lambda own: np.array([len(part) for part in own]), 1)).tolist() == [10, 10, 10]
    assert all(np.abs(part - np.array([[0], [1], [2]])).max() < 1.5 for part in drawn)


def test_a_tree_of_many_sources_is_written_and_drawn_without_recursion():
    tree = tree_of(np.arange(1200))
    comb = [[0, 1, 1, 2], *([i, 1198 + i, i, i + 1] for i in range(2, 1200))]  # as deep as it has leaves
    tree = replace(tree, linkage=np.array(comb, float))
    text = tree.newick()
    assert text.count("(") == text.count(")") == 1199
    assert set(re.findall(r"s\d+", text)) == set(tree.sources)
    figure = tree_figure(tree)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == 60
    assert sum(re.fullmatch(r"s\d+ and 1140 more", label) is not None for label in labels) == 1
    assert tree.to_dict()["distances"] is None


def test_sources_that_lie_far_out_have_kin_too():
    # two families of four: one close together, one spread out and each of it nearer to the first than to its kin
    angles = np.arange(4) * np.pi / 2
    near = np.stack([np.cos(angles), np.sin(angles)], 1)
    spread = np.array([[14.0, 0], [14, 13], [14, -13], [27, 0]])
    points = np.concatenate([near, spread])
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    tree = FamilyTree.build([f"s{i}" for i in range(8)], apart)
    assert len(set(tree.cut(2).values())) == 2
    assert [tree.cut(2)[f"s{i}"] == tree.cut(2)["s0"] for i in range(8)] == [True] * 4 + [False] * 4
    scaled = locally_scaled(apart)
    third = np.sort(apart, axis=1)[:, 3]
    assert scaled[1, 6] == pytest.approx(1 - np.exp(-(apart[1, 6] ** 2) / (third[1] * third[6])))
    assert np.allclose(scaled, scaled.T)
    assert np.array_equal(locally_scaled(apart[:7, :7]), apart[:7, :7])  # so few have no neighbourhoods
    assert np.isfinite(locally_scaled(np.zeros((9, 9)))).all()


def test_groups_of_many_sources(rng):
    centres = np.eye(8, dtype=np.float32)
    owner = rng.integers(8, size=4000)
    vectors = centres[owner] + 0.02 * rng.standard_normal((4000, 8), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [f"s{i}" for i in range(4000)]
    tree, labels = grouped(names, vectors, 40)
    for leaf, own in enumerate(tree.sources):
        members = np.flatnonzero(labels == leaf)
        assert len(set(owner[members])) == 1  # no group has sources of two families
        nearest, _, more = own.partition(" and ")
        assert int(nearest[1:]) in members
        assert len(members) == 1 + int(more.split()[0] if more else 0)
    families = tree.cut(8)
    assert len({(families[tree.sources[label]], own) for label, own in zip(labels, owner, strict=True)}) == 8
    with pytest.raises(ValueError, match="cannot make"):
        grouped(names[:5], vectors[:5], 6)


def test_tree_needs_two_sources():
    with pytest.raises(ValueError, match="two sources"):
        FamilyTree.build(["a"], np.zeros((1, 1)))
    assert "'odd name'" in FamilyTree.build(["odd name", "b"], np.array([[0, 1], [1, 0.0]])).newick()
