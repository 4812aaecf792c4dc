"""Peers against their formulas, written out or from another library."""

import numpy as np
import pytest
import torch
from scipy.fft import dct
from scipy.linalg import sqrtm
from sklearn.linear_model import Ridge

from genprint.baselines.c2st import ClassifierTwoSample, left_out_margin
from genprint.baselines.classifier import Classifier, RawPixels, as_pixels
from genprint.baselines.covariance import NeighbourhoodCovariance
from genprint.baselines.dnadet import DNANetwork, patchwise
from genprint.baselines.durall import radial_spectrum
from genprint.baselines.dzanic import SpectrumDecay
from genprint.baselines.frank import LogDCT
from genprint.baselines.frechet import Frechet, frechet_distance
from genprint.baselines.kernel import MMD
from genprint.baselines.manifpt import NearestReal
from genprint.baselines.mccloskey import Saturation
from genprint.baselines.nataraj import CoOccurrence
from genprint.baselines.vote import Vote
from genprint.baselines.wang import blur_and_jpeg
from genprint.baselines.yu import YuNetwork
from genprint.evaluation.methods import METHODS
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.residuals import high_pass, to_pixels
from genprint.images.sets import ImageSet, ImageSetError
from genprint.scoring.base import Comparer
from tests.conftest import given, textured


def wave(period: float, side: int = 32) -> np.ndarray:
    return np.cos(2 * np.pi * np.arange(side) / period)[None, None, :].repeat(side, 1)


def test_a_wave_is_all_of_its_ring():
    profile = radial_spectrum(100 + 50 * wave(4))[0]
    assert profile[1:].argmax() + 1 == 8  # 32 pixels hold 8 periods of 4
    expected = np.log(2 * (50 * 32 * 32 / 2) ** 2 / (np.hypot(*np.mgrid[-16:16, -16:16]).round() == 8).sum())
    assert profile[8] == pytest.approx(expected - np.log((100 * 32 * 32) ** 2), rel=1e-5)


def test_decay_of_a_spectrum_that_follows_a_power_law(rng):
    fy, fx = np.fft.fftfreq(64), np.fft.fftfreq(64)
    radius = np.hypot(fy[:, None], fx[None]).clip(1 / 64)
    noise = np.fft.fft2(rng.normal(size=(200, 64, 64)))
    images = np.fft.ifft2(noise * radius**-1.5).real
    grey = torch.from_numpy(images.astype(np.float32))[:, None].repeat(1, 3, 1, 1)
    assert SpectrumDecay().describe(grey)[:, 1].mean() == pytest.approx(-3, abs=0.1)  # power goes as amplitude squared


def test_dct_of_frank(rng):
    images = textured(rng, 2, side=16)
    grey = images.astype(float) @ [0.299, 0.587, 0.114]
    expected = dct(dct(grey, axis=1, norm="ortho"), axis=2, norm="ortho")
    assert np.allclose(
        LogDCT().describe(to_pixels(images)).reshape(2, 16, 16), np.log(np.abs(expected) + 0.01), atol=1e-2
    )


def test_saturation_counts():
    image = np.full((1, 16, 16, 3), 128, np.uint8)
    image[0, :4, :, 0] = 255
    image[0, :8, :, 2] = 2
    shares = Saturation().describe(to_pixels(image))[0].reshape(2, 5, 3)
    assert shares[0, 0].tolist() == [0.25, 0, 0]
    assert shares[1, :, 2].tolist() == [0, 0, 0.5, 0.5, 0.5]


def test_co_occurrence_of_stripes():
    image = np.zeros((1, 16, 16, 3), np.uint8)
    image[:, :, 1::2] = 255
    pairs = CoOccurrence().describe(to_pixels(image))[0].reshape(3, 16, 16) ** 2
    assert pairs[0, 0, 15] == pytest.approx(8 / 15)
    assert pairs[0, 15, 0] == pytest.approx(7 / 15)
    assert pairs.sum() == pytest.approx(3)


def test_covariance_is_numpys(rng):
    pixels = to_pixels(textured(rng, 1, side=16))
    residual = (8 * torch.tanh(high_pass(pixels) / 8))[0].numpy()
    around = np.stack([residual[:, y : y + 14, x : x + 14] for y in range(3) for x in range(3)], axis=1)
    expected = np.cov(around.reshape(27, -1), bias=True)
    assert np.allclose(NeighbourhoodCovariance().describe(pixels)[0], expected[np.triu_indices(27)], atol=1e-3)


