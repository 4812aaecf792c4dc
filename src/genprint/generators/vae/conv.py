"""A convolutional variational auto-encoder with one latent vector."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genprint.generators.base import Images, gaussian, to_unit
from genprint.generators.layers import upsampling as up
from genprint.generators.vae.base import VAE, divergence


def _down(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 4, 2, 1), nn.GroupNorm(8, after), nn.SiLU()]


class ConvVAE(VAE):
    """A convolutional encoder and decoder around one Gaussian latent vector.

    Samples start from a Gaussian fitted to the posterior of all training images, which no VAE brings to the
    prior (Ghosh et al., 2020, ex-post density estimation).

    Args:
        width: channels of the first layer; later ones have multiples of it.
        latent: dimensions of the latent vector.
        side: of the images, in pixels.
        upsampling: of the decoder; see ``layers.upsampling``.
        likelihood: 'gaussian' or 'laplace'.
        beta: weight of the divergence.
    """

    latent_mean: Tensor
    latent_factor: Tensor

    def __init__(
        self, width: int = 32, latent: int = 64, side: int = 32,
        upsampling: str = "transposed", likelihood: str = "gaussian", beta: float = 1.0,
    ):  # fmt: skip
        super().__init__(likelihood, beta)
        self.config = {
            "width": width, "latent": latent, "side": side,
            "upsampling": upsampling, "likelihood": likelihood, "beta": beta,
        }  # fmt: skip
        self.latent, low, wide = latent, side // 8, 3 * width

        def doubled(before: int, after: int) -> list[nn.Module]:
            return [*up(upsampling, before, after), nn.GroupNorm(8, after), nn.SiLU()]

        self.encoder = nn.Sequential(
            *_down(3, width), *_down(width, 2 * width), *_down(2 * width, wide),
            nn.Flatten(), nn.Linear(wide * low**2, 2 * latent),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(latent, wide * low**2), nn.SiLU(), nn.Unflatten(1, (wide, low, low)),
            nn.Conv2d(wide, wide, 3, 1, 1), nn.GroupNorm(8, wide), nn.SiLU(),
            *doubled(wide, 2 * width), *doubled(2 * width, 2 * width), *doubled(2 * width, width),
            nn.Conv2d(width, 3, 3, 1, 1),
        )  # fmt: skip
        self.register_buffer("latent_mean", torch.zeros(latent))
        self.register_buffer("latent_factor", torch.eye(latent))

    def _posterior(self, images: Images) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(images).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 10) / 2

    def infer(self, images: Images, rng: torch.Generator) -> tuple[Images, Float[Tensor, " n"]]:
        mean, log_sigma = self._posterior(images)
        decoded = self.decoder(mean + log_sigma.exp() * gaussian(rng, *mean.shape)).float()
        nothing = torch.zeros_like(mean)
        return decoded, divergence(mean, log_sigma, nothing, nothing)

    @torch.no_grad()
    def finish(self, images: Tensor) -> None:
        """Fits the Gaussian that samples start from."""
        halves = [self._posterior(to_unit(part)) for part in images.split(256)]
        mean, log_sigma = (torch.cat(part) for part in zip(*halves, strict=True))
        covariance = torch.cov(mean.T) + torch.diag((2 * log_sigma).exp().mean(0))
        self.latent_mean.copy_(mean.mean(0))
        self.latent_factor.copy_(torch.linalg.cholesky(covariance))

    def sample(self, n: int, rng: torch.Generator) -> Images:
        """The decoder's output at ``n`` latents, without the likelihood's noise."""
        images: Tensor = self.decoder(self.latent_mean + gaussian(rng, n, self.latent) @ self.latent_factor.T)
        return images
