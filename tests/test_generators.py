"""The properties every reference generator has."""

import itertools
import json
import threading

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from genprint.generators import variants
from genprint.generators.architectures import ARCHITECTURES, SPLIT, architecture
from genprint.generators.collection import (
    demonstrated,
    describe,
    find,
    load,
    sample,
    sample_each,
    save,
    shipped,
)
from genprint.generators.recipes import RECIPES, Images, make
from genprint.generators.training import train
from genprint.storage.weights import WeightsError

from .conftest import textured

pytest.importorskip("diffusers")

SMALL = {
    "ConvVAE": {"width": 8, "latent": 4},
    "LadderVAE": {"rungs": (1, 1), "width": 8, "latent": 2},
    "Glow": {"levels": 2, "steps": 2, "hidden": 8},
    "WaveletFlow": {
        "passes": 2,
        "layers": 1,
        "width": 8,
        "heads": 2,
        "steps": (2, 2),
        "hidden": (8, 8),
        "context": (8, 8),
    },
    "TarFlow": {"passes": 2, "layers": 1, "width": 8, "heads": 2},
    **{name: {"width": 8, "latent": 4} for name in ("DCGAN", "SNGAN", "WGANGP")},
    **{name: {"channels": (8, 8, 8), "steps": 3} for name in ("DDIM", "EDM", "FlowMatching")},
}
ABOUT = {"trained_on": "noise", "seed": 0, "steps": 2, "seconds": 1, "parent": None, "change": None}


def small(name, **arguments):
    torch.manual_seed(0)
    known = architecture(name)
    return known.make(**{**SMALL[known.name], **arguments})


@pytest.fixture(params=ARCHITECTURES)
def name(request):
    return request.param


def test_samples_are_images_and_follow_from_the_seed(name, rng):
    generator, _ = train(small(name), textured(rng, 80), steps=2, seed=0)
    images = sample(generator, "x", 5, seed=1, batch=5)
    assert images.shape == (5, 32, 32, 3)
    assert images.dtype == np.uint8
    assert (images == sample(generator, "x", 5, seed=1, batch=5)).all()
    assert (images[:3] == sample(generator, "x", 3, seed=1, batch=5)).all()
    assert (images != sample(generator, "y", 5, seed=1, batch=5)).any()
    assert (images != sample(generator, "x", 5, seed=2, batch=5)).any()


def test_save_and_load_change_no_more_than_rounding(name, tmp_path, rng):
    generator, _ = train(small(name), textured(rng, 80), steps=2, seed=0)
    save(generator, tmp_path / "x", name, ABOUT)
    again, config = load(tmp_path / "x")
    assert config["class"] == generator.model_class == name.split("-")[0]
    difference = sample(again, "x", 4, batch=4).astype(int) - sample(generator, "x", 4, batch=4).astype(int)
    assert np.abs(difference).mean() < 1


def test_damaged_weights_are_refused(tmp_path):
    save(small("vae-conv"), tmp_path / "x", "vae-conv", ABOUT)
    weights = tmp_path / "x" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 255
    weights.write_bytes(bytes(data))
    with pytest.raises(WeightsError, match="damaged"):
        load(tmp_path / "x")


@pytest.mark.parametrize("name", ["vae-conv", "flow-glow", "gan-sngan", "score-ddim"])
def test_training_goes_on_after_a_kill(name, tmp_path, rng):
    images = textured(rng, 80)
    path = tmp_path / "t.safetensors"
    whole, _ = train(small(name), images, steps=4, seed=0)
    expected = sample(whole, "x", 2, batch=2)

    class Killed(Exception):
        pass

    def kill(step, *_):
        if step == 3:
            raise Killed

    with pytest.raises(Killed):
        train(small(name), images, 4, 0, path, kill, save_every=2)
    again, _ = train(small(name), images, 4, 0, path)
    assert (sample(again, "x", 2, batch=2) == expected).all()