def test_frechet_distance_of_gaussians(rng):
    a, b = (m @ m.T + np.eye(3) for m in rng.normal(size=(2, 3, 3)))
    mean, other = rng.normal(size=(2, 3))
    root = sqrtm(sqrtm(a) @ b @ sqrtm(a))  # the other way of writing it
    expected = np.square(mean - other).sum() + np.trace(a + b - 2 * root)
    assert frechet_distance(mean, a, other, b) == pytest.approx(expected)
    assert frechet_distance(mean, a, mean, a) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kernel", ["cubic", "rbf"])
def test_mmd_is_the_sum_over_pairs(kernel, rng):
    gallery = [given(rng.normal(i, 1, (12, 4))) for i in range(3)]
    probe = given(rng.normal(1, 1, (5, 4)))
    scale = np.concatenate([g.values for g in gallery]).astype(float).std(0) + 1e-6
    flat = np.concatenate([g.values / scale for g in gallery])
    gaps = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    width = np.median(gaps[np.triu_indices(36, 1)])

    def k(x, y):
        return (x @ y / 4 + 1) ** 3 if kernel == "cubic" else np.exp(-((x - y) ** 2).sum() / (2 * width**2))

    expected = []
    for known in gallery:
        g, p = known.values / scale, probe.values / scale
        cross = np.mean([k(x, y) for x in p for y in g])
        own = np.mean([k(g[i], g[j]) for i in range(12) for j in range(12) if i != j])
        alone = np.mean([k(p[i], p[j]) for i in range(5) for j in range(5) if i != j])
        expected.append(2 * cross - own - alone)
    assert np.allclose(MMD(kernel).score([probe], gallery)[0], expected, rtol=1e-4)


@pytest.mark.parametrize("comparer", [Frechet(), MMD(), MMD("rbf"), ClassifierTwoSample()])
def test_distances_find_the_source_and_take_single_images(comparer, rng):
    gallery = [given(rng.normal(i, 1, (40, 6))) for i in range(3)]
    probes = [given(rng.normal(i, 1, (20, 6))) for i in range(3)]
    assert comparer.score(probes, gallery).argmax(1).tolist() == [0, 1, 2]
    assert np.isfinite(comparer.score([given(rng.normal(0, 1, (1, 6)))], gallery)).all()


def test_a_vote_counts_images_and_breaks_ties_by_score():
    class Fixed(Comparer):
        def _score(self, probes, gallery):
            return np.stack([probe.values[0] for probe in probes]).astype(float)

    two = Vote(Fixed()).score([given([[1, 0], [3, 4], [1, 0]]), given([[1, 0], [0, 5]])], [given([[0]])] * 2)
    assert two.argmax(1).tolist() == [0, 1]
    assert two[0, 0] > 2 / 3 > two[0, 1] >= 1 / 3


@pytest.mark.parametrize("comparer", [Frechet(), MMD(), MMD("rbf"), ClassifierTwoSample()])
def test_distances_between_sets_put_the_nearest_together(comparer, rng):
    apart = comparer.distances([given(rng.normal(centre, 1, (200, 1))) for centre in (0, 1, 4, 6)])
    assert np.allclose(apart, apart.T)
    assert apart[0, 1] == min(apart[np.triu_indices(4, 1)]) > 0
    assert apart[0, 3] > apart[0, 2] > apart[0, 1]


def made_of(images) -> Fingerprint:
    return RawPixels().extract(ImageSet.from_array(images, "set"))


