"""The classes of reference generators, and the checkpoints shipped with the package."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

from genprint.generators.base import Generator, to_levels
from genprint.weights import WeightsError, load_model, save_model

KIND = "generator"
SHIPPED = Path(__file__).parent / "checkpoints"

#: class of model -> where its generator is; imported only when used, for diffusers is slow to import
_CLASSES = {
    "vae": ("genprint.generators.vae", "ConvVAE"),
    "flow": ("genprint.generators.flow", "Glow"),
    "gan": ("genprint.generators.gan", "DCGAN"),
    "score": ("genprint.generators.score", "UNetDDIM"),
}
FAMILIES = tuple(_CLASSES)


def generator_class(family: str) -> type[Generator]:
    """The generator of a class of model.

    Raises:
        KeyError: no such class; the message lists those there are.
        ModuleNotFoundError: it needs the extra 'generators'.
    """
    if family not in _CLASSES:
        raise KeyError(f"no class of generator {family!r}; there are: {', '.join(FAMILIES)}")
    module, name = _CLASSES[family]
    return getattr(import_module(module), name)


def save(generator: Generator, directory: Path, trained_on: str, seed: int, steps: int) -> None:
    """Writes what sampling needs, in float16, with a model card."""
    tensors = {
        name: value.half() if value.is_floating_point() else value
        for name, value in generator.needed_to_sample().items()
    }
    about = {
        "family": generator.family, "architecture": generator.architecture, "arguments": generator.config,
        "trained_on": trained_on, "seed": seed, "steps": steps,
    }  # fmt: skip
    card = _CARD.format(name=directory.name, doc=(type(generator).__doc__ or "").strip().splitlines()[0], **about)
    save_model(directory, KIND, about, tensors, card)


def load(directory: Path) -> tuple[Generator, dict]:
    """A saved generator, ready to sample, and its config.

    Raises:
        WeightsError: missing or damaged.
    """
    config, tensors = load_model(directory, KIND)
    generator = generator_class(config["family"])(**config["arguments"])
    missing = generator.load_state_dict(
        {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}, strict=False
    )
    lacking = set(generator.needed_to_sample()) & set(missing.missing_keys)
    if lacking or missing.unexpected_keys:
        raise WeightsError(f"{directory}: does not fit its class; lacking {sorted(lacking)[:3]}")
    return generator.eval(), config


def shipped() -> list[Path]:
    """Folders of the shipped checkpoints, by name."""
    return sorted(path.parent for path in SHIPPED.glob("*/config.json"))


def find(name: str) -> Path:
    """A shipped checkpoint by name, or a folder.

    Raises:
        WeightsError: neither.
    """
    for path in (SHIPPED / name, Path(name)):
        if (path / "config.json").exists():
            return path
    known = ", ".join(path.name for path in shipped())
    raise WeightsError(f"{name}: neither a folder with a saved generator nor one of those shipped ({known})")


@torch.inference_mode()
def sample(generator: Generator, name: str, n: int, seed: int = 0, batch: int = 64) -> np.ndarray:
    """``n`` images, uint8 ``(n, h, w, 3)``. The noise follows from name and seed: no two names share latents.

    The first images of a longer run are those of a shorter one with the same ``batch``.
    """
    start = int.from_bytes(hashlib.sha256(f"{name}/{seed}".encode()).digest()[:7], "big")
    rng = torch.Generator().manual_seed(start)
    return np.concatenate([to_levels(generator.sample(batch, rng)).numpy() for _ in range(-(-n // batch))])[:n]


_CARD = """---
library_name: genprint
license: apache-2.0
---
# {name}

{doc}

A reference generator of class `{family}`, architecture `{architecture}`, trained for {steps} steps with seed {seed}
on {trained_on}. Weights in float16.
"""
