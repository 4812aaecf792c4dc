"""Pretraining: an encoder learned from real images and simulated sources alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from genprint.encoder.encoder import SetEncoder
from genprint.encoder.network import SetNetwork, Tower
from genprint.encoder.training.episodes import Episode, SetSizes, SimulatedEpisodes
from genprint.encoder.training.loop import Progress, TrainingConfig, train
from genprint.encoder.training.simulator import KINDS, draw_sources
from genprint.fingerprints.fingerprint import Features
from genprint.fingerprints.residuals import to_pixels
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.processing import Change, blur, chain, grey, jpeg, noise, resize
from genprint.images.sets import ImageSet
from genprint.scoring.conditions import HISTORIES, SHIFTS
from genprint.scoring.plda import PLDA
from genprint.storage.files import digest

# As many images a step as sets have on average.
SINGLE = SetSizes(images=(1,), sets=(11, 11))
# Later layers teach the first what to look for; what these see tells sources apart better without them.
KEPT_LAYERS, FEATURES = 4, 768
# Some sources are told better by the residual alone, others with the pixels beside it.
FRONT_ENDS = (("raw", "high_pass"), ("high_pass",))
# How sources differ is learned from many sources, of few images each.
PROJECTION_SOURCES, PROJECTION_IMAGES = 4000, 40
# What galleries are not looked at after, but populations are: more than any one history, and several in turn. Sets that
# went through what the population did not are more alike than its thresholds have it.
_BEYOND: Mapping[str, Change] = {
    **{f"JPEG {quality}": jpeg(quality) for quality in (30, 15, 8)},
    **{f"resize {share} %": resize(share / 100) for share in (60, 40, 25)},
    "blur 2": blur(2), "noise 10": noise(10), "grey": grey(), "grey, resize 75 %": chain(grey(), resize(0.75)),
    "grey, JPEG 75": chain(grey(), jpeg(75)), "noise 5, JPEG 75": chain(noise(5), jpeg(75)),
    "resize 50 %, noise 4": chain(resize(0.5), noise(4)),
    **{
        f"{name}, JPEG {quality}": chain(first, jpeg(quality))
        for name, first in {
            "resize 75 %": resize(0.75), "resize 50 %": resize(0.5), "blur 0.7": blur(0.7),
            **SHIFTS,
        }.items()
        for quality in (90, 75, 50)
    },
}  # fmt: skip
POPULATION = "the shipped generators and real images"


def split(images: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The first nine tenths of each collection to train on, its last tenth to validate.

    Cut in one place: neighbours are often crops of one photograph.
    """
    cuts = [len(own) - len(own) // 10 for own in images]
    return (
        np.concatenate([own[:cut] for own, cut in zip(images, cuts, strict=True)]),
        np.concatenate([own[cut:] for own, cut in zip(images, cuts, strict=True)]),
    )


def pretrain(
    images: Sequence[np.ndarray],
    config: TrainingConfig,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    seed: int = 0,
    set_sizes: SetSizes = SINGLE,
    projection_sources: int = PROJECTION_SOURCES,
    population_images: int = 100,
    start: SetEncoder | None = None,
    front_ends: Sequence[Sequence[str]] = FRONT_ENDS,
) -> SetEncoder:
    """A set encoder that has never seen a generator.

    Deep towers are trained end to end, one after the other; their first layers are kept side by side, with projections
    and a head of their own. The head always learns from sets.

    Args:
        images: collections of real images, uint8 ``(n, h, w, 3)`` of one size, sides multiples of 4.
        config: of the training of each tower.
        checkpoint: written at every validation; a later call goes on from it.
        progress: told of all towers' steps together.
        set_sizes: of what the towers learn from; single images teach it more than sets of several do.
        projection_sources: fresh simulated sources for the features' directions and the scorer.
        population_images: of each shipped generator, and as many real ones, for verification: simulated sources differ
            more than models do.
        start: an encoder to go on from, in place of random weights; siblings come from the first step on.
        front_ends: what each tower sees; those of ``start`` if there is one.
    """
    training, validation = split(images)
    population = _population(validation, population_images, seed + 4)  # before hours of training: it may lack something
    encoder = SetEncoder(seed=seed)
    if start:
        front_ends = start.network_.config["front_ends"]
    # Siblings come as the loss falls.
    episodes = SimulatedEpisodes(training, set_sizes=set_sizes, seed=seed, warmup=0 if start else config.steps // 4)
    checks = _checks(validation, set_sizes, seed + 1)
    of = json.dumps([seed, repr(set_sizes), digest(training.tobytes()), start and start.weights_digest_])
    towers = []
    for i, views in enumerate(front_ends):
        torch.manual_seed(seed)
        deep = SetNetwork(front_ends=[views])
        if start:
            deep.with_layers_of([start.network_.towers[i]])
        along = _of_all(progress, i, len(front_ends))
        encoder.training_ = train(deep, episodes, checks, config, _aside(checkpoint, "-".join(views)), along, of=of)
        towers.append(deep.towers[0])
    encoder.network_ = first_layers(front_ends, towers)
    scorer = _refit_projection(encoder, training, projection_sources, seed + 3)
    last = replace(config, steps=max(1, config.steps // 8), head_only=True)
    episodes = SimulatedEpisodes(training, seed=seed, warmup=0)
    train(
        encoder.network_,
        episodes,
        _checks(validation, SetSizes(), seed + 1),
        last,
        _aside(checkpoint, "head"),
        progress,
        of=of,
    )
    histories = {**HISTORIES, **_BEYOND}
    features = {
        name: encoder.features(ImageSet.from_array(own, name), histories=histories) for name, own in population.items()
    }
    encoder._calibrate(scorer, features, POPULATION)
    return encoder


def first_layers(front_ends: Sequence[Sequence[str]], towers: Sequence[Tower]) -> SetNetwork:
    """The first layers of these towers, side by side, with all statistics there are; the rest is untrained."""
    channels = [layer[0].out_channels for layer in towers[0].layers[:KEPT_LAYERS]]  # type: ignore[index]
    network = SetNetwork(channels, FEATURES, front_ends=front_ends, relative=True, phases=True)
    return network.with_layers_of(towers)


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


@torch.no_grad()
def _refit_projection(
    encoder: SetEncoder, images: np.ndarray, sources: int, seed: int, kinds: Sequence[str] = KINDS
) -> PLDA:
    """Replaces the towers' projections by the directions that best tell fresh simulated sources apart.

    The learned projection keeps what solves its training; on real generators the linear discriminants of all
    statistics, many of them, carry further. Returns how sources differ along these.
    """
    towers = encoder.network_.towers
    projections = [tower.project for tower in towers]
    for tower in towers:
        tower.project = torch.nn.Identity()  # type: ignore[assignment]
    statistics = _simulated_features(encoder, images, sources, seed, PROJECTION_IMAGES, kinds)
    plda = PLDA.fit(encoder.summarise(own, name, vector=False) for name, own in statistics.items())
    directions = plda.directions()[:, :, : encoder.network_.config["features"]]
    means = np.split(plda.mean, len(towers))
    for tower, projection, own, mean in zip(towers, projections, directions, means, strict=True):
        projection.weight.copy_(torch.from_numpy(own).T)
        projection.bias.copy_(torch.from_numpy(-mean @ own))
        tower.project = projection
    return plda.along(directions)


@torch.inference_mode()
def _simulated_features(
    encoder: SetEncoder, images: np.ndarray, sources: int, seed: int, count: int, kinds: Sequence[str] = KINDS
) -> dict[str, Features]:
    """Features of ``count`` images of each of many fresh simulated sources."""
    rng = np.random.default_rng(seed)
    features = {}
    for i, source in enumerate(draw_sources(sources, rng, siblings=0.2, kinds=kinds)):
        levels = to_pixels(images[rng.choice(len(images), count, replace=False)])
        made = source.apply(levels, rng).permute(0, 2, 3, 1).numpy().astype(np.uint8)
        features[str(i)] = encoder._array_features(made)
    return features


def _population(real: np.ndarray, count: int, seed: int) -> dict[str, np.ndarray]:
    """Images of the shipped generators, descendants apart, and real ones."""
    made = {
        folder.name: sample(load(folder)[0], folder.name, count, seed)
        for folder in shipped()
        if not describe(folder)["parent"]
    }
    return {**made, "real": real[np.random.default_rng(seed).choice(len(real), count, replace=False)]}
