"""The header control: distances by hand, and what files are told apart by."""

import numpy as np
import pytest
from PIL import Image

from genprint.baselines.header import Header, NearestHeader
from genprint.images.members import Contents
from genprint.images.processing import Jpeg
from genprint.images.sets import ImageSet
from tests.conftest import encoded, textured


def saved(rng, name, count=6, side=32, mode="RGB", kind="PNG", **options):
    """The fingerprint of so many files."""
    images = [Image.fromarray(pixels).convert(mode) for pixels in textured(rng, count, side)]
    files = Contents(name, [encoded(image, kind, **options) for image in images])
    return Header().extract(ImageSet(name, files, name))


WAYS = {
    "png": {},
    "large": {"side": 40},
    "palette": {"mode": "P"},
    "jpeg80": {"kind": "JPEG", "quality": 80},
    "jpeg90": {"kind": "JPEG", "quality": 90},
    "jpeg80 4:4:4": {"kind": "JPEG", "quality": 80, "subsampling": 0},
    "own tables": {"kind": "JPEG", "qtables": [[7] * 64, [9] * 64]},
    "webp": {"kind": "WEBP", "quality": 60},
    "named": {"kind": "JPEG", "quality": 80, "comment": b"made by x"},
}


def test_files_saved_in_other_ways_are_told_apart(rng):
    gallery = [saved(rng, name, **how) for name, how in WAYS.items()]
    probes = [saved(rng, name, 3, **how) for name, how in WAYS.items()]
    scores = NearestHeader().score(probes, gallery)
    assert (scores.argmax(1) == np.arange(len(WAYS))).all()
    assert np.diag(scores) == pytest.approx(0.01, abs=0.02)  # WebP's quantiser varies


def test_distances_by_hand(rng):
    png, large, jpeg = (saved(rng, name, **WAYS[name]) for name in ("png", "large", "jpeg80"))
    (scores,) = NearestHeader().score([png], [png, large, jpeg])
    # Both sides' logarithms; both formats, subsampling, tables and "jfif" in the metadata, and quality.
    expected = [0, 2 * np.log2(40 / 32), 5 + 0.8]
    assert scores == pytest.approx([0.01 - apart for apart in expected], abs=1e-5)


def test_where_both_have_such_images_it_goes_by_their_share(rng):
    many, few = (saved(rng, "png", n) + saved(rng, "jpeg80", 8 - n, **WAYS["jpeg80"]) for n in (6, 2))
    probe = saved(rng, "png", 2)
    assert NearestHeader().score([probe], [many, few]) == pytest.approx(np.array([[0.0075, 0.0025]]))


def test_arrays_and_processed_images_have_their_size_alone(rng):
    pixels = textured(rng, 3)
    array = Header().extract(ImageSet.from_array(pixels, "array"))
    jpeg = [encoded(Image.fromarray(own), "JPEG") for own in pixels]
    after = Header().extract(ImageSet("jpeg", Contents("jpeg", jpeg), "jpeg"), processing=Jpeg(75))
    assert (array.values == after.values).all()
    assert array.values[0, :5] == pytest.approx([5, 5, 0, 0, 0])
