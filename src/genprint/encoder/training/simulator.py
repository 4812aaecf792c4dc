"""Simulated sources: real images passed through random chains that leave traces as generators do.

A chain is a tuple of stages. The *structure* seed of a stage picks what a designer picks (kind of
up-sampling, tap count, activation); its *weight* seed picks what training would (filters, gains). Sources of
one structure and different weights are siblings, like seeds of one architecture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from genprint.encoder.training import deformations, traces

Rng = np.random.Generator


def _restore_colours(x: Tensor, real: Tensor) -> Tensor:
    """x with the mean and covariance of colours of the images it was made from (the optimal map between Gaussians).

    Training teaches a generator the colours of its data; without this, chains could be told apart
    by colour alone, and an encoder would learn nothing else.
    """
    pixels, target = (images.permute(0, 2, 3, 1).reshape(-1, 3) for images in (x, real))
    ridge = 1e-4 * torch.eye(3)
    root = _root(torch.cov(pixels.T) + ridge)
    inverse = torch.linalg.inv(root)
    change = inverse @ _root(root @ (torch.cov(target.T) + ridge) @ root) @ inverse
    restored: Tensor = (pixels - pixels.mean(0)) @ change + target.mean(0)
    return restored.view(len(x), *x.shape[2:], 3).permute(0, 3, 1, 2)


def _root(matrix: Tensor) -> Tensor:
    """The symmetric square root of a positive definite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


_STAGES: dict[str, Callable[[Tensor, Rng, Rng, Rng], Tensor]] = {
    "autoencode": traces.autoencode,
    "residual_block": traces.residual_block,
    "filter": traces.filter_once,
    "noise": traces.add_noise,
    "smooth": traces.smooth,
    "saturate": traces.saturate,
    "mix_colours": traces.mix_colours,
    "phase_gain": traces.phase_gain,
    "tilt_spectrum": traces.tilt_spectrum,
    "mix_globally": traces.mix_globally,
    "quantise_latent": traces.quantise_latent,
    "warp": deformations.warp,
    "scramble": deformations.scramble,
    "blend": deformations.blend,
    "paint": deformations.paint,
    "compress": deformations.compress,
    "zoom": deformations.zoom,
}
#: kinds of stages: an encoder and decoder, and all others
KINDS = tuple(_STAGES)


@dataclass(frozen=True)
class Stage:
    """One step of a chain: its kind and the two seeds that fix it."""

    kind: str
    structure: int
    weights: int


@dataclass(frozen=True)
class SimulatedSource:
    """A chain of stages; the same images in give the same traces out, apart from fresh noise.

    Attributes:
        stages: applied one after another.
        faithful: whether the colours are brought back to those of the images, as training would.
    """

    stages: tuple[Stage, ...]
    faithful: bool

    @classmethod
    def draw(cls, rng: Rng, kinds: Sequence[str] = KINDS) -> SimulatedSource:
        """A new source: mostly an encoder and decoder, then one to four other stages of these kinds, in any order."""
        chain = ["autoencode"] if rng.random() < 0.75 and "autoencode" in kinds else []
        others = [kind for kind in kinds if kind != "autoencode"]
        chain += [str(kind) for kind in rng.choice(others, size=int(rng.integers(1, 5)))]
        rng.shuffle(chain)
        return cls(
            tuple(Stage(kind, *(int(s) for s in rng.integers(2**31, size=2))) for kind in chain),
            bool(rng.random() < 0.8),
        )

    def sibling(self, rng: Rng) -> SimulatedSource:
        """The same structure with other weights, in every stage or in one."""
        redrawn = range(len(self.stages)) if rng.random() < 0.5 else [int(rng.integers(len(self.stages)))]
        stages = (
            replace(stage, weights=int(rng.integers(2**31))) if i in redrawn else stage
            for i, stage in enumerate(self.stages)
        )
        return replace(self, stages=tuple(stages))

    def apply(self, levels: Tensor, noise: Rng) -> Tensor:
        """Images ``(n, 3, h, w)`` of pixel levels 0..255 (h, w multiples of 4) as this source would give them."""
        x = levels / 255
        for stage in self.stages:
            structure, weights = (np.random.default_rng(s) for s in (stage.structure, stage.weights))
            x = _STAGES[stage.kind](x, structure, weights, noise)
        if self.faithful:
            x = _restore_colours(x, levels / 255)
        return (x * 255).clamp(0, 255).round()


def draw_sources(count: int, rng: Rng, siblings: float, kinds: Sequence[str] = KINDS) -> Sequence[SimulatedSource]:
    """``count`` sources, each with probability ``siblings`` a sibling of one drawn before it."""
    sources: list[SimulatedSource] = []
    while len(sources) < count:
        if sources and rng.random() < siblings:
            sources.append(sources[int(rng.integers(len(sources)))].sibling(rng))
        else:
            sources.append(SimulatedSource.draw(rng, kinds))
    return sources
