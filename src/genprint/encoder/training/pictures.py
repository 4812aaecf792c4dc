"""The model for pictures: towers as they are, blocks beside them, and all else learned from larger images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from genprint.encoder.blocks import STATISTICS
from genprint.encoder.encoder import SetEncoder
from genprint.encoder.network import SetNetwork
from genprint.encoder.training.pretraining import raw_statistics, set_projections
from genprint.encoder.training.publishing import Published
from genprint.fingerprints.fingerprint import by_part
from genprint.images.sets import ImageSet
from genprint.scoring.plda import PLDA

FEATURES = 512
# What blocks count for in a comparison, against each of the towers. On benchmarks/pictures.py, more gained nothing
# after JPEG and WebP, and cost what towers see in lossless images.
_BLOCKS = 3.0
# Sides in pixels, groups and images of each source.
_LEARNED = ((128, 300, 6), (256, 60, 4))
#: Simulated sources of the reference population, and images of each.
POPULATION, _POPULATION_IMAGES = 36, 24
_TYPICAL = 10  # images of a set
NAME = "simulated sources of pictures"


@dataclass(frozen=True)
class Learned:
    """What is learned for pictures; ``genprint.Model.calibrated`` makes a model of it.

    Attributes:
        encoder: with its network.
        plda: the scorer.
        population: image sets of the reference population's sources, by name.
    """

    encoder: SetEncoder
    plda: PLDA
    population: Mapping[str, ImageSet]


class _Moments:
    """Of sources in groups: scatter of images within a source, and means less those of the group."""

    def __init__(self, parts: int):
        self._parts, self._scatter = parts, np.zeros((1, 1, 1))
        self._means: list[np.ndarray] = []
        self._counts: list[int] = []
        self._centre: list[np.ndarray] = []

    def add(self, group: Sequence[np.ndarray]) -> None:
        """One group: statistics of each source's images, ``(images, s)``."""
        means = np.stack([own.mean(0) for own in group]).astype(np.float64)
        deviations = np.concatenate([own - own.mean(0) for own in group])
        parts = by_part(deviations, self._parts)
        self._scatter = self._scatter + parts.swapaxes(1, 2) @ parts
        centre = means.mean(0)
        # As many means that have lost one degree of freedom for each group vary by less.
        self._means.append((means - centre) * np.sqrt(len(group) / (len(group) - 1)))
        self._counts += [len(own) for own in group]
        self._centre.append(centre)

    def plda(self) -> PLDA:
        """How sources in one condition differ."""
        means = np.concatenate(self._means) + np.mean(self._centre, axis=0)
        return PLDA.from_moments(means, np.array(self._counts), self._scatter)


def learn(
    photographs: Sequence[np.ndarray], start: SetEncoder, progress: Callable[[int, int], None] | None = None,
    learned: Iterable[tuple[int, int, int]] = _LEARNED, seed: int = 0,
) -> Learned:  # fmt: skip
    """Learns directions, scorer and head in closed form from simulated sources that publishers have processed.

    Sources of a group share their processing, and only these are told apart: a gallery is brought to a probe's
    condition, so that traces need not survive any unchanged.

    Args:
        photographs: real ones, uint8 ``(h, w, 3)``.
        start: an encoder, of which the towers are taken as they are.
        progress: called with the groups done and their number.
        learned: sides in pixels, groups, and images of each source.
        seed: of all that is drawn.
    """
    network = SetNetwork(**{**start.network.config, "features": FEATURES, "blocks": True})
    network.with_layers_of(start.network.towers)
    encoder = SetEncoder(start.tiles, start.seed)
    encoder.network_ = network
    projections, counts = [tower.project for tower in network.towers], network.blocks
    assert counts
    with raw_statistics(network):
        towers, blocks = _moments(encoder, photographs, tuple(learned), seed, progress)
    plda = PLDA.stacked([set_projections(projections, towers.plda()), set_projections([counts], blocks.plda())])
    plda = replace(plda, weights=np.array([1.0] * len(projections) + [_BLOCKS]))
    _set_head(network, plda)
    many = Published(
        photographs, sources=POPULATION, images=_POPULATION_IMAGES, siblings=0.5, processed=False, seed=seed + 1
    )
    (group,) = many.groups(1)
    population = {f"simulated {i}": ImageSet.from_array(made, f"simulated {i}") for i, made in enumerate(group)}
    return Learned(encoder, plda, population)


def _moments(
    encoder: SetEncoder, photographs: Sequence[np.ndarray], learned: Sequence[tuple[int, int, int]], seed: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[_Moments, _Moments]:  # fmt: skip
    """Of the towers' statistics, and of the blocks'."""
    towers, blocks = _Moments(encoder.parts - 1), _Moments(1)
    done, total = 0, sum(groups for _, groups, _ in learned)
    for side, groups, images in learned:
        for group in Published(photographs, side, images=images, seed=seed).groups(groups):
            statistics = [encoder.extract(ImageSet.from_array(made, "")).values for made in group]
            towers.add([own[:, :-STATISTICS] for own in statistics])
            blocks.add([own[:, -STATISTICS:] for own in statistics])
            done += 1
            if progress:
                progress(done, total)
    return towers, blocks


@torch.no_grad()
def _set_head(network: SetNetwork, plda: PLDA) -> None:
    """Makes the unit vector of the mean's strongest discriminants, as many of each part, all of one spread."""
    first, _, last = network.head
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    each = last.out_features // network.parts
    chosen = np.concatenate([np.arange(each) + part * FEATURES for part in range(network.parts)])
    spread = np.sqrt(np.diagonal(plda.between + plda.within / _TYPICAL, axis1=1, axis2=2).ravel()[chosen])
    for layer in (first, last):
        layer.weight.zero_()
        layer.bias.zero_()
    for i, (feature, width) in enumerate(zip(chosen, spread, strict=True)):
        # A rectified linear unit for each sign.
        first.weight[2 * i : 2 * i + 2, feature] = torch.tensor([1.0, -1.0]) / width
        last.weight[i, 2 * i : 2 * i + 2] = torch.tensor([1.0, -1.0])
