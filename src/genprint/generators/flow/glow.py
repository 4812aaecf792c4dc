"""Glow: a multi-scale normalising flow."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from genprint.generators.base import Images
from genprint.generators.flow.base import Flow
from genprint.generators.flow.steps import Chain, Prior, Step


class Level(nn.Module):
    """Steps, and a split whose left-out half is Gaussian given the half that goes on."""

    def __init__(self, channels: int, steps: int, hidden: int, last: bool):
        super().__init__()
        self.chain = Chain([Step(4 * channels, hidden) for _ in range(steps)])
        self.prior: Prior | None = None if last else Prior(2 * channels, 2 * channels)


class Glow(Flow):
    """Kingma & Dhariwal, "Glow: Generative Flow with Invertible 1x1 Convolutions" (2018).

    Args:
        levels: scales; each halves the side.
        steps: steps of flow a level.
        hidden: channels of the coupling networks.
        side: of the images, in pixels.
        temperature: standard deviation of the noise when sampling (the paper's T).
    """

    def __init__(self, levels: int = 3, steps: int = 8, hidden: int = 72, side: int = 32, temperature: float = 1.0):
        super().__init__()
        self.config = {
            "levels": levels, "steps": steps, "hidden": hidden, "side": side, "temperature": temperature,
        }  # fmt: skip
        self.temperature = temperature
        self.levels = nn.ModuleList(Level(3 * 2**i, steps, hidden, last=i == levels - 1) for i in range(levels))
        sides = [side >> (i + 1) for i in range(levels)]
        self.noise_shapes = [(3 * 2 ** (i + 1), s, s) for i, s in enumerate(sides)]
        self.noise_shapes[-1] = (3 * 2 ** (levels + 1), sides[-1], sides[-1])

    def _levels(self) -> list[Level]:
        return list(self.levels)  # type: ignore[arg-type]

    def encode(self, x: Images) -> tuple[list[Tensor], Float[Tensor, " n"]]:
        noises, log_det = [], x.new_zeros(len(x))
        for level in self._levels():
            x, change = level.chain(F.pixel_unshuffle(x, 2))
            log_det = log_det + change
            if level.prior is not None:
                x, left = x.chunk(2, dim=1)
                noise, change = level.prior(left, x)
                noises.append(noise)
                log_det = log_det + change
        return [*noises, x], log_det

    def decode(self, noises: list[Tensor]) -> Images:
        *noises, x = noises
        for level in reversed(self._levels()):
            if level.prior is not None:
                x = torch.cat([x, level.prior.inverse(noises.pop(), x)], dim=1)
            x = F.pixel_shuffle(level.chain.inverse(x), 2)
        return x