def test_a_checkpoint_of_another_training_is_refused(tmp_path, rng):
    images, path = textured(rng, 80), tmp_path / "t.safetensors"
    train(small("score-ddim"), images, 2, 0, path)
    for other, seed in (("score-edm", 0), ("score-ddim", 1)):
        with pytest.raises(WeightsError, match="another training"):
            train(small(other), images, 2, seed, path)


def test_a_variant_beside_other_weights_is_refused(tmp_path):
    save(small("vae-conv"), tmp_path / "p", "vae-conv", ABOUT)
    save(small("vae-conv"), tmp_path / "p-v", "vae-conv", ABOUT, weights_of=tmp_path / "p")
    assert load(tmp_path / "p-v")[1]["sha256"] == load(tmp_path / "p")[1]["sha256"]
    torch.manual_seed(1)
    save(architecture("vae-conv").make(**SMALL["ConvVAE"]), tmp_path / "p", "vae-conv", ABOUT)
    with pytest.raises(WeightsError, match="make it anew"):
        load(tmp_path / "p-v")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("flow-glow", {"side": 4}),
        ("flow-wavelet", {"side": 4, "steps": (2,), "hidden": (8,), "context": (8,)}),
        ("flow-tarflow", {"side": 4, "patch": 2}),
    ],
)
def test_flows_invert_and_their_log_determinant_is_autograds(name, arguments):
    flow = small(name, **arguments).double().eval()
    for parameter in flow.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    x = torch.rand(3, 3, 4, 4, dtype=torch.float64)
    noises, log_det = flow.encode(x)
    assert torch.allclose(flow.decode(noises), x, atol=1e-9)
    flat = lambda v: torch.cat([z.flatten() for z in flow.encode(v.view(1, 3, 4, 4))[0]])  # noqa: E731
    jacobian = torch.autograd.functional.jacobian(flat, x[0].flatten())
    assert torch.allclose(torch.linalg.slogdet(jacobian)[1], log_det[0], atol=1e-8)
    normal = sum(Normal(0, 1).log_prob(z[0]).sum() for z in noises)
    assert torch.allclose(flow.log_prob(x)[0], normal + log_det[0])


def test_divergence_is_that_of_torch():
    from genprint.generators.vae.base import divergence

    mean, log_sigma, prior_mean, prior_log_sigma = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
    expected = kl_divergence(Normal(mean, log_sigma.exp()), Normal(prior_mean, prior_log_sigma.exp())).sum(1)
    assert torch.allclose(divergence(mean, log_sigma, prior_mean, prior_log_sigma), expected, atol=1e-5)


@pytest.mark.parametrize(("likelihood", "law"), [("gaussian", Normal), ("laplace", torch.distributions.Laplace)])
def test_likelihoods_are_those_of_torch(likelihood, law):
    vae = small("vae-conv", likelihood=likelihood)
    images, decoded = torch.rand(2, 2, 3, 4, 4)
    expected = law(decoded, vae.log_scale.exp()).log_prob(images).sum((1, 2, 3))
    assert torch.allclose(vae.log_likelihood(images, decoded), expected)


def test_gan_losses_are_the_papers():
    images, rng = torch.zeros(4, 3, 32, 32), torch.Generator().manual_seed(0)
    hinge = small("gan-sngan")
    hinge.discriminator = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 1))
    torch.nn.init.zeros_(hinge.discriminator[1].weight)
    torch.nn.init.constant_(hinge.discriminator[1].bias, 0.25)
    assert hinge.discriminator_loss(images, images, rng).item() == pytest.approx(0.75 + 1.25)
    assert hinge.generator_loss(torch.full((4, 1), 0.25)).item() == pytest.approx(-0.25)
    wasserstein = small("gan-wgan-gp")
    wasserstein.discriminator = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 1))
    torch.nn.init.constant_(wasserstein.discriminator[1].weight, 3 / 3072**0.5)  # a critic of slope 3
    real = torch.full((4, 3, 32, 32), 0.5)
    lost = wasserstein.discriminator_loss(real, images, rng).item()
    assert lost == pytest.approx(10 * (3 - 1) ** 2 - 0.5 * 3 * 3072**0.5, rel=1e-4)


