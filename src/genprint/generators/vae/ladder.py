"""A hierarchical variational auto-encoder: latent maps at several scales, drawn from coarse to fine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genprint.generators.base import Images, gaussian
from genprint.generators.layers import ResBlock
from genprint.generators.layers import upsampling as up
from genprint.generators.vae.base import VAE, divergence


class Rung(nn.Module):
    """One latent map: its prior follows from the state, its posterior from state and image; then it joins the state."""

    def __init__(self, width: int, latent: int):
        super().__init__()
        self.prior = nn.Sequential(nn.SiLU(), nn.Conv2d(width, 2 * latent, 3, 1, 1))
        self.posterior = nn.Sequential(nn.SiLU(), nn.Conv2d(2 * width, 2 * latent, 3, 1, 1))
        self.join = nn.Conv2d(latent, width, 1)
        self.block = ResBlock(width)

    def prior_moments(self, state: Tensor) -> tuple[Tensor, Tensor]:
        return _moments(self.prior(state))

    def posterior_moments(self, state: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        return _moments(self.posterior(torch.cat([state, seen], dim=1)))

    def forward(self, state: Tensor, latent: Tensor) -> Tensor:
        """The state with the latent map in it."""
        joined: Tensor = self.block(state + self.join(latent))
        return joined


def _moments(both: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_sigma = both.float().chunk(2, dim=1)
    return mean, 4 * torch.tanh(log_sigma / 4)  # bounded, so that no divergence can explode


class LadderVAE(VAE):
    """Sonderby et al., "Ladder Variational Autoencoders" (2016), simplified as Child, "Very Deep VAEs" (2021).

    Args:
        rungs: latent maps at each scale, from an eighth of the side to half of it.
        width: channels everywhere.
        latent: channels of a latent map.
        side: of the images, in pixels.
        likelihood: 'gaussian' or 'laplace'.
        beta: weight of the divergence.
    """

    def __init__(
        self, rungs: Sequence[int] = (3, 3, 1), width: int = 48, latent: int = 8, side: int = 32,
        likelihood: str = "gaussian", beta: float = 1.0,
    ):  # fmt: skip
        super().__init__(likelihood, beta)
        self.config = {
            "rungs": list(rungs), "width": width, "latent": latent, "side": side,
            "likelihood": likelihood, "beta": beta,
        }  # fmt: skip
        self.latent, low = latent, side >> len(rungs)
        scales = range(len(rungs))
        self.stem = nn.Conv2d(3, width, 3, 1, 1)
        self.down = nn.ModuleList(nn.Sequential(nn.Conv2d(width, width, 4, 2, 1), ResBlock(width)) for _ in scales)
        self.start = nn.Parameter(torch.zeros(1, width, low, low))
        self.rungs = nn.ModuleList(nn.ModuleList(Rung(width, latent) for _ in range(count)) for count in rungs)
        self.up = nn.ModuleList(nn.Sequential(*up("nearest", width, width)) for _ in scales)
        self.out = nn.Sequential(
            nn.SiLU(), nn.Conv2d(width, width // 2, 3, 1, 1), nn.SiLU(), nn.Conv2d(width // 2, 3, 3, 1, 1)
        )

    def _scales(self) -> Iterator[tuple[list[Rung], nn.Module]]:
        """The rungs of each scale and the way up from it, coarse to fine."""
        for rungs, up_ in zip(self.rungs, self.up, strict=True):
            yield list(rungs), up_  # type: ignore[call-overload]

    def infer(self, images: Images, rng: torch.Generator) -> tuple[Images, Float[Tensor, " n"]]:
        seen, maps = self.stem(images), []
        for down in self.down:
            seen = down(seen)
            maps.append(seen)
        state = self.start.expand(len(images), -1, -1, -1)
        divergences = []
        for (rungs, up_), seen in zip(self._scales(), reversed(maps), strict=True):
            for rung in rungs:
                prior = rung.prior_moments(state)
                mean, log_sigma = rung.posterior_moments(state, seen)
                divergences.append(divergence(mean, log_sigma, *prior))
                state = rung(state, mean + log_sigma.exp() * gaussian(rng, *mean.shape))
            state = up_(state)
        return self.out(state).float(), torch.stack(divergences).sum(0)

    def sample(self, n: int, rng: torch.Generator) -> Images:
        """The decoder's output at latents drawn from the prior, without the likelihood's noise."""
        state = self.start.expand(n, -1, -1, -1)
        for rungs, up_ in self._scales():
            for rung in rungs:
                mean, log_sigma = rung.prior_moments(state)
                state = rung(state, mean + log_sigma.exp() * gaussian(rng, *mean.shape))
            state = up_(state)
        images: Tensor = self.out(state)
        return images
