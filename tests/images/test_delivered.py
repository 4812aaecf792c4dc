"""Delivered: what images are after they were sent on."""

import numpy as np
import pytest

from genprint.images.delivered import Delivered
from genprint.images.processing import Jpeg, Scale, Shift, WebP
from genprint.images.sets import ImageSet
from tests.conftest import textured


@pytest.fixture
def images(rng):
    return ImageSet.from_array(textured(rng, 5), "images")


def after(images, processing, chosen=slice(None)):
    digests = frozenset([one.sha256 for one in images][chosen])
    return ImageSet("delivered", Delivered(images, digests, processing), "delivered")


def test_what_was_saved_is_a_file_that_says_how_and_has_the_pixels_of_the_processing(images):
    for processing in (Jpeg(75), Jpeg(90, "4:4:4"), WebP(40)):
        found = list(after(images, processing))
        for one, before in zip(found, images, strict=True):
            assert (one.pixels == processing(before.pixels[None])[0]).all()
            assert one.name == before.name
    facts = [one.facts for one in after(images, Jpeg(75))]
    assert {(one.format, one.quality, one.subsampling) for one in facts} == {("JPEG", 75, "4:2:0")}


def test_what_was_cut_or_made_smaller_is_pixels_of_no_file(images):
    for processing, shape in ((Shift(1, 3), (31, 29, 3)), (Scale(0.5), (16, 16, 3))):
        for one, before in zip(after(images, processing), images, strict=True):
            assert one.facts is None
            assert one.pixels.shape == shape
            assert (one.pixels == processing(before.pixels[None])[0]).all()


def test_only_the_images_that_were_chosen_are_delivered(images):
    some = after(images, Jpeg(75), slice(1, 3))
    assert some.count == 2
    assert [one.name for one in some] == ["images[1]", "images[2]"]


def test_nothing_is_read_before_its_turn(images):
    members = iter(after(images, Shift(0, 1)).members)
    _, read = next(members)
    assert isinstance(read(), np.ndarray)
