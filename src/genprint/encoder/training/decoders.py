"""Simulated decoders: small ones, trained for seconds, whose structure is drawn and so is known.

Chains of the simulator leave an up-sampling's trace with hand-made filters; here training makes the filters, through
activations and normalisations, as it does in generators. No generator takes part: a decoder learns to restore real
images from a few principal components of their patches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from genprint.fingerprints.residuals import Pixels, to_images, to_pixels
from genprint.storage.malloc import tune_malloc

Rng = np.random.Generator

TRANSPOSED, SUB_PIXEL, NEAREST, INTERPOLATED, NONE = (
    "transposed convolution", "sub-pixel", "nearest neighbour + convolution", "interpolation + convolution", "none",
)  # fmt: skip
#: what a last up-sampling step may be
KINDS = (TRANSPOSED, SUB_PIXEL, NEAREST, INTERPOLATED, NONE)

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky": lambda: nn.LeakyReLU(0.2),
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}
_BORDERS = ("zeros", "reflect", "replicate")
_NORMS = ("batch", "group", "none")
_STEPS, _BATCH, _RATE = 150, 24, 1e-2


def _chosen(rng: Rng, among: list[int], shares: list[float]) -> int:
    return int(rng.choice(among, p=shares))


@dataclass(frozen=True)
class DecoderStructure:
    """What a designer picks.

    Attributes:
        kind: of the last up-sampling step, one of ``KINDS``.
        doublings: of the side, from latent maps to pixels; of ``NONE``, zero: then it denoises.
        earlier: the kind of the other doublings.
        taps: side of the kernels of transposed and other convolutions.
        width: maps of the last hidden layer.
        head: convolutions after the last doubling; with none, the doubling writes the pixels.
        activation, norm, border: of every hidden layer, 'relu', 'leaky', 'silu' or 'tanh'; 'batch', 'group' or 'none';
            'zeros', 'reflect' or 'replicate'.
        bounded: whether a tanh comes last.
        latents: maps of the latent, as a share of all components of a patch.
    """

    kind: str
    doublings: int
    earlier: str
    taps: int
    width: int
    head: int
    activation: str
    norm: str
    border: str
    bounded: bool
    latents: float

    @classmethod
    def draw(cls, rng: Rng, kind: str | None = None) -> DecoderStructure:
        """A structure at random, of that kind if one is given."""
        kind = kind or str(rng.choice(KINDS))
        same = rng.random() < 0.8
        odd, even = ([3, 5], [0.8, 0.2]), ([3, 4, 5], [0.2, 0.6, 0.2])
        return cls(
            kind, 0 if kind == NONE else int(rng.integers(1, 4)),
            kind if same else str(rng.choice(KINDS[:-1])),
            _chosen(rng, *(even if kind == TRANSPOSED else odd)),
            4 * int(rng.integers(2, 5)), _chosen(rng, [0, 1, 2], [0.25, 0.5, 0.25]),
            str(rng.choice([*_ACTIVATIONS])), str(rng.choice(_NORMS)), str(rng.choice(_BORDERS, p=[0.7, 0.15, 0.15])),
            bool(rng.random() < 0.5), float(np.exp(rng.uniform(np.log(0.08), np.log(0.6)))),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class SimulatedDecoder(nn.Module):
    """A decoder of a structure, untrained."""

    components: Tensor
    spread: Tensor
    middle: Tensor

    def __init__(self, structure: DecoderStructure):
        super().__init__()
        self.structure = one = structure
        self.side = 2**one.doublings
        self.latents = max(2, round(one.latents * 3 * self.side**2)) if one.doublings else 3
        layers: list[nn.Module] = []
        before = self.latents
        if not one.doublings:
            layers += [*self._convolution(3, one.width), *self._activated(one.width)]
            before = one.width
        for i in range(one.doublings):
            last = i == one.doublings - 1
            pixels = last and not one.head
            after = 3 if pixels else one.width * 2 ** min(2, one.doublings - 1 - i)
            layers += self._doubling(one.kind if last else one.earlier, before, after)
            layers += [] if pixels else self._activated(after)
            before = after
        for i in range(one.head if one.doublings else one.head + 1):
            last = i == (one.head if one.doublings else one.head + 1) - 1
            layers += self._convolution(before, 3 if last else one.width)
            layers += [] if last else self._activated(one.width)
            before = one.width
        self.layers = nn.Sequential(*layers, *([nn.Tanh()] if one.bounded else []))
        self.register_buffer("components", torch.zeros(self.latents, 3 * self.side**2))
        self.register_buffer("spread", torch.ones(self.latents))
        self.register_buffer("middle", torch.zeros(3 * self.side**2))

    def _convolution(self, before: int, after: int, taps: int | None = None) -> list[nn.Module]:
        taps = taps or (self.structure.taps if self.structure.taps % 2 else 3)
        return [nn.Conv2d(before, after, taps, 1, taps // 2, padding_mode=self.structure.border)]  # type: ignore[arg-type]

    def _activated(self, maps: int) -> list[nn.Module]:
        norm = {"batch": nn.BatchNorm2d(maps), "group": nn.GroupNorm(4, maps), "none": nn.Identity()}
        return [norm[self.structure.norm], _ACTIVATIONS[self.structure.activation]()]

    def _doubling(self, kind: str, before: int, after: int) -> list[nn.Module]:
        if kind == TRANSPOSED:
            taps = self.structure.taps
            return [nn.ConvTranspose2d(before, after, taps, 2, (taps - 1) // 2, output_padding=taps % 2)]
        if kind == SUB_PIXEL:
            return [*self._convolution(before, 4 * after), nn.PixelShuffle(2)]
        if kind == NEAREST:
            return [nn.Upsample(scale_factor=2), *self._convolution(before, after)]
        mode = "bilinear" if self.structure.width % 8 else "bicubic"
        return [nn.Upsample(scale_factor=2, mode=mode, align_corners=False), *self._convolution(before, after)]

    def forward(self, latent: Float[Tensor, "n k h w"]) -> Pixels:
        """Images, -1..1."""
        made: Tensor = self.layers(latent)
        return made

    def encode(self, images: Pixels) -> Float[Tensor, "n k h w"]:
        """Latent maps of images, -1..1: standardised principal components of their patches."""
        patches = F.pixel_unshuffle(images, self.side) if self.side > 1 else images
        centred = patches - self.middle.view(1, -1, 1, 1)
        return torch.einsum("kp,nphw->nkhw", self.components, centred) / self.spread.view(1, -1, 1, 1)

    def train_on(self, images: Pixels, seed: int, steps: int = _STEPS) -> SimulatedDecoder:
        """Learns to restore images, -1..1 ``(n, 3, h, w)``, from their latent maps; of no doubling, from noisy ones."""
        tune_malloc()
        rng = torch.Generator().manual_seed(seed)
        if self.side > 1:
            patches = F.pixel_unshuffle(images[:1000], self.side).permute(0, 2, 3, 1).flatten(0, 2)
            self.middle.copy_(patches.mean(0))
            _, values, directions = torch.linalg.svd(
                (patches - self.middle)[torch.randperm(len(patches), generator=rng)[:4000]], full_matrices=False
            )
            self.components.copy_(directions[: self.latents])
            self.spread.copy_((values[: self.latents] / min(4000, len(patches)) ** 0.5).clamp(min=1e-3))
        else:
            self.components.copy_(torch.eye(3))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.Adam(self.parameters(), _RATE if self.structure.norm != "none" else _RATE / 3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            real = images[torch.randint(len(images), (_BATCH,), generator=rng)]
            loss = F.l1_loss(self(self._jittered(real, rng)), real)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        return self.eval()

    def _jittered(self, images: Pixels, rng: torch.Generator, strength: float = 0.1) -> Tensor:
        latent = self.encode(images)
        return latent + strength * torch.randn(latent.shape, generator=rng)

    @torch.inference_mode()
    def sample(self, images: Pixels, seed: int) -> np.ndarray:
        """Images, uint8 ``(n, h, w, 3)``, decoded from latents between those of images, -1..1, and their neighbours."""
        rng = torch.Generator().manual_seed(seed)
        latent = self._jittered(images, rng, 0.15)
        made = self((latent + 0.15 * (latent.roll(1, 0) - latent)).contiguous(memory_format=torch.channels_last))
        return to_images(((made + 1) * 127.5).clamp(0, 255).round())


def trained_decoder(
    structure: DecoderStructure, images: np.ndarray, seed: int, steps: int = _STEPS
) -> SimulatedDecoder:
    """A decoder of that structure, trained on real images, uint8 ``(n, h, w, 3)``."""
    torch.manual_seed(seed)
    return SimulatedDecoder(structure).train_on(to_pixels(images) / 127.5 - 1, seed, steps)