def test_what_a_score_model_should_put_out_leads_back_to_the_image():
    matching = small("score-flow-matching")  # and the seed is set
    images, noise, uniform = torch.rand(4, 3, 32, 32), torch.randn(4, 3, 32, 32), torch.tensor([0.05, 0.3, 0.6, 0.95])
    noisy, time, target = matching.corrupt(images, noise, uniform)
    assert torch.allclose(noisy - (time / 1000).view(-1, 1, 1, 1) * target, images, atol=1e-5)
    edm = small("score-edm")
    _, time, target = edm.corrupt(images, noise, uniform)
    sigma = ((time - 500) / 100).exp().view(-1, 1, 1, 1)
    assert torch.allclose(edm.schedule.precondition_outputs(images + sigma * noise, target, sigma), images, atol=1e-4)
    ddim = small("score-ddim")
    ddim.schedule.set_timesteps(20)
    noisy, time, target = ddim.corrupt(images, noise, uniform)
    for i in range(4):
        back = ddim.schedule.step(target[i : i + 1], int(time[i]), noisy[i : i + 1]).pred_original_sample
        assert torch.allclose(back, images[i : i + 1].clamp(-1, 1), atol=1e-3)


def test_quantised_and_pruned_weights():
    parent = small("gan-dcgan")
    weight = parent.generator[0].weight
    eight = variants.quantised(parent).generator[0].weight
    scale = weight.abs().amax(1, keepdim=True) / 127
    assert torch.allclose((eight / scale).round(), eight / scale, atol=1e-3)
    assert ((eight - weight).abs() <= scale / 2 + 1e-8).all()
    sparse = variants.pruned(parent, 0.3).generator[0].weight
    assert (sparse == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert (sparse[sparse != 0] == weight[sparse != 0]).all()
    assert weight[sparse == 0].abs().max() <= weight[sparse != 0].abs().min()


def test_descendants_that_follow_from_the_parent_keep_no_weights(tmp_path):
    save(small("gan-dcgan"), tmp_path / "p", "gan-dcgan", ABOUT)
    parent, _ = load(tmp_path / "p")
    about = ABOUT | {"parent": "p", "change": "int8"}
    save(parent, tmp_path / "p-int8", "gan-dcgan", about, weights_of=tmp_path / "p")
    assert not (tmp_path / "p-int8" / "model.safetensors").exists()
    child, _ = load(tmp_path / "p-int8")
    assert (child.generator[0].weight == variants.quantised(parent).generator[0].weight).all()
    assert (child.generator[0].weight != parent.generator[0].weight).any()


def test_a_collection_is_made_with_its_descendants(tmp_path, rng, monkeypatch):
    import dataclasses

    from genprint.generators import architectures, recipes, training

    tiny = {
        name: dataclasses.replace(known, steps=2, arguments={**known.arguments, **SMALL[known.name]})
        for name, known in ARCHITECTURES.items()
    }
    monkeypatch.setattr(architectures, "ARCHITECTURES", tiny)
    monkeypatch.setattr(recipes, "_FINE_TUNING_STEPS", 2)
    monkeypatch.setattr(training, "_WARMUP", 1)  # two steps of a slow start are lost in float16
    images, other = (Images(textured(rng, 80), name) for name in ("one", "other"))
    made = [r for r in RECIPES if r.name.startswith(("vae-conv", "score-ddim-s0", "gan-sngan-s0", "gan-dcgan-s0"))]
    for recipe in made:
        make(recipe, images, other, tmp_path, lambda *_: None)
    described = {recipe.name: describe(tmp_path / recipe.name) for recipe in made}
    assert described["score-ddim-s0-ddim10"]["sha256"] == described["score-ddim-s0"]["sha256"]
    assert not (tmp_path / "score-ddim-s0-ddim10" / "model.safetensors").exists()
    assert described["vae-conv-s0-tuned"]["trained_on"] == "one, then other"
    # Not yet rounded to bytes: whether so small a change survives that hangs on the processor's arithmetic.
    with torch.inference_mode():
        drawn = {name: load(tmp_path / name)[0].sample(2, torch.Generator().manual_seed(0)) for name in described}
    gaps = {pair: (drawn[pair[0]] - drawn[pair[1]]).abs().max().item() for pair in itertools.combinations(drawn, 2)}
    # Every descendant differs from its parent. The nearest two, a GAN that is all but grey and its int8, are 3e-5
    # apart; equal generators would be 0 apart, and float32 rounds what is below 0.1 by less than 1e-8.
    assert min(gaps.values()) > 3e-6, min(gaps, key=gaps.get)
    with pytest.raises(ValueError, match="--other"):
        make(next(r for r in RECIPES if r.change == "fine-tuned"), images, None, tmp_path, lambda *_: None)


def test_recipes_name_their_parents_and_every_architecture_has_its_part():
    names = [recipe.name for recipe in RECIPES]
    assert len(set(names)) == len(names)
    assert all(recipe.parent is None or names.index(recipe.parent) < i for i, recipe in enumerate(RECIPES))
    assert set(SPLIT) == set(ARCHITECTURES)
    for part in ("train", "calibration", "test"):
        assert {name.split("-")[0] for name, own in SPLIT.items() if own == part} == {"vae", "flow", "gan", "score"}


def test_shipped_generators_are_small_and_listed():
    described = [describe(folder) for folder in shipped()]
    assert {about["class"] for about in described} == {"vae", "flow", "gan", "score"}
    assert set(demonstrated()) <= set(shipped())
    weights = [path for folder in shipped() for path in folder.glob("*.safetensors")]
    assert all(path.stat().st_size <= 2_000_000 for path in weights)
    assert sum(path.stat().st_size for path in weights) <= 60_000_000
    for about in described:
        assert json.dumps(about)
        assert {"name", "class", "architecture", "seed", "parent", "sha256", "part"} <= set(about)


def test_demonstrated_generators_differ_and_do_not_collapse():
    first = [sample(load(folder)[0], folder.name, 8, batch=8) for folder in demonstrated()]
    assert len({images.tobytes() for images in first}) == len(first)
    assert all(images.std(0).mean() > 10 for images in first)


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_several_sampled_at_once_are_those_sampled_alone(three_threads):
    folders = [find(name) for name in ("vae-conv-s0", "gan-dcgan-s0", "flow-wavelet-s0", "vae-conv-s1")]
    done = []
    together = dict(sample_each(folders, 70, seed=1, progress=done.append))
    assert list(together) == [folder.name for folder in folders]
    assert sum(done) == 4 * 70
    assert torch.get_num_threads() == 3
    for folder in folders:
        alone = sample(load(folder)[0], folder.name, 70, seed=1).astype(int)
        assert np.abs(together[folder.name] - alone).max() <= 1  # with another number of threads, sums may round apart


def test_sampling_several_can_be_left_early(three_threads):
    before, done = threading.active_count(), []
    for _ in sample_each([find("gan-dcgan-s0")] * 20, 64 * 50, progress=done.append):
        break
    assert sum(done) < 20 * 64 * 50
    assert threading.active_count() == before
    assert torch.get_num_threads() == 3


def test_a_damaged_one_among_several_is_told(tmp_path):
    with pytest.raises(WeightsError):
        list(sample_each([find("vae-conv-s0"), tmp_path], 2))


def test_unknown_names_are_told():
    with pytest.raises(KeyError, match="vae"):
        architecture("nothing")
    with pytest.raises(WeightsError, match="shipped"):
        find("nothing")
