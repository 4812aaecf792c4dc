"""Convolutional GANs: three losses, any up-sampling."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from genprint.generators.base import Generator, Images, gaussian
from genprint.generators.layers import upsampling as up

_GRADIENT_PENALTY = 10.0

Logits = Float[Tensor, "n 1"]


class DCGAN(Generator):
    """Radford et al., "Unsupervised Representation Learning with DCGANs" (2016), non-saturating loss.

    The discriminator sees its images shifted and mirrored at random, real and generated alike (Zhao et al.,
    "Differentiable Augmentation", 2020).

    Args:
        width: channels of the generator's last layer; earlier ones have multiples of it.
        latent: dimensions of the latent vector.
        side: of the images, in pixels.
        upsampling: of the generator; see ``layers.upsampling``.
    """

    model_class = "gan"
    learning_rate = 2e-4
    betas = (0.5, 0.999)
    ema = 0.998

    def __init__(self, width: int = 32, latent: int = 96, side: int = 32, upsampling: str = "transposed"):
        super().__init__()
        self.config = {"width": width, "latent": latent, "side": side, "upsampling": upsampling}
        self.latent, low = latent, side // 8

        def doubled(before: int, after: int) -> list[nn.Module]:
            return [*up(upsampling, before, after, bias=False), nn.BatchNorm2d(after), nn.ReLU()]

        self.generator = nn.Sequential(
            nn.Linear(latent, 5 * width * low**2, bias=False), nn.Unflatten(1, (5 * width, low, low)),
            nn.BatchNorm2d(5 * width), nn.ReLU(),
            *doubled(5 * width, 4 * width), *doubled(4 * width, 2 * width), *doubled(2 * width, width),
            nn.Conv2d(width, 3, 3, 1, 1), nn.Tanh(),
        )  # fmt: skip
        self.discriminator = self._discriminator(width, low)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=0.02)  # as the paper does

    def _discriminator(self, width: int, low: int) -> nn.Module:
        def down(before: int, after: int) -> list[nn.Module]:
            return [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]

        return nn.Sequential(
            nn.Conv2d(3, 2 * width, 4, 2, 1), nn.LeakyReLU(0.2),
            *down(2 * width, 4 * width), *down(4 * width, 6 * width),
            nn.Flatten(), nn.Linear(6 * width * low**2, 1),
        )  # fmt: skip

    def parts(self) -> dict[str, nn.Module]:
        return {"discriminator": self.discriminator, "generator": self.generator}

    def loss(self, part: str, images: Images, rng: torch.Generator) -> Tensor:
        generated = self.sample(len(images), rng)
        if part == "generator":
            return self.generator_loss(self.discriminator(_augment(generated, rng)))
        real, fake = _augment(images, rng), _augment(generated.detach(), rng)
        return self.discriminator_loss(real, fake, rng)

    def generator_loss(self, fake: Logits) -> Tensor:
        """Low when the discriminator takes generated images for real."""
        return F.softplus(-fake).mean()

    def discriminator_loss(self, real: Images, fake: Images, rng: torch.Generator) -> Tensor:
        """Low when the discriminator tells real images from generated ones."""
        return F.softplus(-self.discriminator(real)).mean() + F.softplus(self.discriminator(fake)).mean()

    def sample(self, n: int, rng: torch.Generator) -> Images:
        images: Tensor = self.generator(gaussian(rng, n, self.latent))
        return images

    def needed_to_sample(self) -> dict[str, Tensor]:
        return {name: value for name, value in self.state_dict().items() if name.startswith("generator.")}


class SNGAN(DCGAN):
    """Miyato et al., "Spectral Normalization for GANs" (2018): hinge loss, spectrally normalised discriminator."""

    betas = (0.0, 0.9)

    def _discriminator(self, width: int, low: int) -> nn.Module:
        sizes = [2 * width, 4 * width, 6 * width]
        return nn.Sequential(
            spectral_norm(nn.Conv2d(3, sizes[0], 3, 1, 1)), nn.LeakyReLU(0.1),
            *(layer for before, after in zip([sizes[0], *sizes[:2]], sizes, strict=True)
              for layer in (spectral_norm(nn.Conv2d(before, after, 4, 2, 1)), nn.LeakyReLU(0.1))),
            nn.Flatten(), spectral_norm(nn.Linear(sizes[2] * low**2, 1)),
        )  # fmt: skip

    def generator_loss(self, fake: Logits) -> Tensor:
        return -fake.mean()

    def discriminator_loss(self, real: Images, fake: Images, rng: torch.Generator) -> Tensor:
        return F.relu(1 - self.discriminator(real)).mean() + F.relu(1 + self.discriminator(fake)).mean()


class WGANGP(DCGAN):
    """Gulrajani et al., "Improved Training of Wasserstein GANs" (2017): Wasserstein loss, gradient penalty.

    One step of the critic for each of the generator, at a larger step size (Heusel et al., 2017) in place of
    more steps.
    """

    betas = (0.0, 0.9)
    tolerates_bfloat16 = False  # the penalty differentiates twice

    def _discriminator(self, width: int, low: int) -> nn.Module:
        sizes = [2 * width, 4 * width, 6 * width]
        return nn.Sequential(
            *(layer for before, after in zip([3, *sizes[:2]], sizes, strict=True)
              for layer in (nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2))),
            nn.Flatten(), nn.Linear(sizes[2] * low**2, 1),
        )  # fmt: skip

    def step_size(self, part: str) -> float:
        return 4e-4 if part == "discriminator" else 1e-4

    def generator_loss(self, fake: Logits) -> Tensor:
        return -fake.mean()

    def discriminator_loss(self, real: Images, fake: Images, rng: torch.Generator) -> Tensor:
        between = torch.rand(len(real), 1, 1, 1, generator=rng, device=rng.device)
        mixed = (between * real + (1 - between) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(self.discriminator(mixed).sum(), mixed, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        distance = self.discriminator(real).mean() - self.discriminator(fake).mean()
        loss: Tensor = _GRADIENT_PENALTY * penalty - distance
        return loss


def _augment(images: Images, rng: torch.Generator, reach: int = 4) -> Images:
    """Each image moved by up to ``reach`` pixels (zeros come in) and half of them mirrored."""
    n, _, height, width = images.shape
    device = rng.device
    dy, dx = torch.randint(2 * reach + 1, (2, n, 1, 1), generator=rng, device=device)
    flipped = torch.rand(n, 1, 1, 1, generator=rng, device=device) < 0.5
    padded = F.pad(torch.where(flipped, images.flip(3), images), (reach,) * 4)
    rows = torch.arange(height, device=device).view(1, -1, 1) + dy
    columns = torch.arange(width, device=device).view(1, 1, -1) + dx
    picked = padded.permute(0, 2, 3, 1)[torch.arange(n, device=device).view(-1, 1, 1), rows, columns]
    return picked.permute(0, 3, 1, 2)
