"""Episodes, simulated sources, and training that can be killed."""

import copy

import numpy as np
import pytest
import torch
import torch.distributed as dist
from pytorch_metric_learning.losses import ProxyAnchorLoss, SupConLoss

from genprint.encoder.encoder import SetEncoder
from genprint.encoder.network import SetNetwork
from genprint.encoder.training import pretraining
from genprint.encoder.training.deformations import scramble
from genprint.encoder.training.episodes import Episode, LabelledEpisodes, SetSizes, SimulatedEpisodes
from genprint.encoder.training.finetuning import collect
from genprint.encoder.training.loop import TrainingConfig, _loss, train
from genprint.encoder.training.pretraining import POPULATION, POPULATION_CONDITIONS, pretrain
from genprint.encoder.training.sharing import add_gradients, share_norms
from genprint.encoder.training.simulator import _STAGES, SimulatedSource, Stage, draw_sources
from genprint.images.sets import ImageSet, ImageSetError
from genprint.model import Model
from genprint.storage.weights import WeightsError
from tests.conftest import textured

SMALL = SetSizes(images=(1, 2), sets=(2, 2))


def test_sources_repeat_and_siblings_share_structure():
    rng = np.random.default_rng(0)
    levels = torch.from_numpy(textured(rng, 4)).permute(0, 3, 1, 2).float()
    for source in draw_sources(30, rng, siblings=0.3):
        one, two = (source.apply(levels, np.random.default_rng(1)) for _ in range(2))
        assert torch.equal(one, two)
        assert one.shape == levels.shape
        assert torch.equal(one, one.round().clamp(0, 255))
        sibling = source.sibling(rng)
        assert [s.kind for s in sibling.stages] == [s.kind for s in source.stages]
        assert [s.structure for s in sibling.stages] == [s.structure for s in source.stages]
        assert sibling.stages != source.stages
    assert SimulatedSource.draw(rng) != SimulatedSource.draw(rng)


@pytest.mark.parametrize("kind", sorted(_STAGES))
def test_every_stage_changes_images_and_keeps_their_shape(kind, rng):
    # some stages act on faint grain alone, some on strong
    both = np.concatenate([textured(rng, 3, 40, grain)[:, :36] for grain in (4.0, 40.0)])
    levels = torch.from_numpy(both).permute(0, 3, 1, 2).float()
    results = [
        SimulatedSource((Stage(kind, 3, weights),), False).apply(levels, np.random.default_rng(0)) for weights in (3, 6)
    ]
    for made in results:
        assert made.shape == levels.shape
        assert torch.isfinite(made).all()
        assert not torch.equal(made, levels)
    assert not torch.equal(*results)  # a sibling is another source


def test_faithful_sources_keep_the_colours_of_their_images(rng):
    levels = torch.from_numpy(textured(rng, 20)).permute(0, 3, 1, 2).float()
    stages = (Stage("mix_colours", 0, 1), Stage("saturate", 0, 4), Stage("zoom", 1, 2))
    pixels = levels.permute(1, 0, 2, 3).flatten(1)
    faithful, plain = (
        SimulatedSource(stages, kept).apply(levels, np.random.default_rng(0)).permute(1, 0, 2, 3).flatten(1)
        for kept in (True, False)
    )
    assert torch.allclose(faithful.mean(1), pixels.mean(1), atol=1)
    assert torch.allclose(torch.cov(faithful), torch.cov(pixels), rtol=0.05, atol=5)
    assert not torch.allclose(torch.cov(plain), torch.cov(pixels), rtol=0.05, atol=5)


def test_scrambled_phases_leave_the_power_of_each_frequency(rng):
    x = torch.from_numpy(textured(rng, 3)).permute(0, 3, 1, 2).float() / 255
    made = scramble(x, *(np.random.default_rng(seed) for seed in (0, 2, 0)))
    assert (made - x).abs().max() > 0.01
    assert torch.allclose(torch.fft.fft2(made).abs(), torch.fft.fft2(x).abs(), atol=1e-2)


def test_episodes_follow_from_seed_and_step(rng):
    episodes = SimulatedEpisodes(textured(rng, 60), sources=4, set_sizes=SMALL, seed=3)
    assert torch.equal(episodes(5).pixels, episodes(5).pixels)
    assert sum(episodes(5).sizes) == len(episodes(5).pixels)
    assert len(episodes(5).labels) == len(episodes(5).sizes)


def test_sources_have_the_stages_that_they_may_have(rng):
    kinds = ("warp", "noise")
    drawn = draw_sources(40, rng, siblings=0.3, kinds=kinds)
    assert {stage.kind for source in drawn for stage in source.stages} == set(kinds)