@pytest.mark.parametrize("name", ["yu", "wang", pytest.param("dnadet", marks=pytest.mark.slow)])
def test_learned_peers_learn_their_gallery(name, rng):
    learned = METHODS[name].comparer(None)
    learned.steps = 30
    gallery, probes = (
        [made_of(textured(rng, 16, side=16) // 4 + np.array(tint, np.uint8)) for tint in np.eye(3) * 180]
        for _ in range(2)
    )
    scores = learned.score(probes, gallery)
    assert scores.argmax(1).tolist() == [0, 1, 2]
    alone = learned.score([probes[0][[i]] for i in range(16)], gallery)
    assert np.allclose(scores[0], alone.mean(0), atol=1e-5)  # mean log-probability


def test_learned_peers_learn_a_gallery_once(rng):
    calls = []

    def make(sources):
        calls.append(sources)
        return YuNetwork(sources)

    learned = Classifier(make, steps=2)
    one, two, three = (made_of(textured(rng, 6)) for _ in range(3))
    learned.score([one], [one, two])
    learned.score([two], [one, two])
    learned.score([two], [one, three])
    assert calls == [2, 2]


def test_raw_pixels_come_back(rng):
    images = textured(rng, 3, side=20)
    assert torch.equal(as_pixels(made_of(images)), to_pixels(images))


def test_augmentation_of_wang_blurs_and_compresses(rng):
    pixels = to_pixels(textured(rng, 64))
    changed = blur_and_jpeg(pixels, rng)
    kept = [torch.equal(a, b) or torch.equal(a, b.flip(2)) for a, b in zip(changed, pixels, strict=True)]
    assert changed.shape == pixels.shape
    assert 4 < sum(kept) < 32  # a quarter goes through neither
    assert high_pass(changed).abs().mean() < high_pass(pixels).abs().mean()


def test_patchwise_loss_is_that_of_its_parts(rng):
    torch.manual_seed(0)
    network, pixels, sources = (
        DNANetwork(2).eval(),
        to_pixels(textured(rng, 6, side=16)),
        torch.tensor([0, 0, 0, 1, 1, 1]),
    )
    torch.manual_seed(1)
    corners = torch.randint(0, 9, (12, 2)).tolist()
    torch.manual_seed(1)
    loss = patchwise(network, pixels, sources)
    pixels, sources = pixels.repeat(2, 1, 1, 1), sources.repeat(2)
    parts = torch.stack([p[:, y : y + 8, x : x + 8] for p, (y, x) in zip(pixels, corners, strict=True)])
    pooled = network.body(parts / 127.5 - 1).mean((2, 3))
    vectors = torch.nn.functional.normalize(network.project(pooled), dim=1)
    alike = (vectors @ vectors.T / 0.07).exp().fill_diagonal_(0)
    log_shares = (alike / alike.sum(1, keepdim=True)).log()
    contrast = -torch.stack(
        [log_shares[i][[j for j in range(12) if j != i and sources[j] == sources[i]]].mean() for i in range(12)]
    ).mean()
    expected = contrast + torch.nn.functional.cross_entropy(network.head(pooled), sources)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_margins_leave_each_image_out(rng):
    a, b = rng.normal(0, 1, (7, 3)), rng.normal(1, 1, (12, 3))
    values, signs = np.concatenate([a, b]), np.repeat([1.0, -1.0], [7, 12])
    weights = np.repeat([19 / 14, 19 / 24], [7, 12])
    margins = []
    for i in range(19):
        rest = np.arange(19) != i
        model = Ridge(alpha=2.0).fit(values[rest], signs[rest], weights[rest])
        margins.append(model.predict(values[[i]])[0] * signs[i])
    expected = (np.mean(margins[:7]) + np.mean(margins[7:])) / 2
    assert left_out_margin(a, b, ridge=2.0) == pytest.approx(expected)


def test_artifact_of_manifpt_is_the_difference_to_the_nearest_real_image(rng):
    real, images = textured(rng, 30, side=16), textured(rng, 5, side=16)
    images[0] = real[7]
    for space in ("rgb", "frequency"):
        front = NearestReal(space).fit([ImageSet.from_array(real, "real")], ["real"])
        found = as_pixels(front.extract(ImageSet.from_array(images, "x"))).numpy()
        for image, artifact in zip(images, found, strict=True):
            own, others = (to_pixels(x).numpy().astype(float) for x in (image[None], real))
            if space == "frequency":
                own, others = (np.log1p(np.abs(np.fft.fftshift(np.fft.fft2(x), axes=(2, 3)))) for x in (own, others))
            nearest = others[np.square(own - others).sum((1, 2, 3)).argmin()]
            expected = 127.5 + (own[0] - nearest) * (0.5 if space == "rgb" else 32)
            assert np.allclose(artifact, expected, atol=0.05)
        assert np.allclose(found[0], 127.5, atol=0.05)
        again = NearestReal(space).fit([ImageSet.from_array(real[:20], "real")], ["real"])
        assert again.extractor_id != front.extractor_id  # features follow from the real images too
    with pytest.raises(ImageSetError, match="not of the real images' size"):
        front.extract(ImageSet.from_array(textured(rng, 2, side=32), "x"))


def test_without_real_images_the_manifold_is_not_known():
    with pytest.raises(ValueError, match="compares with real images"):
        METHODS["manifpt_rgb"].reader(None, None)
