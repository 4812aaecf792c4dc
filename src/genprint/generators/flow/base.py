"""What every flow is: an invertible map to noise."""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genprint.generators.base import Generator, Images, gaussian
from genprint.generators.flow.steps import standard_normal_log_prob


class Flow(Generator):
    """A normalising flow of images in -1..1, trained by maximum likelihood.

    Attributes:
        temperature: standard deviation of the noise when sampling.
        noise_shapes: of one image's noise, level by level.
    """

    model_class = "flow"
    learning_rate = 1e-3
    temperature: float
    noise_shapes: list[tuple[int, ...]]

    def parts(self) -> dict[str, nn.Module]:
        return {"model": self}

    @abstractmethod
    def encode(self, x: Images) -> tuple[list[Tensor], Float[Tensor, " n"]]:
        """Noise of every level, standard normal under the model, and log |det dz/dx|."""

    @abstractmethod
    def decode(self, noises: list[Tensor]) -> Images:
        """The inverse of ``encode``."""

    def log_prob(self, images: Images) -> Float[Tensor, " n"]:
        """Log density of each image in -1..1, in nats."""
        noises, log_det = self.encode(images)
        return standard_normal_log_prob(noises) + log_det

    def dequantise(self, images: Images, rng: torch.Generator) -> Images:
        """Images with the noise that makes their density continuous: uniform, as wide as one level."""
        return images + (torch.rand(images.shape, generator=rng, device=rng.device) - 0.5) / 127.5

    def loss(self, part: str, images: Images, rng: torch.Generator) -> Tensor:
        """Negative log-likelihood of dequantised images, in nats a pixel and channel."""
        return -self.log_prob(self.dequantise(images, rng)).mean() / images[0].numel()

    def sample(self, n: int, rng: torch.Generator) -> Images:
        return self.decode([self.temperature * gaussian(rng, n, *shape) for shape in self.noise_shapes])
