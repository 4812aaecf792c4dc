"""Counts of blocks' cosine coefficients."""

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from genprint.encoder.blocks import BLOCK, LEVELS, STATISTICS, block_statistics
from genprint.encoder.network import SetNetwork
from genprint.encoder.training.pretraining import raw_statistics
from genprint.fingerprints.residuals import to_pixels
from genprint.images.processing import Jpeg

SMALL = {"channels": (8, 8), "features": 16, "front_ends": (("raw",), ("high_pass",))}


def picture(height, width, seed=0):
    return np.random.default_rng(seed).normal(120, 25, (height, width, 3)).clip(0, 255).astype(np.uint8)


def counted(pixels, most=None):
    return block_statistics(pixels, most).reshape(len(LEVELS), BLOCK**2 - 1, 5, 5)


def test_they_are_shares_of_cosine_coefficients_at_each_phase():
    pixels = picture(48, 40)
    luminance = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    places = np.lib.stride_tricks.sliding_window_view(luminance, (BLOCK, BLOCK))[: 5 * BLOCK, : 4 * BLOCK]
    size = np.abs(dctn(places, axes=(2, 3), norm="ortho")).reshape(5, BLOCK, 4, BLOCK, -1)[..., 1:]
    found = counted(pixels)
    for i, level in enumerate(LEVELS):
        by_phase = (size < level).mean((0, 2))
        assert found[i, :, 0, 0] == pytest.approx(by_phase[0, 0], abs=2e-3)  # a block's start has no mirror
        assert found[i, :, 1, 0] == pytest.approx((by_phase[1, 0] + by_phase[7, 0]) / 2, abs=2e-3)
        assert found[i, :, 3, 4] == pytest.approx((by_phase[3, 4] + by_phase[5, 4]) / 2, abs=2e-3)


def test_a_jpeg_shows_at_its_own_phase_alone():
    found = counted(Jpeg(60)(picture(128, 128)[None])[0])[0]
    assert (found[:, 0, 0] - found[:, 2, 3]).mean() > 0.2  # most quantised coefficients are zero
    plain = counted(picture(128, 128))[0]
    assert abs((plain[:, 0, 0] - plain[:, 2, 3]).mean()) < 0.02


def test_fewer_places_are_spread_over_the_image():
    top, bottom = picture(64, 128), picture(64, 128) // 8
    both = np.concatenate([top, bottom])
    most = 4 * BLOCK**2 * 15  # four bands of fifteen
    whole, some = counted(both), counted(both, most)
    assert np.abs(whole - some).mean() < np.abs(whole - counted(top)).mean() / 5


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (16, 200)])
def test_any_size_from_16_px(size):
    found = block_statistics(picture(*size))
    assert found.shape == (STATISTICS,)
    assert ((found >= 0) & (found <= 1)).all()


def test_a_network_with_blocks_has_a_part_for_them():
    plain, network = SetNetwork(**SMALL), SetNetwork(**SMALL, blocks=True).eval()
    assert (plain.parts, network.parts) == (2, 3)
    pixels = to_pixels(np.stack([picture(32, 32, seed) for seed in range(3)]))
    with torch.inference_mode():
        with raw_statistics(network):
            assert network.features(pixels).shape[1] == network.statistics(pixels).shape[1]
        assert network.features(pixels).shape == (3, 32)
    assert network.blocks.in_features == STATISTICS
