"""The permutation test keeps its level, whatever the distribution, and finds what is there."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from genprint.scoring.exchangeability import _PRIOR, _energy, _white, exchangeable


def heavy(rng, n, shift=0.0):
    return rng.standard_t(2, (n, 8)) + shift


@pytest.mark.parametrize(("n", "m"), [(30, 1), (30, 5), (20, 40)])
def test_p_is_uniform_for_one_source(n, m, rng):
    values = np.array([exchangeable(heavy(rng, n), heavy(rng, m), 99, seed) for seed in range(300)])
    for level in (0.05, 0.2, 0.5):
        assert (values <= level).mean() <= level + 2.6 * (level * (1 - level) / 300) ** 0.5
    assert (values <= 0.5).mean() > 0.4


def test_other_sources_are_found_the_better_the_more_images(rng):
    found = [
        np.mean([exchangeable(heavy(rng, 30), heavy(rng, m, 1.0), 99, seed) <= 0.05 for seed in range(60)])
        for m in (2, 10, 40)
    ]
    assert found[0] < found[1] <= found[2]
    assert found[2] > 0.95


def test_a_difference_in_spread_alone_is_found(rng):
    assert exchangeable(rng.normal(0, 1, (60, 4)), rng.normal(0, 3, (60, 4))) < 0.01


def test_energy_distance_by_the_definition(rng):
    values = rng.normal(size=(7, 3))
    apart = np.linalg.norm(values[:, None] - values[None], axis=2)
    chosen = np.array([[1.0, 0, 1, 0, 0, 1, 0]])
    a, b = chosen[0] == 1, chosen[0] == 0
    expected = 2 * apart[np.ix_(a, b)].mean() - apart[np.ix_(a, a)].mean() - apart[np.ix_(b, b)].mean()
    assert _energy(apart, chosen, 3)[0] == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(5, 30), (40, 8)])
def test_whitened_distances_are_those_of_mahalanobis(rng, shape):
    values = rng.normal(size=shape) * np.arange(1, shape[1] + 1)
    scatter = (len(values) - 1) * np.cov(values, rowvar=False)
    covariance = (scatter + _PRIOR * np.eye(shape[1])) / (len(values) + _PRIOR)
    expected = cdist(values, values, "mahalanobis", VI=np.linalg.inv(covariance))
    np.testing.assert_allclose(cdist(_white(values), _white(values)), expected, rtol=1e-6, atol=1e-6)


def test_a_single_image_against_a_single_image_says_nothing():
    assert exchangeable(np.zeros((1, 2)), np.ones((1, 2))) == 1.0
