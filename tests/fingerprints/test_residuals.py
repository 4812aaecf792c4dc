"""Front ends against other implementations and by hand."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from genprint.fingerprints.residuals import FRONT_ENDS, front_end, high_pass, log_spectrum, median_residual
from tests.conftest import textured


@pytest.fixture
def pixels(rng):
    return torch.from_numpy(textured(rng, 3)).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_shape_type_and_independence(name, pixels):
    whole = front_end(name)(pixels)
    assert whole.shape == pixels.shape
    assert whole.dtype == torch.float32
    assert torch.allclose(front_end(name)(pixels[1:2])[0], whole[1], atol=1e-4)


def test_high_pass_is_what_scipy_says(pixels):
    taps = np.array([0.25, 0.5, 0.25])
    image = pixels[0, 0].numpy()
    expected = image - ndimage.convolve(image, np.outer(taps, taps), mode="mirror")
    assert np.allclose(high_pass(pixels)[0, 0].numpy(), expected, atol=1e-3)


def test_median_residual_by_hand():
    pixels = torch.zeros(1, 3, 16, 16)
    pixels[0, :, 8, 8] = 50.0
    assert median_residual(pixels)[0, 0, 8, 8] == 50
    assert median_residual(pixels).sum() == 150


def test_spectrum_of_a_checkerboard_is_one_peak():
    board = 128 + 10 * (-1.0) ** (torch.arange(32).view(-1, 1) + torch.arange(32).view(1, -1))
    spectrum = log_spectrum(board.expand(1, 3, 32, 32))
    assert spectrum[0, 0].argmax() == 0  # both frequencies at their largest
    assert (spectrum[0, 0] > 1).sum() == 1


def test_unknown_front_end_lists_those_there_are():
    with pytest.raises(KeyError, match="high_pass"):
        front_end("nothing")
