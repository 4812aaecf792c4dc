"""Score-based models: one U-Net from diffusers, three ways to train and sample it with diffusers' schedulers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from genprint.generators.base import Generator, Images, gaussian

Times = Float[Tensor, " n"]


class ScoreModel(Generator):
    """A U-Net that sees noisy images and the time; it works on 2x2 patches of pixels, a quarter of the positions.

    Args:
        channels: of the U-Net's three scales.
        side: of the images, in pixels.
        steps: of the sampler.
    """

    model_class = "score"
    learning_rate = 1e-3
    ema = 0.9995

    def __init__(self, channels: Sequence[int] = (32, 48, 64), side: int = 32, steps: int = 20):
        super().__init__()
        from diffusers import UNet2DModel

        self.config = {"channels": list(channels), "side": side, "steps": steps}
        self.side, self.steps = side, steps
        self.unet = UNet2DModel(
            sample_size=side // 2,
            in_channels=12,
            out_channels=12,
            block_out_channels=tuple(channels),
            layers_per_block=1,
            norm_num_groups=8,
            attention_head_dim=8,
            down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        )

    def parts(self) -> dict[str, nn.Module]:
        return {"model": self}

    def forward(self, images: Images, time: Tensor) -> Images:
        """The network's output at each image's time, about 0 to 1000."""
        return F.pixel_shuffle(self.unet(F.pixel_unshuffle(images, 2), time).sample, 2).float()

    def loss(self, part: str, images: Images, rng: torch.Generator) -> Tensor:
        noise = gaussian(rng, *images.shape)
        uniform = torch.rand(len(images), generator=rng, device=rng.device)
        noisy, time, target = self.corrupt(images, noise, uniform)
        return F.mse_loss(self(noisy, time), target)

    @abstractmethod
    def corrupt(self, images: Images, noise: Images, uniform: Times) -> tuple[Images, Tensor, Images]:
        """What the network sees (images and times) and what it should put out, given noise and numbers in 0..1."""


class DDIM(ScoreModel):
    """Ho et al., "Denoising Diffusion Probabilistic Models" (2020), sampled as Song et al., "DDIM" (2021).

    Cosine noise schedule; the network predicts the velocity (Salimans & Ho, 2022), which few steps need.

    Args:
        channels: of the U-Net's three scales.
        side: of the images, in pixels.
        steps: of the sampler.
        sampler: 'ddim' (deterministic) or 'ancestral' (the paper of 2020).
    """

    def __init__(self, channels: Sequence[int] = (32, 48, 64), side: int = 32, steps: int = 20, sampler: str = "ddim"):
        from diffusers import DDIMScheduler

        super().__init__(channels, side, steps)
        if sampler not in ("ddim", "ancestral"):
            raise ValueError(f"no sampler {sampler!r}; there are: ddim, ancestral")
        self.config["sampler"] = sampler
        # eta = 1 makes DDIM's step the ancestral one (Song et al., 2021, section 4.1).
        self.eta = float(sampler == "ancestral")
        self.schedule = DDIMScheduler(
            beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", timestep_spacing="trailing"
        )

    def corrupt(self, images: Images, noise: Images, uniform: Times) -> tuple[Images, Tensor, Images]:
        time = (uniform * self.schedule.config.num_train_timesteps).long()
        noisy = self.schedule.add_noise(images, noise, time)
        return noisy, time, self.schedule.get_velocity(images, noise, time)

    def sample(self, n: int, rng: torch.Generator) -> Images:
        self.schedule.set_timesteps(self.steps)
        images = gaussian(rng, n, 3, self.side, self.side)
        for time in self.schedule.timesteps:
            velocity = self(images, time)
            images = self.schedule.step(velocity, time, images, eta=self.eta, generator=rng).prev_sample
        return images


class EDM(ScoreModel):
    """Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models" (2022).

    Noise is added, never mixed in (a variance-exploding score model as Song & Ermon's NCSN); sampled by the
    second-order multistep solver of Lu et al., "DPM-Solver++" (2022).
    """

    def __init__(self, channels: Sequence[int] = (32, 48, 64), side: int = 32, steps: int = 20):
        from diffusers import EDMDPMSolverMultistepScheduler

        super().__init__(channels, side, steps)
        self.schedule = EDMDPMSolverMultistepScheduler(sigma_max=40.0)

    @staticmethod
    def _time(sigma: Tensor) -> Tensor:
        """The paper's ln(sigma) / 4, spread over the range that the U-Net's time embedding resolves."""
        return 500 + 100 * sigma.log()

    def corrupt(self, images: Images, noise: Images, uniform: Times) -> tuple[Images, Tensor, Images]:
        # sigma is log-normal, mean -1.2, deviation 1.2 (the paper's table 1).
        sigma = torch.exp(-1.2 + 1.2 * 2**0.5 * torch.erfinv(2 * uniform.clamp(1e-4, 1 - 1e-4) - 1))
        wide = sigma.view(-1, 1, 1, 1)
        noisy = images + wide * noise
        data = self.schedule.config.sigma_data
        total = (wide.square() + data**2).sqrt()
        target = (images - noisy * data**2 / total.square()) * total / (wide * data)
        return noisy / total, self._time(sigma), target

    def sample(self, n: int, rng: torch.Generator) -> Images:
        self.schedule.set_timesteps(self.steps)
        images: Tensor = self.schedule.init_noise_sigma * gaussian(rng, n, 3, self.side, self.side)
        for time, sigma in zip(self.schedule.timesteps, self.schedule.sigmas, strict=False):
            seen = self.schedule.scale_model_input(images, time)
            images = self.schedule.step(self(seen, self._time(sigma)), time, images).prev_sample
        return images


class FlowMatching(ScoreModel):
    """Lipman et al., "Flow Matching for Generative Modeling" (2023): straight paths from noise to image.

    Sampled by Euler steps.
    """

    def __init__(self, channels: Sequence[int] = (32, 48, 64), side: int = 32, steps: int = 20):
        from diffusers import FlowMatchEulerDiscreteScheduler

        super().__init__(channels, side, steps)
        self.schedule = FlowMatchEulerDiscreteScheduler()

    def corrupt(self, images: Images, noise: Images, uniform: Times) -> tuple[Images, Tensor, Images]:
        # Logit-normal times: most of the work is in the middle (Esser et al., 2024).
        sigma = torch.sigmoid(2**0.5 * torch.erfinv(2 * uniform.clamp(1e-4, 1 - 1e-4) - 1))
        wide = sigma.view(-1, 1, 1, 1)
        return (1 - wide) * images + wide * noise, 1000 * sigma, noise - images

    def sample(self, n: int, rng: torch.Generator) -> Images:
        self.schedule.set_timesteps(self.steps)
        images = gaussian(rng, n, 3, self.side, self.side)
        for time in self.schedule.timesteps:
            images = self.schedule.step(self(images, time), time, images).prev_sample
        return images
