"""Steps of flow: activation normalisation, 1x1 convolution, affine coupling; each with its exact inverse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# What a flow is conditioned on, at the resolution of what it changes; None: nothing.
Context: TypeAlias = "Tensor | None"


class ZeroConv(nn.Conv2d):
    """A convolution that starts at zero, so that whatever it steers starts as the identity."""

    def __init__(self, before: int, after: int):
        super().__init__(before, after, 3, padding=1)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)


class Step(nn.Module):
    """One step of flow (Kingma & Dhariwal, 2018): activation normalisation, 1x1 convolution, affine coupling.

    Only the coupling's network may run in bfloat16: what it puts out is exact for forward and inverse alike.

    Args:
        channels: of the images that flow through.
        hidden: channels of the coupling's network.
        context: channels of what the coupling's network sees besides; 0 for nothing.
    """

    initialised: Tensor

    def __init__(self, channels: int, hidden: int, context: int = 0):
        super().__init__()
        self.sizes = [channels // 2, channels - channels // 2]
        self.shift = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("initialised", torch.tensor(False))
        self.mix = nn.Parameter(torch.linalg.qr(torch.randn(channels, channels))[0])
        self.coupling = nn.Sequential(
            nn.Conv2d(self.sizes[0] + context, hidden, 3, padding=1), nn.ReLU(),
            nn.Conv2d(hidden, hidden, 1), nn.ReLU(),
            ZeroConv(hidden, 2 * self.sizes[1]),
        )  # fmt: skip

    @torch.no_grad()
    def _initialise(self, x: Tensor) -> None:
        """The first batch leaves with zero mean and unit variance in every channel."""
        self.shift.copy_(-x.mean((0, 2, 3)))
        self.log_scale.copy_(-x.std((0, 2, 3)).clamp(min=1e-4).log())
        self.initialised.fill_(True)

    def _affine(self, kept: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        seen = kept if context is None else torch.cat([kept, context], dim=1)
        shift, scale = self.coupling(seen).to(kept.dtype).chunk(2, dim=1)
        return shift, 2 * torch.tanh(scale / 2)  # bounded, so that no step can explode

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        """What leaves the step, and log |det| of its Jacobian for each image."""
        if self.training and not self.initialised:
            self._initialise(x)
        x = (x + self.shift.view(1, -1, 1, 1)) * self.log_scale.exp().view(1, -1, 1, 1)
        with torch.autocast(x.device.type, enabled=False):
            x = F.conv2d(x, self.mix[:, :, None, None])
        kept, changed = x.split(self.sizes, dim=1)
        shift, log_scale = self._affine(kept, context)
        per_pixel = self.log_scale.sum() + torch.linalg.slogdet(self.mix)[1]
        log_det = per_pixel * x.shape[2] * x.shape[3] + log_scale.sum((1, 2, 3))
        return torch.cat([kept, changed * log_scale.exp() + shift], dim=1), log_det

    def inverse(self, y: Tensor, context: Context = None) -> Tensor:
        """What entered the step."""
        kept, changed = y.split(self.sizes, dim=1)
        shift, log_scale = self._affine(kept, context)
        x = torch.cat([kept, (changed - shift) * (-log_scale).exp()], dim=1)
        x = F.conv2d(x, torch.linalg.inv(self.mix)[:, :, None, None])
        return x * (-self.log_scale).exp().view(1, -1, 1, 1) - self.shift.view(1, -1, 1, 1)


class Chain(nn.Module):
    """Steps one after another, with the interface of one."""

    def __init__(self, steps: Sequence[Step]):
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def _steps(self) -> list[Step]:
        return list(self.steps)  # type: ignore[arg-type]

    def forward(self, x: Tensor, context: Context = None) -> tuple[Tensor, Tensor]:
        log_det = x.new_zeros(len(x))
        for step in self._steps():
            x, change = step(x, context)
            log_det = log_det + change
        return x, log_det

    def inverse(self, y: Tensor, context: Context = None) -> Tensor:
        for step in reversed(self._steps()):
            y = step.inverse(y, context)
        return y


class Prior(nn.Module):
    """A Gaussian whose mean and spread follow from a context: noise and back."""

    def __init__(self, context: int, channels: int):
        super().__init__()
        self.conv = ZeroConv(context, 2 * channels)

    def _moments(self, context: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        mean, log_sigma = self.conv(context).to(dtype).chunk(2, dim=1)
        return mean, log_sigma.clamp(-7, 7)  # so that no image far from all others can explode

    def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Standard-normal noise, and log |det| of the way to it."""
        mean, log_sigma = self._moments(context, x.dtype)
        return (x - mean) * (-log_sigma).exp(), -log_sigma.sum((1, 2, 3))

    def inverse(self, noise: Tensor, context: Tensor) -> Tensor:
        mean, log_sigma = self._moments(context, noise.dtype)
        return noise * log_sigma.exp() + mean


def standard_normal_log_prob(noises: Sequence[Tensor]) -> Tensor:
    """Summed over all but the first dimension, in nats."""
    parts = [(-noise.square() / 2 - math.log(2 * math.pi) / 2).flatten(1).sum(1) for noise in noises]
    return torch.stack(parts).sum(0)
