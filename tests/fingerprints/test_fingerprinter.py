"""The properties every fingerprinter has."""

import numpy as np
import pytest
from sklearn.base import clone

from genprint.encoder.encoder import SetEncoder
from genprint.encoder.training.episodes import pad_sets
from genprint.evaluation.methods import METHODS
from genprint.images.sets import ImageSet
from genprint.storage.weights import WeightsError

from tests.conftest import textured

ENCODER = SetEncoder.from_pretrained()
REAL = ImageSet.from_array(textured(np.random.default_rng(5), 40), "real")
FINGERPRINTERS = {f.method: f for f in (method.reader(ENCODER, REAL) for method in METHODS.values())}


@pytest.fixture(params=FINGERPRINTERS.values(), ids=FINGERPRINTERS.keys())
def fingerprinter(request):
    return request.param


def as_set(array: np.ndarray) -> ImageSet:
    return ImageSet.from_array(array, "set")


def close(a: np.ndarray, b: np.ndarray) -> bool:
    return np.allclose(a, b, atol=2e-4 * max(1.0, float(np.abs(b).max())))


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
    assert close(fingerprinter.features(images, batch=2).values, fingerprinter.features(images, batch=64).values)


def test_repeats(fingerprinter, rng):
    images = textured(rng, 4, side=32)
    assert (fingerprinter.transform([as_set(images)]) == fingerprinter.transform([as_set(images)])).all()


def test_images_differ_in_what_they_give(fingerprinter, rng):
    smooth, rough = textured(rng, 8, grain=2.0), textured(rng, 8, grain=50.0)
    a, b = fingerprinter.transform([as_set(smooth), as_set(rough)])
    assert not np.allclose(a, b, atol=1e-4)


def test_fingerprints_add_up(fingerprinter, rng):
    if not fingerprinter.keeps_scatter:
        pytest.skip("keeps no scatter")
    images = textured(rng, 12)
    parts = [fingerprinter.fingerprint([as_set(part)])[0] for part in (images[:5], images[5:])]
    whole, together = fingerprinter.fingerprint([as_set(images)])[0], fingerprinter.combine(parts)
    assert together.count == whole.count == 12
    assert set(together.digests) == set(whole.digests)
    assert close(together.mean, whole.mean)
    assert close(together.scatter, whole.scatter)
    assert close(together.vector, whole.vector)


def test_constructor_only_stores(fingerprinter):
    assert clone(fingerprinter).get_params() == fingerprinter.get_params()


@pytest.mark.parametrize("side", [16, 24, 31, 48, 96])
def test_set_encoder_takes_any_size(rng, side):
    first, again = (ENCODER.features(as_set(textured(np.random.default_rng(1), 3, side=side))) for _ in range(2))
    assert np.isfinite(first.values).all()
    assert (first.values == again.values).all()
    assert len(first) == 3  # images, not patches


def test_padding_changes_nothing(rng):
    import torch

    features = torch.randn(7, ENCODER.parts * ENCODER.network_.config["features"])
    padded, mask = pad_sets(features, (5, 2))
    wide = torch.nn.functional.pad(padded, (0, 0, 0, 4), value=9.0)
    wider = torch.nn.functional.pad(mask, (0, 4))
    with torch.inference_mode():
        assert torch.allclose(ENCODER.network_(padded, mask), ENCODER.network_(wide, wider), atol=1e-6)


def test_save_and_load_change_nothing(tmp_path, rng):
    ENCODER.save_pretrained(tmp_path)
    again = SetEncoder.from_pretrained(tmp_path)
    images = as_set(textured(rng, 6))
    assert (again.transform([images]) == ENCODER.transform([images])).all()
    assert again.verification_.to_dict() == ENCODER.verification_.to_dict()
    for name, values in ENCODER.verification_.arrays().items():
        assert np.allclose(again.verification_.arrays()[name], values)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors", "README.md"}


def test_a_damaged_threshold_is_refused(tmp_path):
    ENCODER.save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"rate": 0.05', '"rate": 0.01'))
    with pytest.raises(WeightsError, match=r"config\.json: damaged"):
        SetEncoder.from_pretrained(tmp_path)
