"""Where networks compute, and what is said where there is no such device."""

import copy

import numpy as np
import pytest
import torch

from genprint.encoder.encoder import SetEncoder
from genprint.generators.collection import find, load, sample
from genprint.generators.training import train
from genprint.images.sets import ImageSet
from genprint.storage.device import DeviceError, device
from tests.conftest import textured

WITH_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
LACKING = ["meta", "cuda:77", "no such thing", *([] if torch.cuda.is_available() else ["cuda"])]


def test_it_is_the_processor_unless_something_else_is_asked_for(monkeypatch):
    monkeypatch.delenv("GENPRINT_DEVICE", raising=False)
    assert device() == device("cpu") == torch.device("cpu")
    monkeypatch.setenv("GENPRINT_DEVICE", "cuda:77")
    assert device("cpu") == torch.device("cpu")
    with pytest.raises(DeviceError, match="device cuda:77: this machine has no CUDA device; leave it"):
        device()
    with pytest.raises(DeviceError):
        SetEncoder.from_pretrained()


@pytest.mark.parametrize("name", LACKING)
def test_what_is_not_there_is_an_error_and_changes_nothing(small_model, name):
    model = copy.deepcopy(small_model)
    for asked in (device, model.to, model.fingerprinter.to):
        with pytest.raises(DeviceError, match=f"device {name}: this machine has no .* device; leave it"):
            asked(name)
    assert {tensor.device.type for tensor in model.fingerprinter.network.state_dict().values()} == {"cpu"}


def test_moving_to_where_it_is_changes_nothing(small_model, rng):
    images = ImageSet.from_array(textured(rng, 4), "set")
    moved = copy.deepcopy(small_model).to("cpu")
    assert (moved.fingerprint(images).values == small_model.fingerprint(images).values).all()
    assert moved.identity == small_model.identity


@WITH_GPU
def test_a_gpu_gives_the_same_features_up_to_rounding(small_model, rng):
    images = ImageSet.from_array(textured(rng, 6, side=72), "set")
    moved = copy.deepcopy(small_model).to("cuda")
    assert moved.fingerprinter.network.head[0].weight.is_cuda
    found, expected = moved.fingerprint(images), small_model.fingerprint(images)
    np.testing.assert_allclose(found.values, expected.values, atol=1e-2)  # convolutions may be in TF32
    assert found.extractor_id == expected.extractor_id
    embed = small_model.fingerprinter.embed
    assert moved.fingerprinter.embed(found) @ embed(expected) > 0.999


@WITH_GPU
def test_a_gpu_fine_tunes(small_model, rng, tmp_path):
    sets = [ImageSet.from_array(textured(rng, 20, grain=grain), str(grain)) for grain in (4, 40)]
    fitted = copy.deepcopy(small_model).to("cuda").fit(sets, ["a", "b"], 2, checkpoint=tmp_path / "c.safetensors")
    assert fitted.training.steps == 2
    fitted.model.save(tmp_path / "model")


@WITH_GPU
def test_a_gpu_trains_generators_and_samples_them(rng):
    generator, _ = load(find("vae-conv-s0"))
    trained, _ = train(generator, textured(rng, 80), 2, 0, device="cuda")
    assert sample(trained, "trained", 3, device="cuda").shape == (3, 32, 32, 3)
