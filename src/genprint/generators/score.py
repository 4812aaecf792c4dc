"""A denoising diffusion model: diffusers' U-Net and schedulers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genprint.generators.base import Generator, Images


class UNetDDIM(Generator):
    """Ho et al., "Denoising Diffusion Probabilistic Models" (2020), sampled as Song et al., "DDIM" (2021).

    The U-Net works on 2x2 patches of pixels, a quarter of the positions. Cosine noise schedule; the network
    predicts the velocity (Salimans & Ho, 2022), which few steps need.

    Args:
        channels: of the U-Net's three scales.
        steps: of the sampler.
    """

    family = "score"
    architecture = "unet-ddim"
    learning_rate = 1e-3
    ema = 0.9995

    def __init__(self, channels: Sequence[int] = (32, 48, 64), side: int = 32, steps: int = 20):
        super().__init__()
        from diffusers import DDIMScheduler, UNet2DModel

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
        self.schedule = DDIMScheduler(
            beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", timestep_spacing="trailing"
        )

    def parts(self) -> dict[str, nn.Module]:
        return {"model": self}

    def forward(self, images: Images, time: Tensor) -> Images:
        """The velocity predicted at each image's time, 0 (clean) to 999."""
        return F.pixel_shuffle(self.unet(F.pixel_unshuffle(images, 2), time).sample, 2)

    def loss(self, part: str, images: Images, rng: torch.Generator) -> Tensor:
        noise = torch.randn(images.shape, generator=rng)
        time = torch.randint(self.schedule.config.num_train_timesteps, (len(images),), generator=rng)
        velocity = self.schedule.get_velocity(images, noise, time)
        return F.mse_loss(self(self.schedule.add_noise(images, noise, time), time).float(), velocity)

    def sample(self, n: int, rng: torch.Generator) -> Images:
        self.schedule.set_timesteps(self.steps)
        images = torch.randn(n, 3, self.side, self.side, generator=rng)
        for time in self.schedule.timesteps:
            images = self.schedule.step(self(images, time), time, images).prev_sample
        return images
