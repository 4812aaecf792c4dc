"""The properties every fingerprinter has."""

import numpy as np
import pytest
from sklearn.base import clone

from genprint.evaluation.methods import METHODS
from genprint.images.processing import Blur, Jpeg
from genprint.images.sets import ImageSet, NothingUsable
from tests.conftest import textured

# One method of each fingerprinter.
METHOD = {
    "set_encoder": "set_encoder", "covariance": "covariance", "marra": "marra", "spectrum": "spectrum",
    "durall": "durall", "dzanic": "dzanic", "frank": "frank", "mccloskey": "mccloskey", "nataraj": "nataraj",
    "self_description": "self_description", "imagenet": "imagenet", "pixels": "yu",
    "manifpt_rgb": "manifpt_rgb", "manifpt_frequency": "manifpt_frequency",
    "colour": "colour", "thumbnail": "thumbnail", "header": "header",
}  # fmt: skip


@pytest.fixture(scope="module")
def readers(small_model):
    real = ImageSet.from_array(textured(np.random.default_rng(5), 40), "real")
    return {name: METHODS[method].reader(small_model, real) for name, method in METHOD.items()}


@pytest.fixture(params=METHOD)
def fingerprinter(request, readers):
    return readers[request.param]


def as_set(array: np.ndarray) -> ImageSet:
    return ImageSet.from_array(array, "set")


def close(a: np.ndarray, b: np.ndarray) -> bool:
    return np.allclose(a, b, atol=2e-4 * max(1.0, float(np.abs(b).max())))


def test_none_is_left_out(small_model, readers):
    real = ImageSet.from_array(textured(np.random.default_rng(5), 4), "real")
    assert {method.reader(small_model, real).method for method in METHODS.values()} == set(METHOD)
    assert all(reader.method == name for name, reader in readers.items())


def test_shape_type_and_length(fingerprinter, rng):
    vectors = fingerprinter.transform([as_set(textured(rng, 5)), as_set(textured(rng, 1))])
    assert vectors.dtype == np.float32
    assert vectors.shape[0] == 2
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_order_changes_nothing(fingerprinter, rng):
    images = textured(rng, 9)
    assert close(fingerprinter.transform([as_set(images)]), fingerprinter.transform([as_set(images[::-1])]))


def test_batch_size_changes_nothing(fingerprinter, rng):
    images = as_set(textured(rng, 9))
    assert close(fingerprinter.extract(images, batch=2).values, fingerprinter.extract(images, batch=64).values)


def test_repeats(fingerprinter, rng):
    images = textured(rng, 4, side=32)
    assert (fingerprinter.transform([as_set(images)]) == fingerprinter.transform([as_set(images)])).all()


def test_images_differ_in_what_they_give(fingerprinter, rng):
    if fingerprinter.method == "header":
        pytest.skip("arrays have none")
    smooth, rough = textured(rng, 8, grain=2.0), textured(rng, 8, grain=50.0)
    a, b = fingerprinter.transform([as_set(smooth), as_set(rough)])
    assert not np.allclose(a, b, atol=1e-4)


def test_fingerprints_add_up(fingerprinter, rng):
    images = textured(rng, 12)
    one, other = (fingerprinter.fingerprint([as_set(part)])[0] for part in (images[:5], images[5:]))
    whole, together = fingerprinter.fingerprint([as_set(images)])[0], one + other
    assert together.count == whole.count == 12
    assert set(together.digests) == set(whole.digests)
    assert close(together.mean, whole.mean)
    assert close(fingerprinter.embed(together), fingerprinter.embed(whole))
    if fingerprinter.keeps_scatter:  # that of the others does not fit into memory
        assert close(together.scatter, whole.scatter)
        pooled = one.pooled() + other.pooled()
        assert close(pooled.scatter, whole.scatter)
        assert close(fingerprinter.embed(pooled), fingerprinter.embed(whole))


def test_one_pass_gives_what_a_set_is(fingerprinter, tmp_path, rng):
    from PIL import Image

    for i, pixels in enumerate(textured(rng, 3)):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    told = []
    found = fingerprinter.extract(ImageSet.read(tmp_path, "name"), told.append, batch=2)
    assert (found.source, found.count, found.extractor) == ("name", 3, fingerprinter.extractor_id)
    assert found.parts == fingerprinter.parts
    assert [left.reason for left in found.left_out] == ["not an image"]
    assert [name[-5:] for name in found.names] == ["0.png", "1.png", "2.png"]
    assert found.digests == tuple(image.sha256 for image in ImageSet.read(tmp_path))
    assert sum(told) == 3
    assert found.values.dtype == np.float32
    assert close(fingerprinter.embed(found), fingerprinter.transform([ImageSet.read(tmp_path)])[0])


def test_features_in_a_condition_are_those_of_the_processed_images(fingerprinter, rng):
    images = textured(rng, 5)
    whole = fingerprinter.extract(as_set(images), batch=2)
    for processing in (Jpeg(90), Blur(1)):
        found, alone = whole.under(processing), fingerprinter.extract(as_set(processing(images)))
        assert close(found.values, alone.values), processing
        assert found.digests == whole.digests  # of the images as they were
        at_once = fingerprinter.extract(as_set(images), batch=2, processing=processing)
        assert (at_once.digests, at_once.originals) == (whole.digests, ())
        assert close(at_once.values, alone.values), processing


def test_constructor_only_stores(fingerprinter):
    assert clone(fingerprinter).get_params() == fingerprinter.get_params()


def test_identity_says_the_method_and_its_parameters(fingerprinter):
    assert fingerprinter.extractor_id.startswith(f"{fingerprinter.method} features=")
    for name, value in fingerprinter.get_params().items():
        assert f" {name}={value}" in fingerprinter.extractor_id


def test_a_set_without_images_is_an_error_that_says_what_was_left_out(fingerprinter, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(NothingUsable, match=r"a\.png: not an image") as error:
        fingerprinter.extract(ImageSet.read(tmp_path))
    assert len(error.value.left_out) == 1
