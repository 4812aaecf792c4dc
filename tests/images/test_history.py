"""History: an earlier JPEG is found by pixels alone, and none where there was none."""

import io

import numpy as np
import pytest
from PIL import Image

from genprint.images.decoding import decode
from genprint.images.history import History, history
from genprint.images.processing import Chain, Jpeg, Resize, Shift, WebP
from tests.conftest import encoded
from tests.conftest import pictures as drawn


@pytest.fixture(scope="module")
def pictures():
    return drawn(np.random.default_rng(5), 4)


def done(pictures, *steps):
    return [Chain(steps)(pixels[None])[0] for pixels in pictures]


@pytest.mark.parametrize("quality", [55, 75, 85, 95])
@pytest.mark.parametrize(("down", "right"), [(0, 0), (5, 3), (4, 0)])
def test_the_quality_and_grid_of_a_jpeg_saved_as_png_are_found(pictures, quality, down, right):
    images = done(pictures[:1], Jpeg(quality), Shift(down, right))
    found = history(images)
    assert found.grid == (-down % 8, -right % 8)
    assert found.jpeg == Jpeg(quality)
    assert found.evidence > 1000
    assert np.array_equal(found.processing(pictures[0][None])[0], images[0])  # enrolled images are brought to just that


def test_images_that_were_never_jpegs_have_no_history(pictures):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    flat = np.full((128, 128, 3), 128, np.uint8)
    doubled = [pixels[:96, :96].repeat(2, 0).repeat(2, 1) for pixels in pictures]
    for images in (pictures, pictures[:1], [noise], [flat], doubled, done(pictures, Resize(0.5))):
        found = history(images)
        assert (found.grid, found.jpeg, found.processing) == (None, None, None)
    for saved in (Jpeg(75), Jpeg(90), WebP(27)):
        found = history(done(pictures, saved), saved)
        assert (found.grid, found.processing, found.saved) == (None, None, saved)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_subsampling_is_told_by_chroma(pictures, subsampling):
    assert history(done(pictures[:1], Jpeg(85, subsampling), Shift(1, 2))).jpeg == Jpeg(85, subsampling)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (5, 3), (4, 0)])
def test_a_jpeg_before_a_better_one_is_found(pictures, down, right):
    last = Jpeg(92)
    found = history(done(pictures, Jpeg(75), Shift(down, right), last), last)
    assert found.grid == (-down % 8, -right % 8)
    assert abs(found.jpeg.quality - 75) <= 2
    cut = f"shift {down},{right}, " if down or right else ""
    assert found.processing.name == f"{found.jpeg.name}, {cut}JPEG 92"


def test_a_jpeg_before_a_webp_is_found(pictures):
    saved = io.BytesIO()
    before = done(pictures, Jpeg(60), Shift(5, 3))
    Image.fromarray(before[0]).save(saved, "WEBP", quality=85)
    last = WebP(decode("x", saved.getvalue()).facts.quantiser)
    found = history(done(before, last), last)
    assert found.grid == (3, 5)
    assert abs(found.jpeg.quality - 60) <= 2


def test_many_images_say_more_than_one(pictures):
    images = done(pictures, Jpeg(75), Shift(5, 3), Jpeg(90))
    one, all_ = history(images[:1], Jpeg(90)), history(images, Jpeg(90))
    assert all_.evidence > 2 * one.evidence
    assert (one.images, all_.images) == (1, 4)


def test_images_may_be_of_different_sizes_and_tiny_ones_say_nothing(pictures):
    images = done(pictures, Jpeg(80))
    mixed = [images[0][:100], images[1][:, :50], images[2][:16, :16], images[3]]
    found = history(mixed)
    assert (found.images, found.grid, found.jpeg) == (3, (0, 0), Jpeg(80))
    assert history([images[0][:31]]) == history([]) == History(0)


def test_a_grid_may_be_known_without_the_quality():
    assert History(3, None, (1, 2), None, 50.0).processing is None
    assert History(3, Jpeg(90), (0, 0), Jpeg(70)).processing == Chain((Jpeg(70), Jpeg(90)))
    assert History(3, None, (0, 0), Jpeg(70)).processing == Jpeg(70)


def test_a_saved_file_is_read_as_what_it_was_before(pictures):
    """From bytes to history, as a caller does."""
    jpeg = encoded(Image.fromarray(pictures[0]), "JPEG", quality=88, subsampling=0)
    png = encoded(Image.open(io.BytesIO(jpeg)).crop((2, 7, 260, 230)))
    found = history([decode("x", png).pixels])
    assert (found.grid, found.jpeg) == ((1, 6), Jpeg(88, "4:4:4"))
