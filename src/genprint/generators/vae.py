"""A convolutional variational auto-encoder."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genprint.generators.base import Generator, Images, to_unit


def _down(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 4, 2, 1), nn.GroupNorm(8, after), nn.SiLU()]


def _up(before: int, after: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.GroupNorm(8, after), nn.SiLU()]


class ConvVAE(Generator):
    """Kingma & Welling, "Auto-Encoding Variational Bayes" (2014): Gaussian prior, posterior and likelihood.

    The likelihood has one learned variance (Rybkin et al., "sigma-VAE", 2021), which sets the balance
    between reconstruction and divergence by itself. Samples start from a Gaussian fitted to the posterior
    of all training images, which no VAE brings to the prior (Ghosh et al., 2020, ex-post density estimation).
    """

    family = "vae"
    architecture = "conv"
    learning_rate = 1e-3
    latent_mean: Tensor
    latent_factor: Tensor

    def __init__(self, width: int = 32, latent: int = 64, side: int = 32):
        super().__init__()
        self.config = {"width": width, "latent": latent, "side": side}
        self.latent, self.low = latent, side // 8
        wide = 3 * width
        self.encoder = nn.Sequential(
            *_down(3, width), *_down(width, 2 * width), *_down(2 * width, wide),
            nn.Flatten(), nn.Linear(wide * self.low**2, 2 * latent),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(latent, wide * self.low**2), nn.SiLU(), nn.Unflatten(1, (wide, self.low, self.low)),
            nn.Conv2d(wide, wide, 3, 1, 1), nn.GroupNorm(8, wide), nn.SiLU(),
            *_up(wide, 2 * width), *_up(2 * width, 2 * width), *_up(2 * width, width),
            nn.Conv2d(width, 3, 3, 1, 1),
        )  # fmt: skip
        self.log_sigma = nn.Parameter(torch.tensor(-1.0))
        self.register_buffer("latent_mean", torch.zeros(latent))
        self.register_buffer("latent_factor", torch.eye(latent))

    def parts(self) -> dict[str, nn.Module]:
        return {"model": self}

    def elbo(self, images: Images, rng: torch.Generator) -> Float[Tensor, " n"]:
        """Evidence lower bound of each image, in nats, of the density over -1..1 images (one posterior sample)."""
        mean, log_variance = self.encoder(images).float().chunk(2, dim=1)
        log_variance = log_variance.clamp(-10, 10)
        noise = torch.randn(mean.shape, generator=rng)
        decoded = self.decoder(mean + (log_variance / 2).exp() * noise).float()
        error = ((images - decoded) / self.log_sigma.exp()).square() / 2 + self.log_sigma + math.log(2 * math.pi) / 2
        divergence = (mean.square() + log_variance.exp() - log_variance - 1) / 2
        return -error.sum((1, 2, 3)) - divergence.sum(1)

    def loss(self, part: str, images: Images, rng: torch.Generator) -> Tensor:
        return -self.elbo(images, rng).mean() / images[0].numel()

    @torch.no_grad()
    def finish(self, images: Tensor) -> None:
        """Fits the Gaussian that samples start from."""
        halves = [self.encoder(to_unit(part)).chunk(2, dim=1) for part in images.split(256)]
        mean, log_variance = (torch.cat(part) for part in zip(*halves, strict=True))
        covariance = torch.cov(mean.T) + torch.diag(log_variance.exp().mean(0))
        self.latent_mean.copy_(mean.mean(0))
        self.latent_factor.copy_(torch.linalg.cholesky(covariance))

    def sample(self, n: int, rng: torch.Generator) -> Images:
        """The decoder's mean at ``n`` latents."""
        noise = torch.randn(n, self.latent, generator=rng)
        return self.decoder(self.latent_mean + noise @ self.latent_factor.T)
