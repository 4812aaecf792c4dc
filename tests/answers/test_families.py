"""Family trees whose answer is plain."""

import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from genprint.answers.families import FamilyTree, locally_scaled
from genprint.answers.grouping import grouped
from genprint.answers.resampling import bootstrapped, halves
from genprint.report.figures import tree_figure
from genprint.scoring.lda import LDA
from tests.conftest import given, model_of_sources


def tree_of(positions, method="average"):
    names = [f"s{i}" for i in range(len(positions))]
    values = np.asarray(positions, float)
    return FamilyTree.build(names, np.abs(values[:, None] - values[None]), method)


def test_support_counts_the_trees_that_have_a_branch():
    tree = tree_of([0, 1, 10])
    other = tree_of([0, 10, 9]).distances  # here s1 and s2 are the pair
    supported = tree.with_support([tree.distances, tree.distances, tree.distances, other])
    assert supported.support == (0.75, 1.0)
    assert supported.newick() == "(s2:9.5,(s0:1,s1:1)75:8.5)100;"
    texts = {text.get_text() for text in supported.plot(Figure().subplots()).texts}
    assert texts == {"75", "100"}


def test_resampling_draws_halves(rng):
    sets = [given(rng.normal(i, 1, (20, 2))) for i in range(3)]
    told = []
    drawn = list(halves(sets, 5, 0, told.append))
    assert len(drawn) == len(told) == 5
    means = [np.stack([part.mean for part in parts]) for parts in drawn]
    assert len({own.tobytes() for own in means}) == 5
    for parts in drawn:
        assert [len(part) for part in parts] == [10, 10, 10]
        assert all(len(set(part.digests)) == 10 for part in parts)  # none twice
    assert all(np.abs(own - np.array([[0], [1], [2]])).max() < 1.5 for own in means)
    assert [len(part) for part in next(iter(halves([sets[0][[0]]], 1, 0, None)))] == [1]


def test_the_bootstrap_varies_as_halves_do_and_counts_as_many(rng):
    source = given(rng.normal(0, 1, (40, 3)))
    spread = {}
    for kind in (bootstrapped, halves):
        drawn = [parts[0] for parts in kind([source], 2000, 1)]
        spread[kind] = np.stack([part.mean for part in drawn]).var(0)
        assert {len(part) for part in drawn} == {20}
        assert np.mean([part.variance.mean() for part in drawn]) == pytest.approx(source.variance.mean(), rel=0.1)
    assert spread[bootstrapped] == pytest.approx(source.variance / 40, rel=0.15)
    assert spread[halves] == pytest.approx(spread[bootstrapped], rel=0.2)
    same = next(iter(bootstrapped([given(np.ones((1, 2)))], 1, 0)))[0]
    assert len(same) == 1
    assert same.mean.tolist() == [1, 1]


def test_families_are_supported_branches(rng):
    points = np.concatenate([centre + rng.normal(0, 0.1, (4, 2)) for centre in ((0, 0), (9, 0), (0, 9))])
    names = [f"s{i}" for i in range(12)]
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    tree = FamilyTree.build(names, apart).with_support([apart, apart])
    assert list(tree.families().values()) == [1] * 4 + [2] * 4 + [3] * 4
    with pytest.raises(ValueError, match="with support"):
        FamilyTree.build(names, apart).families()
    # no branch is in most trees any more
    other = apart[:, order := rng.permutation(12)][order]
    unsure = FamilyTree.build(names, apart).with_support([apart, other, apart[::-1, ::-1].copy()])
    assert len(set(unsure.families(0.9).values())) > 3
    assert tree.cophenetic > 0.9
    assert FamilyTree.build(["a", "b"], np.array([[0, 1], [1, 0.0]])).cophenetic is None


