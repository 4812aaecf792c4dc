"""PLDA against formulas written out, and on data with a known answer."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import eigh
from scipy.stats import multivariate_normal

from genprint.fingerprints.fingerprint import Fingerprint, by_part
from genprint.fingerprints.moments import Moments
from genprint.scoring.base import ByScorer
from genprint.scoring.lda import LDA
from genprint.scoring.plda import PLDA
from tests.conftest import given, model_of_sources


def fingerprint(values: np.ndarray, name: str = "", parts: int = 1) -> Fingerprint:
    """Of given features, kept to all their digits."""
    centred = by_part(values - values.mean(0), parts)
    moments = Moments(len(values), values.mean(0), centred.swapaxes(1, 2) @ centred)
    return Fingerprint(name, None, (), parts=parts, moments=moments)


def moments(count: int, mean: np.ndarray, within: np.ndarray) -> Fingerprint:
    """A set of so many images that vary as they should."""
    return Fingerprint("", None, (), moments=Moments(count, mean, (count - 1) * within[None]))


def scored(scorer, probes, gallery):
    return ByScorer(scorer).score(probes, gallery)


def normal(rng: np.random.Generator, mean: np.ndarray, covariance: np.ndarray, n: int) -> np.ndarray:
    """Draws; NumPy's own way, by singular vectors, gives others on other processors, for these have no signs."""
    return rng.multivariate_normal(mean, covariance, n, method="cholesky")


@pytest.fixture
def model(rng):
    return made_up(rng)


def made_up(rng, parts=1):
    within, between = (own @ own.swapaxes(1, 2) for own in rng.normal(size=(2, parts, 4, 4)))
    return PLDA(rng.normal(size=4 * parts), within + np.eye(4), 3 * between + np.eye(4))


