"""What every reference generator is: parts to train, and a way to sample."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

Images = Float[Tensor, "n 3 h w"]


class Generator(nn.Module, ABC):
    """A generative model of images in -1..1.

    Subclasses keep what rebuilds them in ``config``. Everything random takes an explicit ``rng``.
    """

    #: the class of model: 'vae', 'flow', 'gan' or 'score'
    model_class: ClassVar[str]
    learning_rate: ClassVar[float]
    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    batch: ClassVar[int] = 64
    #: share of the average that stays in the moving average of the weights, each step
    ema: ClassVar[float] = 0.999
    #: whether the loss survives bfloat16 convolutions
    tolerates_bfloat16: ClassVar[bool] = True
    config: dict[str, Any]

    def step_size(self, part: str) -> float:
        """The optimiser's, of one part."""
        return self.learning_rate

    @abstractmethod
    def parts(self) -> dict[str, nn.Module]:
        """Modules that have an optimiser each, in the order they take their step."""

    @abstractmethod
    def loss(self, part: str, images: Images, rng: torch.Generator) -> Tensor:
        """What ``part`` should lower on a batch of real images; a scalar."""

    @abstractmethod
    def sample(self, n: int, rng: torch.Generator) -> Images:
        """``n`` new images."""

    def finish(self, images: Tensor) -> None:
        """What follows training, given the training images, uint8 ``(n, h, w, 3)``; most classes need nothing."""

    def needed_to_sample(self) -> dict[str, Tensor]:
        """The tensors a shipped checkpoint holds."""
        return self.state_dict()


def gaussian(rng: torch.Generator, *shape: int) -> Tensor:
    """Standard normal noise, drawn where ``rng`` lives."""
    return torch.randn(shape, generator=rng, device=rng.device)


def to_unit(levels: Tensor) -> Images:
    """Pixel levels, uint8 ``(n, h, w, 3)``, to images in -1..1, ``(n, 3, h, w)``."""
    return levels.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_levels(images: Images) -> Tensor:
    """The way back: clamped, rounded to uint8 ``(n, h, w, 3)``."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
