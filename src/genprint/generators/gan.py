"""A deep convolutional GAN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genprint.generators.base import Generator, Images


def _up(before: int, after: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]


def _down(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]


class DCGAN(Generator):
    """Radford et al., "Unsupervised Representation Learning with DCGANs" (2016), non-saturating loss.

    The discriminator sees its images shifted and mirrored at random, real and generated alike (Zhao et al.,
    "Differentiable Augmentation", 2020).
    """

    family = "gan"
    architecture = "dcgan"
    learning_rate = 2e-4
    betas = (0.5, 0.999)
    ema = 0.998

    def __init__(self, width: int = 32, latent: int = 96, side: int = 32):
        super().__init__()
        self.config = {"width": width, "latent": latent, "side": side}
        self.latent, low = latent, side // 8
        self.generator = nn.Sequential(
            nn.Linear(latent, 5 * width * low**2, bias=False), nn.Unflatten(1, (5 * width, low, low)),
            nn.BatchNorm2d(5 * width), nn.ReLU(),
            *_up(5 * width, 4 * width), *_up(4 * width, 2 * width), *_up(2 * width, width),
            nn.Conv2d(width, 3, 3, 1, 1), nn.Tanh(),
        )  # fmt: skip
        self.discriminator = nn.Sequential(
            nn.Conv2d(3, 2 * width, 4, 2, 1), nn.LeakyReLU(0.2),
            *_down(2 * width, 4 * width), *_down(4 * width, 6 * width),
            nn.Flatten(), nn.Linear(6 * width * low**2, 1),
        )  # fmt: skip
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=0.02)  # as the paper does

    def parts(self) -> dict[str, nn.Module]:
        return {"discriminator": self.discriminator, "generator": self.generator}

    def loss(self, part: str, images: Images, rng: torch.Generator) -> Tensor:
        generated = self.sample(len(images), rng)
        if part == "generator":
            return F.softplus(-self.discriminator(_augment(generated, rng))).mean()
        real = self.discriminator(_augment(images, rng))
        fake = self.discriminator(_augment(generated.detach(), rng))
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def sample(self, n: int, rng: torch.Generator) -> Images:
        return self.generator(torch.randn(n, self.latent, generator=rng))

    def needed_to_sample(self) -> dict[str, Tensor]:
        return {name: value for name, value in self.state_dict().items() if name.startswith("generator.")}


def _augment(images: Images, rng: torch.Generator, reach: int = 4) -> Images:
    """Each image moved by up to ``reach`` pixels (zeros come in) and half of them mirrored."""
    n, _, height, width = images.shape
    dy, dx = torch.randint(2 * reach + 1, (2, n, 1, 1), generator=rng)
    mirrored = torch.where(torch.rand(n, 1, 1, 1, generator=rng) < 0.5, images, images.flip(3))
    padded = F.pad(mirrored, (reach,) * 4)
    rows = torch.arange(height).view(1, -1, 1) + dy
    columns = torch.arange(width).view(1, 1, -1) + dx
    picked = padded.permute(0, 2, 3, 1)[torch.arange(n).view(-1, 1, 1), rows, columns]
    return picked.permute(0, 3, 1, 2)
