"""What every variational auto-encoder is: a bound on the likelihood, and its two terms."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genprint.generators.base import Generator, Images

LIKELIHOODS = ("gaussian", "laplace")


class VAE(Generator):
    """Kingma & Welling, "Auto-Encoding Variational Bayes" (2014).

    The likelihood has one learned scale (Rybkin et al., "sigma-VAE", 2021), which sets the balance between
    reconstruction and divergence by itself; ``beta`` shifts it (Higgins et al., 2017).
    """

    model_class = "vae"
    learning_rate = 1e-3
    beta: float
    likelihood: str

    def __init__(self, likelihood: str, beta: float):
        super().__init__()
        if likelihood not in LIKELIHOODS:
            raise ValueError(f"no likelihood {likelihood!r}; there are: {', '.join(LIKELIHOODS)}")
        self.beta, self.likelihood = beta, likelihood
        self.log_scale = nn.Parameter(torch.tensor(-1.0))

    def parts(self) -> dict[str, nn.Module]:
        return {"model": self}

    @abstractmethod
    def infer(self, images: Images, rng: torch.Generator) -> tuple[Images, Float[Tensor, " n"]]:
        """Each image decoded from one draw of its posterior, and the divergence of posterior from prior in nats."""

    def log_likelihood(self, images: Images, decoded: Images) -> Float[Tensor, " n"]:
        """Log density of images in -1..1 given what was decoded, in nats."""
        error = (images - decoded) / self.log_scale.exp()
        if self.likelihood == "laplace":
            each = error.abs() + self.log_scale + math.log(2)
        else:
            each = error.square() / 2 + self.log_scale + math.log(2 * math.pi) / 2
        return -each.sum((1, 2, 3))

    def elbo(self, images: Images, rng: torch.Generator) -> Float[Tensor, " n"]:
        """Evidence lower bound of each image, in nats (one draw of the posterior)."""
        decoded, divergence = self.infer(images, rng)
        return self.log_likelihood(images, decoded) - divergence

    def loss(self, part: str, images: Images, rng: torch.Generator) -> Tensor:
        """Minus the bound in nats a pixel and channel, the divergence weighted by ``beta``."""
        decoded, divergence = self.infer(images, rng)
        return (self.beta * divergence - self.log_likelihood(images, decoded)).mean() / images[0].numel()


def divergence(mean: Tensor, log_sigma: Tensor, prior_mean: Tensor, prior_log_sigma: Tensor) -> Float[Tensor, " n"]:
    """Kullback-Leibler divergence of one diagonal Gaussian from another, summed over all but the first dimension."""
    ratio = (2 * (log_sigma - prior_log_sigma)).exp()
    shift = ((mean - prior_mean) * (-prior_log_sigma).exp()).square()
    return ((ratio + shift - 1) / 2 - log_sigma + prior_log_sigma).flatten(1).sum(1)