@pytest.mark.parametrize("method", ["average", "complete", "single"])
def test_sources_are_added_where_the_linkage_would_have_put_them(method, rng):
    points = np.concatenate([centre + rng.normal(0, 1, (5, 2)) for centre in ((0, 0), (30, 0), (0, 40))])
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    names = [f"s{i}" for i in range(15)]
    old = FamilyTree.build(names, apart, method).with_support([apart])
    far = np.array([[0.5, 0.5], [30, 1.0], [400, 400]])
    every = np.concatenate([points, far])
    whole = np.linalg.norm(every[:, None] - every[None], axis=2)
    new = old.adding(["near", "right", "nobody's"], whole, [whole, whole])
    assert new.sources == (*names, "near", "right", "nobody's")
    assert new.added == ("near", "right", "nobody's")
    families = new.cut(4)
    assert families["near"] == families["s0"]
    assert families["right"] == families["s5"]
    assert sum(family == families["nobody's"] for family in families.values()) == 1
    assert new.support == (1.0,) * 17
    # what was there stays: without the new leaves, its branches and their heights are those of before
    heights = {leaves & set(range(15)): row[2] for leaves, row in zip(new.branches(), new.linkage, strict=True)}
    for leaves, row in zip(old.branches(), old.linkage, strict=True):
        assert leaves in heights
        assert row[2] in new.linkage[:, 2]
    assert (np.diff(new.linkage[:, 2]) >= 0).all()
    assert new.newick().count(",") == 17
    with pytest.raises(ValueError, match="already in the tree: s3"):
        old.adding(["s3"], whole[:16, :16])
    with pytest.raises(ValueError, match="rows and columns"):
        old.adding(["x"], apart)


def test_adding_a_source_that_was_left_out_puts_it_back(rng):
    points = np.concatenate([centre + rng.normal(0, 1, (5, 2)) for centre in ((0, 0), (30, 0), (0, 40))])
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    names = [f"s{i}" for i in range(15)]
    whole = set(FamilyTree.build(names, apart).cut(3).items())
    back = FamilyTree.build(names[:-1], apart[:-1, :-1]).adding(names[-1:], apart)
    assert set(back.cut(3).items()) == whole
    with pytest.raises(ValueError, match="ward"):
        FamilyTree.build(names[:-1], apart[:-1, :-1], "ward").adding(names[-1:], apart)


@pytest.mark.parametrize("scorer", [model_of_sources(4 * np.eye(6)).scorer, LDA()])
def test_a_tree_is_of_the_distances_that_the_adapted_scorer_sees(scorer, rng):
    centres = [np.full(6, centre) for centre in (-4.0, -4.0, 4.0, 4.0)]
    sources = [given(centre + rng.normal(size=(30, 6)), f"s{i}") for i, centre in enumerate(centres)]
    tree = FamilyTree.of(scorer, sources, support=7)
    assert tree.sources == ("s0", "s1", "s2", "s3")
    assert np.allclose(tree.distances, scorer.adapt(sources).distances(sources))
    assert tree.cut(2)["s0"] == tree.cut(2)["s1"] != tree.cut(2)["s2"] == tree.cut(2)["s3"]
    assert tree.support == (1, 1, 1)
    assert FamilyTree.of(scorer, sources).support is None
    assert FamilyTree.of(scorer, sources, "ward").method == "ward"
    added = FamilyTree.of(scorer, sources[:3], support=7, add=sources[3:])
    assert added.added == ("s3",)
    assert added.cut(2)["s2"] == added.cut(2)["s3"] != added.cut(2)["s0"]
    assert added.support == (1, 1, 1)
    # moments are enough without support
    assert np.allclose(FamilyTree.of(scorer, [own.pooled() for own in sources]).distances, tree.distances)


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


def test_other_forms_of_the_tree():
    pandas, networkx = pytest.importorskip("pandas"), pytest.importorskip("networkx")
    tree = tree_of([0, 1, 5, 6, 20])
    frame = tree.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.loc["s0", "s4"] == 20
    graph = tree.to_networkx()
    assert networkx.is_arborescence(graph)
    assert {node for node in graph if graph.out_degree(node) == 0} == set(tree.sources)
    (root,) = (node for node in graph if graph.in_degree(node) == 0)
    depths = [networkx.shortest_path_length(graph, root, name, "length") for name in tree.sources]
    assert depths == pytest.approx([tree.linkage[-1, 2]] * 5)  # all leaves lie as deep
