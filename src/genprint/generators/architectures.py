"""Every architecture of the reference collection, and which part of the collection it belongs to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from genprint.generators.base import Generator

#: architecture -> 'train', 'calibration' or 'test': what an encoder may learn from, be tuned on, be judged by
SPLIT: dict[str, str] = json.loads((Path(__file__).parent / "split.json").read_text())


@dataclass(frozen=True)
class Architecture:
    """How to make an untrained generator, and how long to train it.

    Attributes:
        module: below ``genprint.generators``; imported only when used, for diffusers is slow to import.
        name: of the class in it.
        steps: of training.
        arguments: of the class.
        upsampling: how it gets from few positions to all pixels, in words.
        loss: what it is trained to lower, in words.
    """

    module: str
    name: str
    steps: int
    upsampling: str
    loss: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def load_class(self) -> type[Generator]:
        """The class.

        Raises:
            ModuleNotFoundError: it needs the extra 'generators'.
        """
        found: type[Generator] = getattr(import_module(f"genprint.generators.{self.module}"), self.name)
        return found

    def make(self, **arguments: Any) -> Generator:
        """An untrained generator."""
        return self.load_class()(**{**self.arguments, **arguments})


_TRANSPOSED, _NEAREST = "4x4 transposed convolution", "nearest neighbour + 3x3 convolution"
_ELBO = "evidence lower bound"
_LIKELIHOOD = "exact likelihood"
_PATCHES = "nearest neighbour + 3x3 convolution, then 2x2 sub-pixel patches"

ARCHITECTURES: dict[str, Architecture] = {
    "vae-conv": Architecture("vae.conv", "ConvVAE", 6000, _TRANSPOSED, _ELBO),
    "vae-resize": Architecture("vae.conv", "ConvVAE", 6000, _NEAREST, _ELBO, {"upsampling": "nearest"}),
    "vae-ladder": Architecture("vae.ladder", "LadderVAE", 5000, _NEAREST, _ELBO),
    "flow-glow": Architecture("flow.glow", "Glow", 8000, "inverse squeeze", _LIKELIHOOD),
    "flow-wavelet": Architecture(
        "flow.wavelet", "WaveletFlow", 5000, "inverse Haar wavelet", _LIKELIHOOD, {"temperature": 0.9}
    ),
    "flow-tarflow": Architecture("flow.autoregressive", "TarFlow", 6000, "4x4 patches", _LIKELIHOOD),
    "gan-dcgan": Architecture("gan", "DCGAN", 6000, _TRANSPOSED, "non-saturating"),
    "gan-dcgan-nearest": Architecture(
        "gan", "DCGAN", 6000, _NEAREST, "non-saturating", {"upsampling": "nearest"}
    ),
    "gan-sngan": Architecture("gan", "SNGAN", 4000, _TRANSPOSED, "hinge, spectral norm"),
    "gan-sngan-nearest": Architecture(
        "gan", "SNGAN", 4000, _NEAREST, "hinge, spectral norm", {"upsampling": "nearest"}
    ),
    "gan-wgan-gp": Architecture("gan", "WGANGP", 6000, _TRANSPOSED, "Wasserstein, gradient penalty"),
    "gan-wgan-gp-nearest": Architecture(
        "gan", "WGANGP", 6000, _NEAREST, "Wasserstein, gradient penalty",
        {"upsampling": "nearest"},
    ),
    "score-ddim": Architecture("score", "DDIM", 6500, _PATCHES, "velocity of a cosine diffusion"),
    "score-edm": Architecture("score", "EDM", 6500, _PATCHES, "denoising, noise added up to 40"),
    "score-flow-matching": Architecture("score", "FlowMatching", 6500, _PATCHES, "velocity of straight paths"),
}  # fmt: skip


def architecture(name: str) -> Architecture:
    """An architecture by name.

    Raises:
        KeyError: none of that name; the message lists those there are.
    """
    if name not in ARCHITECTURES:
        raise KeyError(f"no architecture {name!r}; there are: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]
