"""Linear discriminants, against another library and by hand; they know nothing before they see a gallery."""

import numpy as np
import pytest
from sklearn.covariance import oas
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from genprint.scoring.base import ByScorer
from genprint.scoring.lda import LDA, shrunk_covariance
from tests.conftest import given


def test_it_ranks_as_scikit_learns_does(rng):
    spread = rng.normal(size=(5, 5))
    gallery = [given(rng.normal(i, 1, (60, 5)) @ spread) for i in range(4)]
    probes = [given(rng.normal(i % 4, 1, (1, 5)) @ spread) for i in range(80)]
    theirs = LinearDiscriminantAnalysis().fit(np.concatenate([g.values for g in gallery]), np.repeat(np.arange(4), 60))
    ours = ByScorer(LDA()).score(probes, gallery).argmax(1)
    assert (ours == theirs.predict(np.concatenate([p.values for p in probes]))).mean() > 0.9


@pytest.mark.parametrize(("images", "size"), [(20, 5), (10, 30), (400, 4)])
def test_covariance_is_shrunk_as_by_oracle_approximation(rng, images, size):
    values = rng.normal(size=(images, size)) @ rng.normal(size=(size, size))
    covariance = np.cov(values, rowvar=False, bias=True)
    found = shrunk_covariance(covariance, images)
    # Equation 23 of Chen et al. (2010); scikit-learn's estimate has (n + 1)(...) where they have n + 1 - 2 / p.
    trace, square = np.trace(covariance), (covariance**2).sum()
    weight = ((1 - 2 / size) * square + trace**2) / ((images + 1 - 2 / size) * (square - trace**2 / size))
    target = trace / size * np.eye(size)
    assert np.allclose(found, covariance + min(1, weight) * (target - covariance))
    theirs, their_weight = oas(values)
    assert min(1, weight) == pytest.approx(their_weight, rel=0.3)
    assert np.linalg.norm(found - theirs) < 0.15 * np.linalg.norm(theirs - target) + 1e-9
    assert np.trace(found) == pytest.approx(trace)


def test_shrinking_a_covariance_with_little_freedom_leaves_it_round():
    round_ = shrunk_covariance(np.diag([1.0, 3.0]), 0)
    assert np.allclose(round_, 2 * np.eye(2))
    assert np.allclose(shrunk_covariance(np.diag([1.0, 3.0]), 10**9), np.diag([1, 3]), atol=1e-6)


def test_scores_are_mahalanobis_distances_by_the_gallery(rng):
    gallery = [given(rng.normal(i, [1, 2, 3], (300, 3))) for i in range(3)]
    probe = given(rng.normal(0.5, [1, 2, 3], (7, 3)))
    adapted = LDA().adapt(gallery)
    scores = adapted.enroll(gallery).llr([probe])[0]
    within = sum(own.scatter[0] for own in gallery) / (3 * 299)
    for own, score in zip(gallery, scores, strict=True):
        gap = probe.mean - own.mean
        assert score == pytest.approx(-gap @ np.linalg.solve(within, gap) / 2, rel=0.05)
    distances = adapted.distances(gallery)
    gap = gallery[0].mean - gallery[2].mean
    assert distances[0, 2] == pytest.approx(np.sqrt(gap @ np.linalg.solve(within, gap)), rel=0.05)
    assert (np.diag(distances) == 0).all()
    assert (distances == distances.T).all()


def test_images_of_one_source_vary_with_the_identity_once_projected(rng):
    gallery = [given(rng.normal(i, [1, 20, 0.1], (500, 3))) for i in range(3)]
    adapted = LDA().adapt(gallery)
    for own in gallery:
        assert np.allclose(np.cov(adapted.whiten(own.values), rowvar=False), np.eye(3), atol=0.2)


def test_of_parts_it_is_the_mean(rng):
    sets = [rng.normal(i, 1, (40, 6)) for i in range(3)]
    probe = rng.normal(1, 1, (5, 6))
    whole = ByScorer(LDA()).score([given(probe, parts=2)], [given(own, parts=2) for own in sets])
    halves = [
        ByScorer(LDA()).score([given(probe[:, part])], [given(own[:, part]) for own in sets])
        for part in (slice(0, 3), slice(3, 6))
    ]
    assert np.allclose(whole, np.mean(halves, axis=0))


def test_density_is_that_of_a_gaussian(rng):
    from scipy.stats import multivariate_normal

    gallery = [given(rng.normal(i, 1, (200, 3))) for i in range(2)]
    adapted = LDA().adapt(gallery)
    probe = given(rng.normal(size=(6, 3)))
    within = np.linalg.inv(adapted.white[0] @ adapted.white[0].T)
    expected = [multivariate_normal(own.mean, within / 6).logpdf(probe.mean) for own in gallery]
    assert adapted.enroll(gallery).log_density([probe])[0] == pytest.approx(expected)


def test_before_it_sees_a_gallery_it_knows_nothing():
    assert not LDA().learned
    with pytest.raises(ValueError, match="adapt to one first"):
        LDA().whiten(np.zeros((1, 3)))
    assert LDA().adapt([given(np.eye(3))]).learned