def test_single_images_weigh_in_the_loss_beside_their_sets(rng):
    episode = SimulatedEpisodes(textured(rng, 60), sources=3, set_sizes=SMALL)(0)
    torch.manual_seed(0)
    network, contrast = SetNetwork((4, 4, 8, 8), 8, 4), SupConLoss(0.1)
    sets, both = (_loss(network, episode, contrast, TrainingConfig(1, image_loss=w)).item() for w in (0.0, 0.5))
    owners = [label for label, n in zip(episode.labels, episode.sizes, strict=True) for _ in range(n)]
    alone = Episode(episode.pixels, (1,) * len(owners), torch.stack(owners))
    assert both == pytest.approx(sets + 0.5 * _loss(network, alone, contrast, TrainingConfig(1)).item(), rel=1e-5)


def test_labels_of_a_pool_are_places_in_it(rng):
    pool = tuple(draw_sources(30, rng, siblings=0.5))
    episode = SimulatedEpisodes(textured(rng, 60), sources=4, set_sizes=SMALL, pool=pool, cropped=0.0)(0)
    assert len(set(episode.labels.tolist())) == 4
    assert 4 <= max(episode.labels.tolist()) < 30


def test_a_loss_may_learn_proxies_of_its_own(tmp_path, rng):
    pool = tuple(draw_sources(6, rng, siblings=0.5))
    episodes = SimulatedEpisodes(textured(rng, 60), sources=4, set_sizes=SMALL, pool=pool)
    torch.manual_seed(0)
    network, loss = SetNetwork((4, 4, 8, 8), 8, 4), ProxyAnchorLoss(6, 4)
    before = loss.proxies.detach().clone()
    train(network, episodes, [episodes(99)], TrainingConfig(4, validate_every=2), criterion=loss)
    assert not torch.allclose(before, loss.proxies)


def test_labelled_sets_of_an_episode_are_disjoint():
    images = {name: np.full((12, 16, 16, 3), 0, np.uint8) for name in "ab"}
    for offset, own in enumerate(images.values()):
        own[:] = (np.arange(12) + 100 * offset).reshape(12, 1, 1, 1)
    episode = LabelledEpisodes(images, set_sizes=SetSizes((2, 4), (2, 3)))(0)
    assert len(set(episode.pixels[:, 0, 0, 0].tolist())) == len(episode.pixels)


@pytest.mark.parametrize("killed_after", [4, 8])
def test_a_killed_training_ends_where_an_unbroken_one_does(tmp_path, rng, killed_after):
    episodes = SimulatedEpisodes(textured(rng, 60), sources=3, set_sizes=SMALL)
    config = TrainingConfig(steps=12, validate_every=4)

    def network():
        torch.manual_seed(0)
        return SetNetwork((4, 4, 8, 8, 8, 8), 8, 4)

    class Killed(Exception):
        pass

    def kill(step, *_):
        if step == killed_after + 1:
            raise Killed

    whole = network()
    expected = train(whole, episodes, [episodes(99)], config)
    path = tmp_path / "training.safetensors"
    with pytest.raises(Killed):
        train(network(), episodes, [episodes(99)], config, path, kill)
    resumed = network()
    assert train(resumed, episodes, [episodes(99)], config, path).history[1:] == expected.history[1:]
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_checkpoint_of_another_training_is_refused(tmp_path, rng):
    episodes = SimulatedEpisodes(textured(rng, 20), sources=2, set_sizes=SMALL)
    path, config = tmp_path / "training.safetensors", TrainingConfig(steps=1)
    network = SetNetwork((4, 4, 8, 8, 8, 8), 8, 4)
    train(network, episodes, [episodes(9)], config, path, run_id="these images")
    train(network, episodes, [episodes(9)], config, path, run_id="these images")
    for other in ({"run_id": "other images"}, {"config": TrainingConfig(steps=2)}):
        asked = {"config": config, "run_id": "these images", **other}
        with pytest.raises(WeightsError, match="belongs to a training with other"):
            train(network, episodes, [episodes(9)], asked["config"], path, run_id=asked["run_id"])


def test_fit_learns_from_sets_of_images_in_place(small_model, rng):
    sets = [ImageSet.from_array(textured(rng, 20, grain=g), n) for n, g in (("a", 3.0), ("b", 20.0), ("c", 60.0))]
    encoder = copy.deepcopy(small_model.fingerprinter)
    before = encoder.extractor_id
    assert encoder.fit(sets, [s.name for s in sets], steps=10) is encoder
    assert encoder.extractor_id != before
    assert encoder.transform(sets).shape == (3, 96)
    assert small_model.fingerprinter.extractor_id == before


def test_fit_without_weights_goes_on_from_the_shipped_ones(rng, monkeypatch, shipped):
    started = []
    monkeypatch.setattr("genprint.encoder.training.finetuning.train", lambda network, *_, **__: started.append(network))
    sets = [ImageSet.from_array(textured(rng, 10, grain=g), n) for n, g in (("a", 3.0), ("b", 20.0))]
    encoder = SetEncoder().fit(sets, ["a", "b"])
    assert started == [encoder.network]
    assert encoder.extractor_id == shipped.fingerprinter.extractor_id


