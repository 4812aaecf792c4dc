"""Processing: what it does to images, and that it is a value."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from genprint.evaluation.robustness import PROCESSINGS
from genprint.fingerprints.conditions import CONDITIONS
from genprint.images.processing import Blur, Chain, Crop, Grey, Jpeg, Noise, Resize, Shift
from tests.conftest import textured

EACH = (
    Jpeg(90), Jpeg(90, "4:4:4"), Blur(0.7), Resize(0.5), Noise(3), Noise(3, seed=1), Grey(), Crop(3), Shift(0, 1),
    Chain(()), Chain((Shift(1, 1), Jpeg(82))), Chain((Chain((Grey(), Blur(1))), Noise(2))),
)  # fmt: skip
EVERY = tuple(dict.fromkeys((*EACH, *CONDITIONS.values(), *PROCESSINGS.values())))


@pytest.mark.parametrize("name", PROCESSINGS)
def test_processings_keep_images_recognisable_and_change_them(name, rng):
    images = textured(rng, 3, grain=8.0)
    changed = PROCESSINGS[name](images)
    assert changed.dtype == np.uint8
    assert changed.shape[0] == 3
    assert changed.shape[3] == 3
    same = changed.shape == images.shape and (changed == images).all()
    assert same == (name == "nothing")
    assert abs(changed.astype(float).mean((1, 2)) - images.astype(float).mean((1, 2))).max() < 4


def test_stronger_processings_change_more(rng):
    images = textured(rng, 3)

    def error(processing):
        return np.abs(processing(images).astype(float) - images).mean()

    assert error(Jpeg(95)) < error(Jpeg(75)) < error(Jpeg(30))
    assert error(Blur(0.5)) < error(Blur(1)) <= error(Chain((Blur(1), Jpeg(30))))


@pytest.mark.parametrize("processing", EVERY, ids=repr)
def test_a_pickled_processing_is_equal_and_does_the_same(processing, rng):
    images = textured(rng, 3)
    before = images.copy()
    again = pickle.loads(pickle.dumps(processing))
    assert again == processing
    assert hash(again) == hash(processing)
    assert (again.name, repr(again)) == (processing.name, repr(processing))
    assert (again(images) == processing(images)).all()
    assert (images == before).all()  # what is given is left as it is


def test_the_conditions_survive_pickling_all_together(rng):
    images = textured(rng, 2)
    again = pickle.loads(pickle.dumps(CONDITIONS))
    assert dict(again) == dict(CONDITIONS)
    for name, processing in CONDITIONS.items():
        assert processing.name == name
        assert (again[name](images) == processing(images)).all()


def test_processings_that_do_different_things_have_different_names():
    assert len({processing.name for processing in EACH}) == len(EACH)
    assert len(set(EACH)) == len(EACH)
    assert Jpeg(90) == Jpeg(90, "4:2:0")


def test_an_image_is_processed_alike_whatever_stands_beside_it(rng):
    images = textured(rng, 4)
    for processing in EVERY:
        assert (processing(images)[2:3] == processing(images[2:3])).all(), processing.name


def test_noise_follows_from_the_image_and_the_seed_in_any_process(rng):
    images = np.full((2, 16, 16, 3), 128, np.uint8)
    images[1] += 1
    noise = Noise(5)(images).astype(int) - images
    assert (noise[0] != noise[1]).any()
    assert (Noise(5, seed=1)(images) != Noise(5)(images)).any()
    assert noise.std() == pytest.approx(5, rel=0.1)
    command = (
        "import numpy as np, sys; from genprint.images.processing import Noise;"
        "sys.stdout.buffer.write(Noise(5)(np.full((1, 16, 16, 3), 128, np.uint8)).tobytes())"
    )
    elsewhere = subprocess.run([sys.executable, "-c", command], capture_output=True, check=True).stdout
    assert elsewhere == Noise(5)(images[:1]).tobytes()


def test_geometry_by_hand():
    images = np.arange(16 * 16, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    assert (Crop(2)(images) == images[:, 2:14, 2:14]).all()
    assert (Shift(1, 3)(images) == images[:, 1:, 3:]).all()
    assert Chain((Crop(2), Shift(1, 0)))(images).shape == (1, 11, 12, 3)
    assert (Grey()(images) == images).all()


def test_jpeg_is_pillows(rng):
    import io

    from PIL import Image

    images = textured(rng, 1)
    for subsampling in ("4:2:0", "4:4:4"):
        buffer = io.BytesIO()
        Image.fromarray(images[0]).save(buffer, "JPEG", quality=82, subsampling=subsampling)
        assert (Jpeg(82, subsampling)(images)[0] == np.asarray(Image.open(buffer))).all()
