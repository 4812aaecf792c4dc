"""Self-descriptions against least squares written out, and what they are to find."""

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d, lfilter

from genprint.baselines.self_description import FILTERS, LAGS, SelfDescription, autocorrelation
from genprint.fingerprints.residuals import to_pixels
from genprint.images.sets import ImageSet
from genprint.scoring.base import ByScorer
from genprint.scoring.lda import LDA
from tests.conftest import textured


def repeating(rng: np.random.Generator, count: int, lag: int, weight: float, side: int = 64) -> np.ndarray:
    """Grey images whose pixels follow from those so many columns before."""
    noise = rng.normal(0, 15, (count, side, side + 8 * lag))
    images = lfilter([1], [1, *[0] * (lag - 1), -weight], noise, axis=2)[:, :, -side:]
    return np.repeat((128 + images).round().clip(0, 255)[..., None], 3, axis=3).astype(np.uint8)


def test_predictions_weigh_one_and_never_their_own_pixel():
    for weights in FILTERS:
        assert sum(weights.values()) == pytest.approx(1)
        assert (0, 0) not in weights
    kernels = np.zeros((8, 5, 5))
    for kernel, weights in zip(kernels, FILTERS, strict=True):
        for (y, x), weight in weights.items():
            kernel[2 + y, 2 + x] = weight
    assert np.linalg.matrix_rank(kernels.reshape(8, -1)) == 8


def test_autocorrelation_is_the_sum_over_pairs(rng):
    maps = rng.normal(size=(3, 2, 7, 11))
    found = autocorrelation(torch.from_numpy(maps), 9).numpy()
    for image, own in zip(maps.reshape(6, 7, 11), found.reshape(6, 19, 19), strict=True):
        whole = convolve2d(image, image[::-1, ::-1])  # lags of -6..6 and -10..10
        assert np.allclose(own[3:16], whole[:, 1:20], atol=1e-9)
        assert np.allclose(own[:3], 0, atol=1e-9)


def test_parameters_are_those_of_least_squares(rng):
    image = textured(rng, 1, side=24)
    found = SelfDescription().describe(to_pixels(image))[0].reshape(8, 60)
    grey = image[0].astype(float) @ [0.299, 0.587, 0.114]
    for filtered, weights in zip(found, FILTERS, strict=True):
        residual = grey[2:-2, 2:-2].copy()
        for (y, x), weight in weights.items():
            residual -= weight * grey[2 + y : 22 + y, 2 + x : 22 + x]
        rows, targets, count, power = [], [], 0, 0.0
        for _ in range(3):
            wide = np.pad(residual, 10)  # of zeros; centres outside see residuals too
            across = range(5, len(wide) - 5)
            for y in across:
                for x in across:
                    rows.append([wide[y + i, x + j] + wide[y - i, x - j] for i, j in LAGS])
                    targets.append(wide[y, x])
            count, power = count + residual.size, power + np.square(residual).sum()
            side = len(residual) // 2
            residual = residual[: 2 * side, : 2 * side].reshape(side, 2, side, 2).mean((1, 3))
        seen, targets = np.array(rows), np.array(targets)
        ridge = 2 * count * (1e-3 * power / count + 1e-4)
        expected = np.linalg.solve(seen.T @ seen + ridge * np.eye(60), seen.T @ targets)
        assert np.allclose(filtered, expected, atol=1e-4)


@pytest.mark.parametrize("lag", [3, 4, 5])
def test_it_finds_a_lag_that_was_put_in(lag, rng):
    plain, with_lag = (
        SelfDescription().describe(to_pixels(repeating(rng, 8, lag, weight))).mean(0).reshape(8, 60)
        for weight in (0.0, 0.6)
    )
    more = with_lag - plain
    assert [tuple(LAGS[row.argmax()]) for row in more].count((0, lag)) >= 6  # of eight filters
    at = LAGS.tolist().index([0, lag])
    assert np.median(more[:, at]) > 0.1  # those along the lag see least of it


def test_it_does_not_depend_on_brightness_or_contrast(rng):
    image = textured(rng, 1, side=48) // 2
    plain, brighter, stronger = (SelfDescription().describe(to_pixels(x)) for x in (image, image + 60, image * 2))
    assert np.allclose(brighter, plain, atol=1e-4)
    assert np.allclose(stronger, plain, atol=5e-3)


@pytest.mark.parametrize("shape", [(16, 16), (16, 100), (33, 47)])
def test_it_takes_any_size(shape, rng):
    images = textured(rng, 2, side=max(shape))[:, : shape[0], : shape[1]]
    images[1] = 77  # nothing in it
    found = SelfDescription().extract(ImageSet.from_array(images, "x")).values
    assert found.shape == (2, 480)
    assert np.isfinite(found).all()
    assert np.allclose(found[1], 0, atol=1e-5)
    assert np.abs(found[0]).max() > 0.1


def test_single_images_of_sources_that_repeat_differently_are_told(rng):
    sources = [repeating(rng, 24, lag, 0.4, side=48) for lag in (2, 3, 4, 5)]
    whole = [SelfDescription().extract(ImageSet.from_array(own, "x")) for own in sources]
    gallery = [own[np.arange(12)] for own in whole]
    probes = [own[[i]] for own in whole for i in range(12, 24)]
    right = ByScorer(LDA()).score(probes, gallery).argmax(1) == np.repeat(range(4), 12)
    assert right.mean() > 0.9  # by chance a quarter
