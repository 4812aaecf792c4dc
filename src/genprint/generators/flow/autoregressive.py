"""An autoregressive flow: transformers that go through an image patch by patch, there and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from genprint.generators.base import Images, gaussian
from genprint.generators.flow.base import Flow

Tokens = Float[Tensor, "n t d"]


class Past:
    """Keys and values of the tokens so far, in one layer.

    Room for all is made at once: joining them anew for every token took longest of all.

    Args:
        tokens: that will come at most.
    """

    def __init__(self, tokens: int):
        self._tokens, self._count = tokens, 0
        self._kept: Tensor | None = None

    def add(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Notes those of the newest token; returns all of them."""
        if self._kept is None:
            n, heads, _, size = key.shape
            self._kept = key.new_empty(2, n, heads, self._tokens, size)
        self._kept[0, :, :, self._count : self._count + 1] = key
        self._kept[1, :, :, self._count : self._count + 1] = value
        self._count += 1
        keys, values = self._kept[:, :, :, : self._count]
        return keys, values


class Layer(nn.Module):
    """A pre-norm transformer layer in which a token sees itself and those before it."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm, self.attend, self.join = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tokens, past: Past | None = None) -> Tokens:
        """The tokens after this layer; with ``past``, only the newest, and it is noted there for those to come."""
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.attend(self.norm(x)).chunk(3, dim=2)
        )
        if past is not None:
            key, value = past.add(key, value)
        # Written out: on a CPU, the backward pass of torch's fused attention is slow in bfloat16.
        weights = query @ key.transpose(2, 3) / query.shape[3] ** 0.5
        if past is None:
            later = torch.ones(weights.shape[2:], dtype=torch.bool, device=x.device).triu(1)
            weights = weights.masked_fill(later, -torch.inf)
        seen = weights.softmax(dim=3) @ value
        x = x + self.join(seen.transpose(1, 2).flatten(2))
        added: Tensor = self.mlp(x)
        return x + added


class Pass(nn.Module):
    """Each token shifted and scaled by what the tokens before it say (a masked autoregressive flow)."""

    def __init__(self, tokens: int, size: int, width: int, layers: int, heads: int):
        super().__init__()
        self.enter = nn.Linear(size, width)
        self.place = nn.Parameter(0.02 * torch.randn(tokens, width))
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * size))
        for parameter in self.leave[1].parameters():
            nn.init.zeros_(parameter)

    def _next(self, x: Tokens, place: Tensor, pasts: Sequence[Past | None]) -> tuple[Tokens, Tokens]:
        """Mean and log deviation of the token that follows each of ``x``."""
        hidden = self.enter(x) + place
        for layer, past in zip(self.layers, pasts, strict=True):
            hidden = layer(hidden, past)
        mean, log_sigma = self.leave(hidden).to(x.dtype).chunk(2, dim=2)
        return mean, 4 * torch.tanh(log_sigma / 4)  # bounded, so that no token can explode

    def forward(self, x: Tokens) -> tuple[Tokens, Float[Tensor, " n"]]:
        """Noise, and log |det| of the way to it. The first token stays as it is."""
        mean, log_sigma = self._next(x[:, :-1], self.place[: x.shape[1] - 1], [None] * len(self.layers))
        noise = (x[:, 1:] - mean) * (-log_sigma).exp()
        return torch.cat([x[:, :1], noise], dim=1), -log_sigma.sum((1, 2))

    def inverse(self, noise: Tokens) -> Tokens:
        """One token after another."""
        tokens = [noise[:, :1]]
        pasts = [Past(noise.shape[1] - 1) for _ in self.layers]
        for t in range(1, noise.shape[1]):
            mean, log_sigma = self._next(tokens[-1], self.place[t - 1 : t], pasts)
            tokens.append(noise[:, t : t + 1] * log_sigma.exp() + mean)
        return torch.cat(tokens, dim=1)


class Passes(nn.Module):
    """Passes one after another, in alternating order, with the interface of one."""

    def __init__(self, count: int, tokens: int, size: int, width: int, layers: int, heads: int):
        super().__init__()
        self.passes = nn.ModuleList(Pass(tokens, size, width, layers, heads) for _ in range(count))

    def _passes(self) -> list[Pass]:
        return list(self.passes)  # type: ignore[arg-type]

    def forward(self, x: Tokens) -> tuple[Tokens, Float[Tensor, " n"]]:
        log_det = x.new_zeros(len(x))
        for each in self._passes():
            x, change = each(x)
            x, log_det = x.flip(1), log_det + change
        return x, log_det

    def inverse(self, noise: Tokens) -> Tokens:
        for each in reversed(self._passes()):
            noise = each.inverse(noise.flip(1))
        return noise


class TarFlow(Flow):
    """Zhai et al., "Normalizing Flows are Capable Generative Models" (2024).

    A stack of masked autoregressive flows over patches, in alternating order. It learns images with a little
    Gaussian noise; samples are denoised by the flow's score (the paper's section 2.5).

    Args:
        passes: over the image.
        layers: of the transformer of each pass.
        width: of the transformers.
        heads: of attention.
        patch: side of a patch, in pixels.
        side: of the images, in pixels.
        noise: standard deviation of the noise on images in -1..1.
        temperature: standard deviation of the noise when sampling.
    """

    betas = (0.9, 0.95)

    def __init__(
        self, passes: int = 4, layers: int = 2, width: int = 96, heads: int = 4, patch: int = 4, side: int = 32,
        noise: float = 0.05, temperature: float = 1.0,
    ):  # fmt: skip
        super().__init__()
        self.config = {
            "passes": passes, "layers": layers, "width": width, "heads": heads, "patch": patch, "side": side,
            "noise": noise, "temperature": temperature,
        }  # fmt: skip
        self.patch, self.noise, self.temperature = patch, noise, temperature
        self.grid = side // patch
        self.noise_shapes = [(self.grid**2, 3 * patch**2)]
        self.passes = Passes(passes, self.grid**2, 3 * patch**2, width, layers, heads)

    def encode(self, x: Images) -> tuple[list[Tensor], Float[Tensor, " n"]]:
        noise, log_det = self.passes(F.pixel_unshuffle(x, self.patch).flatten(2).transpose(1, 2))
        return [noise], log_det

    def decode(self, noises: list[Tensor]) -> Images:
        tokens = self.passes.inverse(noises[0])
        return F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (self.grid, self.grid)), self.patch)

    def dequantise(self, images: Images, rng: torch.Generator) -> Images:
        return images + self.noise * gaussian(rng, *images.shape)

    def sample(self, n: int, rng: torch.Generator) -> Images:
        noisy = super().sample(n, rng)
        with torch.inference_mode(False), torch.enable_grad():
            noisy = noisy.clone().requires_grad_()
            (score,) = torch.autograd.grad(self.log_prob(noisy).sum(), noisy)
        return (noisy + self.noise**2 * score).detach()
