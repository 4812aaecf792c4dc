"""A wavelet flow: a small image by one flow, then its details, octave by octave, by others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from genprint.generators.base import Images
from genprint.generators.flow.autoregressive import Passes
from genprint.generators.flow.base import Flow
from genprint.generators.flow.steps import Chain, Prior, Step

# Rows: average, and horizontal, vertical, diagonal difference of the 2x2 pixels a b / c d. Its determinant is 1/16.
_HAAR = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 4
_LOG_DET_HAAR = -math.log(16)


def haar(x: Images) -> tuple[Tensor, Tensor]:
    """An image of half the side, and the details that are lost: ``(n, 3, h/2, w/2)``, ``(n, 9, h/2, w/2)``."""
    n, channels, height, width = x.shape
    quads = F.pixel_unshuffle(x, 2).view(n, channels, 4, height // 2, width // 2)
    bands = torch.einsum("ij,ncjhw->nichw", _HAAR.to(x), quads)
    return bands[:, 0], bands[:, 1:].flatten(1, 2)


def unhaar(low: Tensor, details: Tensor) -> Images:
    """The inverse of ``haar``."""
    n, channels, height, width = low.shape
    bands = torch.cat([low, details], dim=1).view(n, 4, channels, height, width)
    quads = torch.einsum("ji,nichw->ncjhw", torch.linalg.inv(_HAAR.to(low)), bands)
    return F.pixel_shuffle(quads.reshape(n, 4 * channels, height, width), 2)


class Octave(nn.Module):
    """The details of one octave, given the image of half the side."""

    def __init__(self, steps: int, hidden: int, context: int):
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(3, context, 3, padding=1), nn.SiLU(),
            nn.Conv2d(context, context, 3, padding=1), nn.SiLU(),
            nn.Conv2d(context, context, 3, padding=1), nn.SiLU(),
        )  # fmt: skip
        self.chain = Chain([Step(9, hidden, context) for _ in range(steps)])
        self.prior = Prior(context, 9)

    def forward(self, details: Tensor, low: Tensor) -> tuple[Tensor, Tensor]:
        """Noise, and log |det| of the way to it."""
        context = self.look(low)
        x, log_det = self.chain(details, context)
        noise, change = self.prior(x, context)
        return noise, log_det + change

    def inverse(self, noise: Tensor, low: Tensor) -> Tensor:
        context = self.look(low)
        return self.chain.inverse(self.prior.inverse(noise, context), context)


class WaveletFlow(Flow):
    """Yu, Derpanis & Brubaker, "Wavelet Flow: Fast Training of High Resolution Normalizing Flows" (2020).

    Haar octaves, each with its own conditional flow of Glow's steps. The smallest image has an autoregressive
    flow over its pixels (as TarFlow's over patches), for what is where is decided there.

    Args:
        passes: of the autoregressive flow.
        layers: of the transformer of each pass.
        width: of the transformers.
        heads: of attention.
        steps: steps of flow of each octave's details, coarse to fine.
        hidden: channels of the coupling networks, likewise.
        context: channels of what each octave's couplings see of the image below, likewise.
        side: of the images, in pixels.
        temperature: standard deviation of the noise when sampling.
    """

    def __init__(  # noqa: PLR0913
        self, passes: int = 4, layers: int = 2, width: int = 64, heads: int = 4,
        steps: Sequence[int] = (8, 4), hidden: Sequence[int] = (48, 48), context: Sequence[int] = (40, 32),
        side: int = 32, temperature: float = 1.0,
    ):  # fmt: skip
        super().__init__()
        self.config = {
            "passes": passes, "layers": layers, "width": width, "heads": heads,
            "steps": list(steps), "hidden": list(hidden), "context": list(context),
            "side": side, "temperature": temperature,
        }  # fmt: skip
        self.temperature = temperature
        small = side >> len(steps)
        self.base = Passes(passes, small**2, 3, width, layers, heads)
        self.octaves = nn.ModuleList(Octave(*sizes) for sizes in zip(steps, hidden, context, strict=True))
        self.noise_shapes = [(small**2, 3), *((9, small << i, small << i) for i in range(len(steps)))]

    def _octaves(self) -> list[Octave]:
        return list(self.octaves)  # type: ignore[arg-type]

    def encode(self, x: Images) -> tuple[list[Tensor], Float[Tensor, " n"]]:
        noises, log_det = [], x.new_zeros(len(x))
        for octave in reversed(self._octaves()):
            low, details = haar(x)
            noise, change = octave(details, low)
            noises.append(noise)
            log_det = log_det + change + _LOG_DET_HAAR * low[0].numel()
            x = low
        noise, change = self.base(x.flatten(2).transpose(1, 2))
        return [noise, *reversed(noises)], log_det + change

    def decode(self, noises: list[Tensor]) -> Images:
        first, *others = noises
        x = self.base.inverse(first).transpose(1, 2)
        x = x.unflatten(2, (math.isqrt(x.shape[2]), -1))
        for octave, noise in zip(self._octaves(), others, strict=True):
            x = unhaar(x, octave.inverse(noise, x))
        return x
