"""Pretraining: an encoder learned from real images and simulated sources alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from genprint.encoder.encoder import SetEncoder
from genprint.encoder.network import SetNetwork, Tower
from genprint.encoder.training.episodes import Episode, SetSizes, SimulatedEpisodes
from genprint.encoder.training.loop import Progress, TrainingConfig, train
from genprint.encoder.training.simulator import KINDS, draw_sources
from genprint.fingerprints.conditions import CONDITIONS, SHIFTS
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.residuals import to_images, to_pixels
from genprint.images.processing import Blur, Chain, Grey, Jpeg, Noise, Resize
from genprint.images.sets import ImageSet
from genprint.scoring.plda import PLDA
from genprint.storage.device import device
from genprint.storage.files import digest

# As many images a step as sets have on average.
SINGLE = SetSizes(images=(1,), sets=(11, 11))
# Later layers shape the first ones in training; sources are separated better by the first ones alone.
KEPT_LAYERS, FEATURES = 4, 768
# Some sources are separated better by the residual alone, others by residual and pixels.
FRONT_ENDS = (("raw", "high_pass"), ("high_pass",))
# How sources differ is learned from many sources, of few images each.
PROJECTION_SOURCES, PROJECTION_IMAGES = 4000, 40
#: Conditions of the reference population: some are stronger than any one of CONDITIONS, or several in turn. Sets in a
#: condition that the population does not know are more alike than its thresholds allow for.
POPULATION_CONDITIONS = (
    *CONDITIONS.values(),
    *(Jpeg(quality) for quality in (30, 15, 8)),
    *(Resize(share) for share in (0.6, 0.4, 0.25)),
    Blur(2), Noise(10), Grey(), Chain((Grey(), Resize(0.75))), Chain((Grey(), Jpeg(75))), Chain((Noise(5), Jpeg(75))),
    Chain((Resize(0.5), Noise(4))),
    *(
        Chain((first, Jpeg(quality)))
        for first in (Resize(0.75), Resize(0.5), Blur(0.7), *SHIFTS)
        for quality in (90, 75, 50)
    ),
)  # fmt: skip
POPULATION = "the shipped generators and real images"


@dataclass(frozen=True)
class Pretrained:
    """What pretraining learns; ``genprint.Model.calibrated`` makes a model of it.

    Attributes:
        encoder: with its network.
        plda: the scorer, learned from simulated sources.
        population: fingerprints of the reference population's sources, by name; for ``POPULATION_CONDITIONS``.
    """

    encoder: SetEncoder
    plda: PLDA
    population: Mapping[str, Fingerprint]


def split(images: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The first nine tenths of each collection to train on, its last tenth to validate.

    Cut in one place: neighbours are often crops of one photograph.
    """
    cuts = [len(collection) - len(collection) // 10 for collection in images]
    return (
        np.concatenate([collection[:cut] for collection, cut in zip(images, cuts, strict=True)]),
        np.concatenate([collection[cut:] for collection, cut in zip(images, cuts, strict=True)]),
    )


def pretrain(  # noqa: PLR0913
    images: Sequence[np.ndarray],
    generated: Mapping[str, np.ndarray],
    config: TrainingConfig,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    seed: int = 0,
    set_sizes: SetSizes = SINGLE,
    projection_sources: int = PROJECTION_SOURCES,
    start: SetEncoder | None = None,
    front_ends: Sequence[Sequence[str]] = FRONT_ENDS,
) -> Pretrained:
    """A set encoder that has never seen a generator.

    Deep towers are trained end to end, one after the other; their first layers are kept side by side, with projections
    and a head of their own. The head always learns from sets.

    Args:
        images: collections of real images, uint8 ``(n, h, w, 3)`` of one size, sides multiples of 4.
        generated: images of real generators, by name, as many of each: with real ones, the reference population, for
            simulated sources differ more than models do. Nothing else is learned from them.
        config: of the training of each tower.
        checkpoint: written at every validation; a later call goes on from it.
        progress: called after every step, with steps counted over all towers.
        seed: of initial weights, episodes and simulated sources.
        set_sizes: of what the towers learn from; single images gave better towers than sets of several.
        projection_sources: fresh simulated sources for the features' directions and the scorer.
        start: an encoder to go on from, in place of random weights; siblings come from the first step on.
        front_ends: what each tower sees; those of ``start`` if there is one.
    """
    training, validation = split(images)
    encoder = SetEncoder(seed=seed)
    if start:
        front_ends = start.network.config["front_ends"]
    # Siblings come as the loss falls.
    episodes = SimulatedEpisodes(training, set_sizes=set_sizes, seed=seed, warmup=0 if start else config.steps // 4)
    checks = _checks(validation, set_sizes, seed + 1)
    run_id = json.dumps([seed, repr(set_sizes), digest(training.tobytes()), start and start.extractor_id])
    towers = []
    for i, views in enumerate(front_ends):
        torch.manual_seed(seed)
        deep = SetNetwork(front_ends=[views]).to(device())
        if start:
            deep.with_layers_of([start.network.towers[i]])
        along = _of_all(progress, i, len(front_ends))
        train(deep, episodes, checks, config, _aside(checkpoint, "-".join(views)), along, run_id=run_id)
        towers.append(deep.towers[0])
    encoder.network_ = first_layers(front_ends, towers)
    scorer = refit_projection(encoder, training, projection_sources, seed + 3)
    last = replace(config, steps=max(1, config.steps // 8), head_only=True)
    episodes = SimulatedEpisodes(training, seed=seed, warmup=0)
    train(
        encoder.network_,
        episodes,
        _checks(validation, SetSizes(), seed + 1),
        last,
        _aside(checkpoint, "head"),
        progress,
        run_id=run_id,
    )
    count = min(map(len, generated.values()))
    real = validation[np.random.default_rng(seed + 4).choice(len(validation), count, replace=False)]
    population = {
        name: encoder.extract(ImageSet.from_array(pixels, name)) for name, pixels in {**generated, "real": real}.items()
    }
    return Pretrained(encoder, scorer, population)


def first_layers(front_ends: Sequence[Sequence[str]], towers: Sequence[Tower]) -> SetNetwork:
    """The first layers of these towers, side by side, with all statistics there are; the rest is untrained."""
    channels = [layer[0].out_channels for layer in towers[0].layers[:KEPT_LAYERS]]  # type: ignore[index]
    network = SetNetwork(channels, FEATURES, front_ends=front_ends, relative=True, phases=True)
    return network.with_layers_of(towers).to(device())


def _aside(checkpoint: Path | None, what: str) -> Path | None:
    """A checkpoint of its own for each training."""
    return checkpoint.with_suffix(f".{what}{checkpoint.suffix}") if checkpoint else None


def _of_all(progress: Progress | None, done: int, towers: int) -> Progress | None:
    """Progress of one tower's training as that of all of them."""
    if progress is None:
        return None
    return lambda step, steps, loss, val: progress(done * steps + step, towers * steps, loss, val)


def _checks(images: np.ndarray, set_sizes: SetSizes, seed: int) -> list[Episode]:
    """Episodes to validate with."""
    episodes = SimulatedEpisodes(images, set_sizes=set_sizes, warmup=0, seed=seed)
    return [episodes(i) for i in range(8)]


def refit_projection(
    encoder: SetEncoder, images: np.ndarray, sources: int, seed: int, kinds: Sequence[str] = KINDS
) -> PLDA:
    """Replaces the towers' projections by the directions that best tell fresh simulated sources apart.

    The learned projection keeps what its training needs; on real generators, many linear discriminants of all
    statistics generalise better. Returns how sources differ along these.
    """
    with raw_statistics(encoder.network):
        statistics = simulated_fingerprints(encoder, images, sources, seed, PROJECTION_IMAGES, kinds)
    return set_projections([tower.project for tower in encoder.network.towers], PLDA.fit(statistics.values()))


@contextmanager
def raw_statistics(network: SetNetwork) -> Iterator[None]:
    """Within, the network's features are the statistics that they follow from."""
    towers, blocks = network.towers, network.blocks
    projections = [tower.project for tower in towers]
    for tower in towers:
        tower.project = nn.Identity()  # type: ignore[assignment]
    network.blocks = blocks and nn.Identity()  # type: ignore[assignment]
    try:
        yield
    finally:
        for tower, projection in zip(towers, projections, strict=True):
            tower.project = projection
        network.blocks = blocks


@torch.no_grad()
def set_projections(projections: Sequence[nn.Linear], plda: PLDA) -> PLDA:
    """Has each give its part's statistics along their strongest discriminants; returns how sources differ there."""
    directions = plda.directions()[:, :, : projections[0].out_features]
    for projection, own, mean in zip(projections, directions, np.split(plda.mean, len(projections)), strict=True):
        projection.weight.copy_(torch.from_numpy(own).T)
        projection.bias.copy_(torch.from_numpy(-mean @ own))
    return plda.along(directions)


@torch.inference_mode()
def simulated_fingerprints(
    encoder: SetEncoder, images: np.ndarray, sources: int, seed: int, count: int, kinds: Sequence[str] = KINDS
) -> dict[str, Fingerprint]:
    """Fingerprints of ``count`` images of each of many fresh simulated sources."""
    rng = np.random.default_rng(seed)
    fingerprints = {}
    for i, source in enumerate(draw_sources(sources, rng, siblings=0.2, kinds=kinds)):
        levels = to_pixels(images[rng.choice(len(images), count, replace=False)])
        made = to_images(source.apply(levels, rng))
        fingerprints[str(i)] = encoder.extract(ImageSet.from_array(made, str(i)))
    return fingerprints