def test_plda_is_the_ratio_of_joint_gaussians(model, rng):
    probe, known = fingerprint(rng.normal(size=(3, 4)), "p"), fingerprint(rng.normal(size=(7, 4)), "g")
    (w,), (b,) = model.adapt([known]).within, model.between
    both = np.concatenate([probe.mean, known.mean])
    apart = np.block([[b + w / 3, np.zeros((4, 4))], [np.zeros((4, 4)), b + w / 7]])
    shared = apart + np.block([[np.zeros((4, 4)), b], [b, np.zeros((4, 4))]])
    mean = np.tile(model.mean, 2)
    expected = multivariate_normal(mean, shared).logpdf(both) - multivariate_normal(mean, apart).logpdf(both)
    # less what it adds to the squared distance that the known images vary more, or less, than within says
    gain = b @ np.linalg.inv(b + w / 7)
    predicted = b - gain @ b + w / 3
    spread = np.trace(np.linalg.solve(w, known.scatter[0])) / (7 - 1) / 4
    expected += (spread - 1) / 7 * np.trace(np.linalg.solve(predicted, gain @ w @ gain.T)) / 2
    assert scored(model, [probe], [known])[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize("few", [1, 4, 8])
def test_sources_with_few_images_keep_their_probes(rng, few):
    """Sources lie far nearer each other than the scorer believes, as models trained on the same data do."""
    size, sources, most = 200, 8, 100
    model = PLDA(np.zeros(size), np.eye(size)[None], np.eye(size)[None])
    right = []
    for _ in range(20):
        centres = rng.normal(0, 1, size) + rng.normal(0, 0.5, (sources, size))
        gallery = [
            fingerprint(centre + rng.normal(size=(few if i % 2 else most, size))) for i, centre in enumerate(centres)
        ]
        probes = [fingerprint(centre + rng.normal(size=(10, size))) for centre in centres]
        right.append(scored(model, probes, gallery).argmax(1) == np.arange(sources))
    small, large = np.mean(right, axis=0)[1::2].mean(), np.mean(right, axis=0)[::2].mean()
    assert large > 0.95
    assert small > {1: 0.6, 4: 0.9, 8: 0.95}[few]


def test_sources_of_images_that_vary_more_are_no_farther(rng):
    model = PLDA(np.zeros(4), np.eye(4)[None], 9 * np.eye(4)[None])
    centre, few = rng.normal(0, 3, 4), 4
    ratios, uncorrected = [], []
    for _ in range(2000):
        known = [fingerprint(centre + spread * rng.normal(size=(few, 4))) for spread in (1, 3)]
        probe = [fingerprint(centre + rng.normal(size=(8, 4)))]
        posterior = model.enroll(known)
        ratios.append(posterior.llr(probe)[0])
        plain = replace(posterior.gaussians, noise=np.zeros_like(posterior.gaussians.noise))
        uncorrected.append(replace(posterior, gaussians=plain).llr(probe)[0])
    calm, varied = np.mean(ratios, axis=0)
    assert varied == pytest.approx(calm, abs=0.5)
    calm, varied = np.mean(uncorrected, axis=0)
    assert varied < calm - 5


def test_a_learned_spread_is_narrowed_to_thrice_that_of_the_gallery(rng):
    model = made_up(rng, parts=2)
    drawn = [scale * normal(rng, np.zeros(4), own, 60) for scale, own in zip((3, 0.1), model.within, strict=True)]
    images = np.concatenate(drawn, axis=1)
    gallery = [fingerprint(own, parts=2) for own in (images[:30], images[30:])]
    kept, narrowed = replace(model, prior_images=1e6).adapt(gallery).within / model.within
    for own, variance in ((kept, 1), (narrowed, 3 * 0.01)):
        assert np.allclose(own, own[0, 0], rtol=1e-2)  # the shape stays
        assert own[0, 0] == pytest.approx(variance, rel=0.3)
    # Nothing is known of how single images vary, and of those that do not, only that it is little.
    assert model.adapt([fingerprint(images[:1], parts=2)]) is model
    same = model.adapt([fingerprint(np.ones((3, 8)), parts=2)])
    assert (np.linalg.eigvalsh(same.within) > 0).all()


def test_parts_are_views_of_the_same_images(rng):
    model = made_up(rng, parts=2)
    sets = [[rng.normal(size=(n, 8)) for n in sizes] for sizes in ((3, 1), (7, 20))]
    whole = scored(model, *([fingerprint(own, parts=2) for own in some] for some in sets))
    apart = []
    for i in range(2):
        own = slice(4 * i, 4 * i + 4)
        one = PLDA(model.mean[own], model.within[[i]], model.between[[i]])
        apart.append(scored(one, *([fingerprint(values[:, own]) for values in some] for some in sets)))
    assert np.allclose(whole, np.mean(apart, axis=0))
    weighted = scored(
        replace(model, weights=np.array([1.0, 3.0])), *([fingerprint(own, parts=2) for own in some] for some in sets)
    )
    assert np.allclose(weighted, (apart[0] + 3 * apart[1]) / 4)


def test_plda_recovers_the_covariances(rng):
    between, within = np.diag([4.0, 1.0]), np.array([[1.0, 0.5], [0.5, 2.0]])
    means = normal(rng, np.array([1, -1]), between, 4000)
    sets = [fingerprint(normal(rng, mean, within, 8)) for mean in means]
    fitted = PLDA.fit(sets)
    assert np.allclose(fitted.within[0], within, atol=0.1)
    assert np.allclose(fitted.between[0], between, atol=0.3)


def test_ratios_are_the_same_along_all_directions(model, rng):
    sets = [rng.normal(size=(n, 4)) for n in (3, 7)]
    directions = model.directions()
    along = model.along(directions)
    assert np.allclose(along.within[0], np.eye(4), atol=2e-3)
    whole = scored(model, *([fingerprint(own)] for own in sets))
    seen = scored(along, *([fingerprint((own - model.mean) @ directions[0])] for own in sets))
    assert seen == pytest.approx(whole)
    assert along.prior_images == model.prior_images
    assert model.along(directions[:, :, :2]).between.shape == (1, 2, 2)


def test_scores_rise_with_evidence(model, rng):
    w = np.linalg.cholesky(model.within[0])
    centres = normal(rng, model.mean, model.between[0] * 4, 5)
    draw = lambda i, n: fingerprint(centres[i] + rng.normal(size=(n, 4)) @ w.T)  # noqa: E731
    gallery = [draw(i, 50) for i in range(5)]
    for scorer in (model, LDA()):
        right = [np.mean([scored(scorer, [draw(i, n)], gallery)[0].argmax() == i for i in range(5) for _ in range(40)])
                 for n in (1, 30)]  # fmt: skip
        assert right[1] > 0.95
        assert right[1] >= right[0]


def test_distances_are_short_within_a_source_and_long_between(model, rng):
    w = np.linalg.cholesky(model.within[0])
    centres = normal(rng, model.mean, model.between[0] * 4, 6)
    sets = [fingerprint(centre + rng.normal(size=(50, 4)) @ w.T) for centre in centres for _ in range(2)]
    apart = model.distances(sets) + np.diag(np.full(12, np.inf))
    assert (apart.argmin(1) == np.arange(12) ^ 1).all()  # the other half of the same source
    assert apart[np.isfinite(apart)].max() <= 2


def test_distances_by_hand(rng):
    size = 5
    within, between = (np.cov(rng.normal(size=(size, 20))) + np.eye(size) for _ in range(2))
    counts = (4, 9, 30)
    prints = [moments(n, rng.normal(size=size), within) for n in counts]
    mean = rng.normal(size=size)
    found = PLDA(mean, within[None], between[None]).distances(prints)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        # Cosines do not depend on the basis: whitened by each one's total covariance along the discriminants.
        values, basis = eigh(between, within)
        one, other = (basis.T @ (own.mean - mean) / np.sqrt(values + 1 / own.count) for own in (prints[i], prints[j]))
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        assert found[i, j] == pytest.approx((2 - 2 * cosine) ** 0.5)
    assert (np.diag(found) == 0).all()
    assert (found == found.T).all()


def test_density_is_that_of_the_gaussian(rng):
    size, count, images = 4, 3, 7
    within, between = (m @ m.T + np.eye(size) for m in rng.normal(size=(2, size, size)))
    plda = PLDA(rng.normal(size=size), within[None], between[None])

    known, asked = rng.normal(size=(2, size))
    gain = between @ np.linalg.inv(between + within / images)
    expected = multivariate_normal(
        plda.mean + gain @ (known - plda.mean), between - gain @ between + within / count
    ).logpdf(asked)  # fmt: skip
    assert plda.enroll([moments(images, known, within)]).log_density([moments(count, asked, within)])[
        0, 0
    ] == pytest.approx(expected)


def test_similarity_is_the_cosine_of_discriminants_scaled_by_all_variance(rng):
    plda = model_of_sources(4 * np.eye(24)).plda
    a, b = (given(centre + rng.normal(size=(n, 24))) for centre, n in ((1.0, 8), (-0.5, 5)))
    x, y = (own.values.astype(float).mean(0) / np.sqrt(4 + 1 / len(own)) for own in (a, b))
    expected = x @ y / np.linalg.norm(x) / np.linalg.norm(y)
    assert plda.similarity([a], [b]).item() == pytest.approx(expected)
    assert plda.distances([a, b])[0, 1] ** 2 == pytest.approx(2 - 2 * expected)


def test_distances_are_of_the_scorer_as_it_is(model, rng):
    sets = [fingerprint(rng.normal(i, 1, (9, 4))) for i in range(3)]
    assert not np.allclose(model.distances(sets), model.adapt(sets).distances(sets))
    assert np.allclose(ByScorer(model).distances(sets), model.adapt(sets).distances(sets))


def test_white_features_are_those_of_the_joint_diagonalisation_but_for_a_rotation(rng):
    model = made_up(rng, parts=2)
    features = rng.normal(size=(9, 8))
    white, along = model.whiten(features), model.project(features)
    for own in (slice(0, 4), slice(4, 8)):
        assert np.allclose(white[:, own] @ white[:, own].T, along[:, own] @ along[:, own].T)


def test_images_say_the_same_of_sources_as_their_moments(rng):
    model = made_up(rng, parts=2)
    sources = [given(rng.normal(3 * i, 1 + i, (n, 8)), parts=2) for i, n in enumerate((12, 1, 20))]
    probes = [given(rng.normal(size=(n, 8)), parts=2) for n in (1, 5, 5)]
    piles = [source.pooled() for source in sources]
    adapted = model.adapt(sources)
    assert np.allclose(adapted.within, model.adapt(piles).within)
    one, other = adapted.enroll(sources), adapted.enroll(piles)
    assert np.allclose(one.llr(probes), other.llr(probes), rtol=1e-5)
    assert np.allclose(one.log_density(probes), other.log_density(probes), rtol=1e-5)


def test_the_volume_is_that_of_the_joint_diagonalisation(rng):
    model = made_up(rng, parts=2)
    axes = model.project(model.mean + np.eye(8))
    vectors = [axes[own, own] for own in (slice(0, 4), slice(4, 8))]
    assert model.log_volume == pytest.approx(np.linalg.slogdet(vectors)[1].mean())


def test_a_spread_is_not_narrowed_where_a_bound_says_so(rng):
    model = made_up(rng, parts=2)
    for scale in (0.01, 0.1, 0.2, 0.3, 0.35, 0.5, 1, 3):
        root = rng.normal(size=(2, 4, 4))
        for covariance in (scale * model.within, scale * root @ root.swapaxes(1, 2), np.zeros((2, 4, 4))):
            expected = (3 * np.trace(np.linalg.inv(model.within) @ covariance, axis1=1, axis2=2) / 4).clip(0.01, 1)
            assert model._narrowed(covariance) == pytest.approx(expected)


@pytest.mark.parametrize("parts", [1, 2])
def test_differences_in_its_coordinates_go_back_to_features(rng, parts):
    model = made_up(rng, parts)
    one, other = rng.normal(size=(2, 5, 4 * parts))
    assert np.allclose(model.back(model.project(one) - model.project(other)), one - other)


def test_a_probe_about_the_centre_of_all_sources(rng):
    model = replace(made_up(rng, parts=2), weights=np.array([1.0, 3.0]))
    gallery = [replace(given(rng.normal(size=(6, 8)), f"s{i}"), parts=2) for i in range(4)]
    known = model.roughly(gallery)
    means, _ = model.coordinates(gallery)
    assert np.allclose(known.centre, means.mean(0))
    probes, root = [fingerprint(rng.normal(size=(n, 8)), parts=2) for n in (1, 5)], rng.uniform(0.5, 2, 8)
    asked, _ = model.coordinates(probes)
    expected = [
        -np.sum([0.25, 0.75] * (((own - known.centre) / root) ** 2).reshape(2, 4).sum(1)) / (1 / n + 0.3) / 2
        for own, n in zip(asked, (1, 5), strict=True)
    ]
    assert known.about_centre(probes, root) == pytest.approx(np.mean(expected))
    assert known.about_centre(probes[:1], root) == pytest.approx(expected[0])
