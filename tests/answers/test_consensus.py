"""Distances by rank."""

import numpy as np
import pytest

from genprint.answers.consensus import by_rank, consensus, spectra
from genprint.answers.families import FamilyTree
from genprint.baselines.spectrum import MeanSpectrum
from genprint.fingerprints.fingerprint import OriginalsError
from genprint.images.sets import ImageSet
from tests.conftest import textured


def apart_of(positions):
    values = np.asarray(positions, float)
    return np.abs(values[:, None] - values[None])


def test_ranks_are_shares_of_nearer_sources():
    ranks = by_rank(apart_of([0, 1, 10, 12]))
    assert np.array_equal(ranks, ranks.T)
    assert not ranks.diagonal().any()
    # of four, each is the other's nearest; the first is third from the last, and the last from the first
    assert ranks[0, 1] == ranks[2, 3] == pytest.approx(1 / 4)
    assert ranks[0, 3] == pytest.approx(3 / 4)
    assert by_rank(np.ones((3, 3)) - np.eye(3))[0, 1] == pytest.approx(1.5 / 3)  # ties have their mean rank


def test_units_do_not_matter(rng):
    one, other = (apart_of(rng.normal(size=9)) for _ in range(2))
    assert np.allclose(consensus([one, other]), consensus([1e6 * one, other**3]))
    assert np.allclose(consensus([one, one]), by_rank(one))


def test_sources_that_are_added_change_nothing_between_others(rng):
    points = rng.normal(size=12)
    whole, known = by_rank(apart_of(points), 9), by_rank(apart_of(points[:9]))
    assert np.allclose(whole[:9, :9], known)
    assert np.allclose(whole, whole.T)


def test_spectra_are_those_of_the_peer_in_the_order_of_the_images(rng, small_model):
    images = ImageSet.from_array(textured(rng, 5), "a")
    (made,) = spectra([small_model.fingerprint(images)])
    peer = MeanSpectrum().extract(images)
    colours = peer.values.reshape(5, 3, -1)
    assert made.digests == peer.digests
    assert np.allclose(made.values.reshape(5, 3, -1), colours, atol=1e-4)
    larger = small_model.fingerprint(ImageSet.from_array(textured(rng, 2, side=48), "b"))
    both = spectra([small_model.fingerprint(images), larger])
    assert both[0].values.shape[1] == both[1].values.shape[1]
    with pytest.raises(OriginalsError, match="b: no original"):
        spectra([larger.pooled()])


def test_a_tree_of_the_consensus(rng, small_model):
    grains = (2.0, 2.0, 2.0, 30.0, 30.0, 30.0)
    known = [small_model.fingerprint(ImageSet.from_array(textured(rng, 12, grain=grain), f"s{i}"))
             for i, grain in enumerate(grains)]  # fmt: skip
    tree = FamilyTree.of(small_model.scorer, known, support=5, spectrum=True)
    assert list(tree.cut(2).values()) in ([1, 1, 1, 2, 2, 2], [2, 2, 2, 1, 1, 1])
    assert tree.distances.max() <= 1
    assert tree.support[-1] == 1
    again = FamilyTree.of(small_model.scorer, known[:-1], support=5, add=known[-1:], spectrum=True)
    assert list(again.cut(2).values()) == list(tree.cut(2).values())
