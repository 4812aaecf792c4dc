"""Episodes: what one training step sees. Several disjoint sets of each of several sources.

Every episode follows from (seed, step) alone, so a resumed training goes on exactly as an unbroken one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genprint.encoder.training.simulator import KINDS, SimulatedSource, draw_sources
from genprint.fingerprints.residuals import Pixels, to_pixels


@dataclass(frozen=True)
class Episode:
    """Images of all sets one after another, the size of each set, and each set's source as a label."""

    pixels: Pixels
    sizes: tuple[int, ...]
    labels: Int[Tensor, " sets"]


class Episodes(Protocol):
    """A reproducible stream of episodes."""

    def __call__(self, step: int) -> Episode: ...


def pad_sets(
    features: Float[Tensor, "n d"], sizes: Sequence[int]
) -> tuple[Float[Tensor, "sets m d"], Bool[Tensor, "sets m"]]:
    """Cuts features into sets and pads them to the largest; the mask is True where there is an image."""
    padded = torch.nn.utils.rnn.pad_sequence(list(features.split(list(sizes))), batch_first=True)
    mask = torch.arange(padded.shape[1]).unsqueeze(0) < torch.tensor(sizes).unsqueeze(1)
    return padded, mask.to(features.device)


@dataclass(frozen=True)
class SetSizes:
    """How many sets a source shows in an episode, and how many images each has, drawn at random."""

    images: tuple[int, ...] = (1, 2, 4, 8)
    sets: tuple[int, int] = (2, 4)

    def draw(self, rng: np.random.Generator) -> list[int]:
        """Sizes of one source's sets."""
        return [int(size) for size in rng.choice(self.images, size=int(rng.integers(*self.sets, endpoint=True)))]


@dataclass(frozen=True)
class SimulatedEpisodes:
    """Real images through ever new simulated sources.

    Args:
        images: real images, uint8 ``(n, h, w, 3)``, h and w multiples of 4.
        sources: sources an episode.
        siblings: chance of a source to be a sibling of another; grows from 0 to this over ``warmup`` steps.
        cropped: chance of an episode to show only a crop (random size and place, one for all) of each image.
        kinds: of stages that sources have.
        pool: sources to draw from in place of ever new ones; labels are places in it.
    """

    images: np.ndarray = field(repr=False)
    sources: int = 24
    set_sizes: SetSizes = SetSizes()
    siblings: float = 0.5
    warmup: int = 4000
    cropped: float = 0.2
    seed: int = 0
    kinds: Sequence[str] = KINDS
    pool: Sequence[SimulatedSource] = field(default=(), repr=False)

    def __call__(self, step: int) -> Episode:
        rng = np.random.default_rng([self.seed, step])
        sizes: list[int] = []
        labels: list[int] = []
        pixels: list[Tensor] = []
        for label, source in self._draw(step, rng):
            drawn = self.set_sizes.draw(rng)
            chosen = self.images[rng.choice(len(self.images), size=sum(drawn), replace=False)]
            mirrored = np.where(rng.random((len(chosen), 1, 1, 1)) < 0.5, chosen, chosen[:, :, ::-1])
            pixels.append(source.apply(to_pixels(mirrored), rng))
            sizes += drawn
            labels += [label] * len(drawn)
        return Episode(self._crop(torch.cat(pixels), rng), tuple(sizes), torch.tensor(labels))

    def _draw(self, step: int, rng: np.random.Generator) -> list[tuple[int, SimulatedSource]]:
        if self.pool:
            return [(int(i), self.pool[i]) for i in rng.choice(len(self.pool), self.sources, replace=False)]
        siblings = self.siblings * min(1.0, step / max(1, self.warmup))
        return list(enumerate(draw_sources(self.sources, rng, siblings, self.kinds)))

    def _crop(self, pixels: Pixels, rng: np.random.Generator) -> Float[Tensor, "n 3 y x"]:
        if rng.random() >= self.cropped:
            return pixels
        height, width = (int(rng.integers(3 * side // 4, side, endpoint=True)) for side in pixels.shape[2:])
        top = int(rng.integers(pixels.shape[2] - height, endpoint=True))
        left = int(rng.integers(pixels.shape[3] - width, endpoint=True))
        return pixels[:, :, top : top + height, left : left + width]


@dataclass(frozen=True)
class LabelledEpisodes:
    """Sets drawn from the images of known sources; one set's images are never in another of its episode.

    Args:
        images: of each source, uint8 ``(n_source, h, w, 3)``, all of one size, at least two images each.
        sources: sources an episode, at most.
    """

    images: Mapping[str, np.ndarray] = field(repr=False)
    sources: int = 24
    set_sizes: SetSizes = SetSizes()
    seed: int = 0

    def __call__(self, step: int) -> Episode:
        rng = np.random.default_rng([self.seed, step])
        names = list(self.images)
        sizes: list[int] = []
        labels: list[int] = []
        pixels: list[np.ndarray] = []
        for label in rng.permutation(len(names))[: self.sources]:
            images = self.images[names[label]]
            wanted = self.set_sizes.draw(rng)
            wanted = wanted[: len(images)]
            while sum(wanted) > len(images):  # a small source gives smaller sets rather than an image twice
                wanted[wanted.index(max(wanted))] -= 1
            pixels.append(images[rng.choice(len(images), size=sum(wanted), replace=False)])
            sizes += wanted
            labels += [int(label)] * len(wanted)
        return Episode(to_pixels(np.concatenate(pixels)), tuple(sizes), torch.tensor(labels))
