"""Glow: a multi-scale normalising flow with exact inverse and log-determinant."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from genprint.generators.base import Generator, Images


class _ZeroConv(nn.Conv2d):
    """A convolution that starts at zero, so that every coupling starts as the identity."""

    def __init__(self, before: int, after: int):
        super().__init__(before, after, 3, padding=1)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)


class Step(nn.Module):
    """One step of flow: activation normalisation, 1x1 convolution, affine coupling."""

    initialised: Tensor

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("initialised", torch.tensor(False))
        self.mix = nn.Parameter(torch.linalg.qr(torch.randn(channels, channels))[0])
        self.coupling = nn.Sequential(
            nn.Conv2d(channels // 2, hidden, 3, padding=1), nn.ReLU(),
            nn.Conv2d(hidden, hidden, 1), nn.ReLU(),
            _ZeroConv(hidden, channels),
        )  # fmt: skip

    @torch.no_grad()
    def _initialise(self, x: Tensor) -> None:
        """The first batch leaves with zero mean and unit variance in every channel."""
        self.shift.copy_(-x.mean((0, 2, 3)))
        self.log_scale.copy_(-x.std((0, 2, 3)).clamp(min=1e-4).log())
        self.initialised.fill_(True)

    def _affine(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        shift, scale = self.coupling(kept).chunk(2, dim=1)
        return shift, 2 * torch.tanh(scale / 2)  # bounded, so that no step can explode

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.training and not self.initialised:
            self._initialise(x)
        x = (x + self.shift.view(1, -1, 1, 1)) * self.log_scale.exp().view(1, -1, 1, 1)
        x = F.conv2d(x, self.mix[:, :, None, None])
        kept, changed = x.chunk(2, dim=1)
        shift, log_scale = self._affine(kept)
        per_pixel = self.log_scale.sum() + torch.linalg.slogdet(self.mix)[1]
        log_det = per_pixel * x.shape[2] * x.shape[3] + log_scale.sum((1, 2, 3))
        return torch.cat([kept, changed * log_scale.exp() + shift], dim=1), log_det

    def inverse(self, y: Tensor) -> Tensor:
        kept, changed = y.chunk(2, dim=1)
        shift, log_scale = self._affine(kept)
        x = torch.cat([kept, (changed - shift) * (-log_scale).exp()], dim=1)
        x = F.conv2d(x, torch.linalg.inv(self.mix)[:, :, None, None])
        return x * (-self.log_scale).exp().view(1, -1, 1, 1) - self.shift.view(1, -1, 1, 1)


class Level(nn.Module):
    """Squeeze, steps, and a split whose left-out half is Gaussian given the half that goes on."""

    def __init__(self, channels: int, steps: int, hidden: int, last: bool):
        super().__init__()
        self.steps = nn.ModuleList(Step(4 * channels, hidden) for _ in range(steps))
        self.prior: nn.Module | None = None if last else _ZeroConv(2 * channels, 4 * channels)

    def chain(self) -> list[Step]:
        """The steps, finest first."""
        return list(self.steps)  # type: ignore[arg-type]


class Glow(Generator):
    """Kingma & Dhariwal, "Glow: Generative Flow with Invertible 1x1 Convolutions" (2018).

    Args:
        levels: scales; each halves the side.
        steps: steps of flow a level.
        hidden: channels of the coupling networks.
        temperature: standard deviation of the noise when sampling (the paper's T).
    """

    family = "flow"
    architecture = "glow"
    learning_rate = 1e-3
    tolerates_bfloat16 = False

    def __init__(self, levels: int = 3, steps: int = 8, hidden: int = 72, side: int = 32, temperature: float = 1.0):
        super().__init__()
        self.config = {
            "levels": levels, "steps": steps, "hidden": hidden, "side": side, "temperature": temperature,
        }  # fmt: skip
        self.temperature = temperature
        self.shape = (3 * 2 ** (levels + 1), side // 2**levels, side // 2**levels)
        self.levels = nn.ModuleList(Level(3 * 2**i, steps, hidden, last=i == levels - 1) for i in range(levels))

    def parts(self) -> dict[str, nn.Module]:
        return {"model": self}

    def _levels(self) -> list[Level]:
        return list(self.levels)  # type: ignore[arg-type]

    def encode(self, x: Images) -> tuple[list[Tensor], Float[Tensor, " n"]]:
        """Noise of every level (standard normal under the model), finest first, and log |det dz/dx|."""
        noises, log_det = [], torch.zeros(len(x))
        for level in self._levels():
            x = F.pixel_unshuffle(x, 2)
            for step in level.chain():
                x, change = step(x)
                log_det = log_det + change
            if level.prior is not None:
                x, left = x.chunk(2, dim=1)
                mean, log_sigma = level.prior(x).chunk(2, dim=1)
                noises.append((left - mean) * (-log_sigma).exp())
                log_det = log_det - log_sigma.sum((1, 2, 3))
        return [*noises, x], log_det

    def decode(self, noises: list[Tensor]) -> Images:
        """The inverse of ``encode``."""
        *noises, x = noises
        for level in reversed(self._levels()):
            if level.prior is not None:
                mean, log_sigma = level.prior(x).chunk(2, dim=1)
                x = torch.cat([x, noises.pop() * log_sigma.exp() + mean], dim=1)
            for step in reversed(level.chain()):
                x = step.inverse(x)
            x = F.pixel_shuffle(x, 2)
        return x

    def log_prob(self, images: Images) -> Float[Tensor, " n"]:
        """Log density of each image in -1..1, in nats."""
        noises, log_det = self.encode(images)
        normal = sum((-noise.square() / 2 - math.log(2 * math.pi) / 2).sum((1, 2, 3)) for noise in noises)
        return normal + log_det

    def loss(self, part: str, images: Images, rng: torch.Generator) -> Tensor:
        """Negative log-likelihood in nats a pixel and channel, of images dequantised by uniform noise."""
        dequantised = images + (torch.rand(images.shape, generator=rng) - 0.5) / 127.5
        return -self.log_prob(dequantised).mean() / images[0].numel()

    def sample(self, n: int, rng: torch.Generator) -> Images:
        channels, height, width = self.shape
        shapes = [(n, 3 * 2 ** (i + 1), height << (len(self.levels) - 1 - i), width << (len(self.levels) - 1 - i))
                  for i in range(len(self.levels) - 1)]  # fmt: skip
        return self.decode(
            [self.temperature * torch.randn(shape, generator=rng) for shape in [*shapes, (n, channels, height, width)]]
        )
