"""Groups of one source each, their number not given."""

import numpy as np
import pytest

from genprint.scoring.agglomeration import Points, agglomerate
from genprint.scoring.grouping import LEAST, Pile, group
from genprint.scoring.plda import PLDA

PARTS, SIZE = 2, 60


@pytest.fixture(scope="module")
def plda():
    return PLDA(np.zeros(PARTS * SIZE), np.stack([np.eye(SIZE)] * PARTS), np.stack([9 * np.eye(SIZE)] * PARTS))


def drawn(rng, counts, apart=3.0):
    """Images of sources of so many images each, and whose they are."""
    centres = apart * rng.normal(size=(len(counts), PARTS * SIZE))
    owners = np.repeat(np.arange(len(counts)), counts)
    return centres[owners] + rng.normal(size=(len(owners), PARTS * SIZE)), owners


def test_groups_and_strays_are_found(plda, rng):
    features, owners = drawn(rng, [30, 20, 12, 8, 1, 1])
    found = group(plda, features)
    assert found.groups == 4
    for k, count in enumerate((30, 20, 12, 8)):  # the largest first
        assert (found.labels == k).sum() == count
        assert len(set(owners[found.labels == k])) == 1
    assert (found.labels[owners >= 4] == -1).all()
    assert (found.nearest[owners >= 4] >= 0).all()
    assert found.probability[owners < 4].min() > found.probability[owners >= 4].max()
    off = ~np.eye(4, dtype=bool)
    assert (found.llr[off] < 0).all()


def test_the_order_of_images_is_of_no_matter(plda, rng):
    features, _ = drawn(rng, [12, 9, 5])
    order = rng.permutation(len(features))
    one, other = group(plda, features), group(plda, features[order])
    assert (one.labels[order] == other.labels).all()
    assert other.at == pytest.approx(one.at[order], abs=1e-3)


@pytest.mark.parametrize("images", [1, LEAST - 1])
def test_few_images_are_strays(plda, rng, images):
    found = group(plda, rng.normal(size=(images, PARTS * SIZE)))
    assert (found.groups, found.labels.tolist(), found.at.shape) == (0, [-1] * images, (images, 2))


def test_images_that_are_all_alike(plda):
    found = group(plda, np.ones((6, PARTS * SIZE)))
    assert np.isfinite(found.probability).all()
    assert np.isfinite(found.at).all()


def test_joining_in_rounds_finds_the_same_groups(plda, rng):
    features, owners = drawn(rng, [40, 30, 20, 10], apart=4.0)
    points = Pile.of(plda, features).points()
    at_once, rounds = agglomerate(points), agglomerate(points, most=10)
    for tree in (at_once, rounds):
        assert tree.counts[-1] == len(features)
        last_three = np.zeros(len(features) - 1, bool)
        last_three[-3:] = True
        labels = tree.cut(last_three)
        assert all(len(set(owners[labels == k])) == 1 for k in range(4))
    assert rounds.scatter[-1] == pytest.approx(at_once.scatter[-1], rel=1e-4)


def test_evidence_is_that_of_the_marginals():
    """Against densities of all images at once, whose covariance has the source's in common."""
    rng = np.random.default_rng(0)
    values, between = rng.normal(size=(3, 2)), np.array([2.0, 0.5])
    points = Points(values, between, np.ones(2))

    def density(rows, variance):
        covariance = np.eye(len(rows)) + variance
        _, log_determinant = np.linalg.slogdet(covariance)
        return -(rows @ np.linalg.solve(covariance, rows) + log_determinant) / 2

    expected = sum(density(values[:, i], between[i]) + (values[:, i] ** 2).sum() / 2 for i in range(2))
    assert points.evidence(values.sum(0)[None], np.array([3.0]))[0] == pytest.approx(expected)