def test_fit_refuses_too_little(small_model, rng):
    one = ImageSet.from_array(textured(rng, 20), "a")
    few = ImageSet.from_array(textured(rng, 3), "b")
    for fit in (copy.deepcopy(small_model.fingerprinter).fit, small_model.fit):
        with pytest.raises(ImageSetError, match="two sources"):
            fit([one], ["a"])
        with pytest.raises(ImageSetError, match="b: 3 usable"):
            fit([one, few], ["a", "b"])


def test_images_held_back_are_a_fifth_of_each_source_and_never_trained_on(rng):
    sets = [ImageSet.from_array(textured(rng, n, side=side), name) for name, n, side in (("a", 20, 40), ("b", 10, 24))]
    sets.append(ImageSet.from_array(textured(rng, 5), "more of a"))
    training, validation = collect(sets, ["a", "b", "a"], 0)
    assert {name: (len(training[name]), len(validation[name])) for name in training} == {"a": (20, 5), "b": (8, 2)}
    assert all(own.shape[1:] == (24, 24, 3) for part in (training, validation) for own in part.values())
    for name in "ab":
        assert not {own.tobytes() for own in training[name]} & {own.tobytes() for own in validation[name]}
    again, other = (collect(sets, ["a", "b", "a"], seed)[0]["b"] for seed in (0, 1))
    assert (again == training["b"]).all()
    assert (other != training["b"]).any()


@pytest.mark.slow
def test_pretraining_from_the_start_and_from_an_encoder(rng, tmp_path, monkeypatch, shipped):
    photographs = [textured(rng, 600), textured(rng, 600, grain=5.0)]
    generated = {name: textured(rng, n, grain=g) for name, n, g in (("gan", 5, 8.0), ("vae", 4, 30.0))}
    settings = {"set_sizes": SMALL, "projection_sources": 12}
    results = []

    def training(*arguments, **more):
        results.append(train(*arguments, **more))
        return results[-1]

    monkeypatch.setattr(pretraining, "train", training)
    first = pretrain(
        photographs, generated, TrainingConfig(2, validate_every=1), front_ends=[["high_pass"]], **settings
    )
    assert [result.steps for result in results] == [2, 1]  # the tower, and the head
    assert list(first.population) == ["gan", "vae", "real"]
    assert [len(own) for own in first.population.values()] == [5, 4, 4]  # as many real ones as of the fewest
    whole = Model(first.encoder, first.plda)
    model = whole.calibrated(first.plda, first.population, POPULATION, POPULATION_CONDITIONS)
    assert model.population.sources == 3
    assert model.population.conditions == shipped.population.conditions
    model.save(tmp_path)
    images = ImageSet.from_array(textured(rng, 3), "a")
    again = Model.load(tmp_path)
    assert np.allclose(again.fingerprinter.transform([images]), first.encoder.transform([images]))
    assert again.identity == model.identity
    start = shipped.fingerprinter
    assert start.network.config["front_ends"] != first.encoder.network.config["front_ends"]
    told = []
    on = pretrain(
        photographs, generated, TrainingConfig(1, validate_every=1), tmp_path / "checkpoint",
        lambda *at: told.append(at[:2]), start=start, **settings,
    )  # fmt: skip
    assert results[2].first_loss != results[0].first_loss  # not random weights any more
    assert told == [(1, 2), (2, 2), (1, 1)]  # two towers, and the head
    assert {path.name for path in tmp_path.glob("checkpoint*")} == {
        "checkpoint.raw-high_pass", "checkpoint.high_pass", "checkpoint.head"
    }  # fmt: skip
    assert on.encoder.parts == len(on.plda.within) == 2
    assert on.encoder.network.config["front_ends"] == start.network.config["front_ends"]


def _gradient(rank: int, processes: int, folder: str) -> None:
    """One step of one of several processes; writes the gradients and what normalisation has learned."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    episode = SimulatedEpisodes(textured(rng, 60), sources=3, set_sizes=SMALL)(0)
    torch.manual_seed(0)
    network = SetNetwork((4, 4, 8, 8), 8, 4, front_ends=(("raw", "high_pass"), ("high_pass",)))
    if processes > 1:
        dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=processes)
        share_norms(network)
    loss = _loss(network, episode, SupConLoss(0.1), TrainingConfig(1))
    loss.backward()
    add_gradients(network)
    found = {name: parameter.grad for name, parameter in network.named_parameters()}
    torch.save({**found, **dict(network.named_buffers()), "loss": loss.detach()}, f"{folder}/{processes}-{rank}.pt")
    if processes > 1:
        dist.destroy_process_group()


@pytest.mark.slow
def test_processes_that_share_a_step_have_the_gradient_of_one(tmp_path):
    processes = 3
    _gradient(0, 1, str(tmp_path))
    torch.multiprocessing.spawn(_gradient, (processes, str(tmp_path)), processes)
    alone = torch.load(tmp_path / "1-0.pt")
    for rank in range(processes):
        shared = torch.load(tmp_path / f"{processes}-{rank}.pt")
        assert shared.keys() == alone.keys()
        for name, expected in alone.items():
            assert torch.allclose(shared[name], expected, atol=1e-4 * float(expected.abs().max())), name
