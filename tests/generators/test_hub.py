"""Generators of a hub: a small pipeline made here, in the hub library's cache, without any network."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from genprint.cli.app import app
from genprint.generators import hub
from genprint.generators.collection import find
from genprint.storage.hub import fetch
from genprint.storage.weights import WeightsError

diffusers = pytest.importorskip("diffusers")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """The cache with hf:someone/tiny-ddpm at one commit; the network is off."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "cache" / "models--someone--tiny-ddpm"
    folder = repository / "snapshots" / COMMIT
    torch.manual_seed(0)
    network = diffusers.UNet2DModel(
        sample_size=16, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    diffusers.DDIMPipeline(network, diffusers.DDIMScheduler()).save_pretrained(folder, safe_serialization=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return folder


def test_a_pipeline_is_sampled_from_the_cache(cached, tmp_path):
    command = ["generators", "sample", "hf:someone/tiny-ddpm", "-n", "3", "--steps", "2", "--offline"]
    for folder, extra in (("a", []), ("b", ["--revision", COMMIT]), ("c", ["--seed", "1"])):
        result = CliRunner().invoke(app, [*command, "-o", str(tmp_path / folder), *extra])
        assert result.exit_code == 0, result.output
    a, b, c = (
        np.stack([np.array(Image.open(path)) for path in sorted((tmp_path / folder).glob("*.png"))]) for folder in "abc"
    )
    assert a.shape == (3, 16, 16, 3)
    assert (a == b).all()
    assert (a != c).any()


def test_a_folder_with_a_pipeline_or_a_generator_will_do_too(cached, monkeypatch):
    monkeypatch.setattr(hub, "_BATCH", 2)
    images = hub.sample_folder(cached, "x", 3, steps=2)
    assert images.shape == (3, 16, 16, 3)
    assert images.std() > 1
    assert hub.sample_folder(find("vae-conv-s0"), "vae-conv-s0", 2).shape == (2, 32, 32, 3)


def test_pickled_weights_are_not_read(cached):
    weights = cached / "unet" / "diffusion_pytorch_model.safetensors"
    state = torch.zeros(1)
    torch.save({"conv_in.weight": state}, weights.with_name("diffusion_pytorch_model.bin"))
    weights.unlink()
    with pytest.raises(WeightsError, match="cannot be sampled"):
        hub.sample_folder(cached, "x", 1)


def test_a_pipeline_that_is_code_is_not_run(cached):
    index = json.loads((cached / "model_index.json").read_text())
    index["_class_name"] = ["pipeline", "Mine"]
    (cached / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(WeightsError, match="brings code, which is not run"):
        hub.sample_folder(cached, "x", 1)


@pytest.mark.parametrize(
    ("reference", "said"),
    [("hf:someone/else", "not in the cache"), ("hf:not a name", "hf:ORG/MODEL")],
)
def test_what_is_not_there_is_told(cached, reference, said):
    with pytest.raises(WeightsError, match=said):
        fetch(reference, offline=True)


def test_without_a_network_the_error_says_so(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    result = CliRunner().invoke(app, ["generators", "sample", "hf:someone/else", "-o", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "cannot be reached" in result.output
    assert not (tmp_path / "out").exists()


def test_a_folder_with_neither_is_told(tmp_path):
    with pytest.raises(WeightsError, match="neither a diffusers pipeline"):
        hub.sample_folder(tmp_path, "x", 1)
