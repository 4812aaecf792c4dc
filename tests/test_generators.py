"""The properties every reference generator has."""

import numpy as np
import pytest
import torch

from genprint.generators.collection import FAMILIES, find, generator_class, load, sample, save, shipped
from genprint.generators.training import train
from genprint.weights import WeightsError

from .conftest import textured

pytest.importorskip("diffusers")


@pytest.fixture(params=FAMILIES)
def small(request):
    sizes = {
        "vae": {"width": 8, "latent": 4}, "flow": {"levels": 2, "steps": 2, "hidden": 8},
        "gan": {"width": 8, "latent": 4}, "score": {"channels": (8, 8, 8), "steps": 3},
    }  # fmt: skip
    torch.manual_seed(0)
    return generator_class(request.param)(**sizes[request.param])


def test_samples_are_images_and_follow_from_the_seed(small, rng):
    small = train(small, textured(rng, 80), steps=2, seed=0)
    images = sample(small, "x", 5, seed=1)
    assert images.shape == (5, 32, 32, 3)
    assert images.dtype == np.uint8
    assert (images == sample(small, "x", 5, seed=1)).all()
    assert (images[:3] == sample(small, "x", 3, seed=1)).all()
    assert (images != sample(small, "y", 5, seed=1)).any()
    assert (images != sample(small, "x", 5, seed=2)).any()


def test_save_and_load_change_no_more_than_rounding(small, tmp_path, rng):
    small = train(small, textured(rng, 80), steps=2, seed=0)
    save(small, tmp_path / "x", "noise", 0, 2)
    again, config = load(tmp_path / "x")
    assert config["family"] == small.family
    difference = sample(again, "x", 4).astype(int) - sample(small, "x", 4).astype(int)
    assert np.abs(difference).mean() < 1
    weights = tmp_path / "x" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 255
    weights.write_bytes(bytes(data))
    with pytest.raises(WeightsError, match="damaged"):
        load(tmp_path / "x")


def test_training_goes_on_after_a_kill(small, tmp_path, rng):
    images = textured(rng, 80)
    path = tmp_path / "t.safetensors"
    start = {name: value.clone() for name, value in small.state_dict().items()}
    whole = train(small, images, steps=4, seed=0)
    expected = sample(whole, "x", 2)

    class Killed(Exception):
        pass

    def kill(step, *_):
        if step == 3:
            raise Killed

    small.load_state_dict(start)
    with pytest.raises(Killed):
        train(small, images, 4, 0, path, kill, save_every=2)
    small.load_state_dict(start)
    assert (sample(train(small, images, 4, 0, path), "x", 2) == expected).all()


def test_flow_inverts_and_its_log_determinant_is_autograds():
    torch.manual_seed(0)
    flow = generator_class("flow")(levels=2, steps=2, hidden=8, side=4).double().eval()
    for parameter in flow.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    x = torch.rand(3, 3, 4, 4, dtype=torch.float64)
    noises, log_det = flow.encode(x)
    assert torch.allclose(flow.decode(noises), x, atol=1e-9)
    flat = lambda v: torch.cat([z.flatten() for z in flow.encode(v.view(1, 3, 4, 4))[0]])  # noqa: E731
    jacobian = torch.autograd.functional.jacobian(flat, x[0].flatten())
    assert torch.allclose(torch.linalg.slogdet(jacobian)[1], log_det[0], atol=1e-8)
    normal = sum(torch.distributions.Normal(0, 1).log_prob(z[0]).sum() for z in noises)
    assert torch.allclose(flow.log_prob(x)[0], normal + log_det[0])


def test_shipped_generators_are_two_of_each_class_and_small():
    folders = shipped()
    families = [load(folder)[1]["family"] for folder in folders]
    assert {family: families.count(family) for family in FAMILIES} == dict.fromkeys(FAMILIES, 2)
    assert all((folder / "model.safetensors").stat().st_size <= 2_000_000 for folder in folders)
    first = [sample(load(folder)[0], folder.name, 8) for folder in folders]
    assert len({images.tobytes() for images in first}) == len(folders)
    assert all(images.std(0).mean() > 10 for images in first)  # they differ from each other: no collapse


def test_unknown_names_are_told():
    with pytest.raises(KeyError, match="vae"):
        generator_class("nothing")
    with pytest.raises(WeightsError, match="shipped"):
        find("nothing")
