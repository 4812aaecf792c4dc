"""The reference collection: what is in it, and how each member comes to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genprint.generators import variants
from genprint.generators.architectures import ARCHITECTURES, architecture
from genprint.generators.base import Generator
from genprint.generators.collection import load, save
from genprint.generators.training import Progress, train
from genprint.storage.weights import WeightsError

SEEDS = (0, 1)
_FINE_TUNING_STEPS = 1000


@dataclass(frozen=True)
class Recipe:
    """How one member of the collection is made.

    Attributes:
        change: from ``parent``: 'fine-tuned' (on other images), 'last weights' (no moving average), 'int8',
            'pruned' or 'sampler'; None where there is no parent.
        arguments: of the generator, beside those of its architecture.
        steps: of training from scratch; None: as many as its architecture takes.
    """

    name: str
    architecture: str
    seed: int
    parent: str | None = None
    change: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    steps: int | None = None

    def training_steps(self) -> int:
        """Steps of training from scratch."""
        return self.steps or architecture(self.architecture).steps


def _descendant(parent: str, suffix: str, change: str, **arguments: Any) -> Recipe:
    name, seed = parent.rsplit("-s", 1)
    return Recipe(f"{parent}-{suffix}", name, int(seed), parent, change, arguments)


RECIPES: tuple[Recipe, ...] = (
    *(Recipe(f"{name}-s{seed}", name, seed) for name in ARCHITECTURES for seed in SEEDS),
    Recipe("vae-conv-beta4-s0", "vae-conv", 0, arguments={"beta": 4.0}),
    Recipe("vae-conv-laplace-s0", "vae-conv", 0, arguments={"likelihood": "laplace"}),
    _descendant("score-ddim-s0", "ddim10", "sampler", steps=10),
    _descendant("score-ddim-s0", "ddim50", "sampler", steps=50),
    _descendant("score-ddim-s0", "ancestral50", "sampler", steps=50, sampler="ancestral"),
    *(_descendant(parent, "int8", "int8") for parent in ("gan-dcgan-s0", "vae-conv-s0")),
    *(_descendant(parent, "pruned", "pruned") for parent in ("gan-dcgan-s0", "vae-conv-s0")),
    *(_descendant(parent, "tuned", "fine-tuned") for parent in ("vae-conv-s0", "score-ddim-s0", "flow-wavelet-s0")),
    *(_descendant(parent, "last", "last weights") for parent in ("gan-sngan-s0", "score-edm-s0")),
)


@dataclass(frozen=True)
class Images:
    """Real images, uint8 ``(n, h, w, 3)``, and what they are called."""

    pixels: np.ndarray = field(repr=False)
    name: str


def make(
    recipe: Recipe, images: Images, other: Images | None, directory: Path, progress: Progress, device: str = "cpu"
) -> None:
    """Makes one member in ``directory / recipe.name``, beside its parent; goes on where it was stopped.

    Raises:
        ValueError: the recipe needs ``other`` images, and there are none.
        WeightsError: its parent is not there yet.
    """
    target = directory / recipe.name
    about: dict[str, Any] = {
        "trained_on": images.name, "seed": recipe.seed, "steps": recipe.training_steps(),
        "seconds": None, "parent": recipe.parent, "change": recipe.change,
    }  # fmt: skip
    if recipe.change in (None, "last weights"):
        averaged, last, about["seconds"] = _trained(recipe, images, directory, progress, device)
        save(last if recipe.change else averaged, target, recipe.architecture, about)
        return
    assert recipe.parent is not None
    parent, _ = load(directory / recipe.parent)
    if recipe.change == "sampler":
        changed = variants.with_arguments(parent, **recipe.arguments)
        save(changed, target, recipe.architecture, about, weights_of=directory / recipe.parent)
    elif recipe.change == "fine-tuned":
        if other is None:
            raise ValueError(f"{recipe.name} is tuned on other images: name them with --other")
        about |= {"trained_on": f"{images.name}, then {other.name}", "steps": _FINE_TUNING_STEPS}
        path = directory / f"{recipe.name}.checkpoint.safetensors"
        tuned, about["seconds"] = train(
            parent, other.pixels, _FINE_TUNING_STEPS, recipe.seed, path, progress, device=device
        )
        save(tuned, target, recipe.architecture, about)
    else:
        assert recipe.change in variants.DERIVED
        save(parent, target, recipe.architecture, about, weights_of=directory / recipe.parent)


def _trained(
    recipe: Recipe, images: Images, directory: Path, progress: Progress, device: str
) -> tuple[Generator, Generator, float]:
    """The moving average and the last weights of a training from scratch, and its seconds.

    A recipe for the last weights finds the checkpoint of its parent, and nothing left to train.
    """
    torch.manual_seed(recipe.seed)
    generator = architecture(recipe.architecture).make(**recipe.arguments)
    path = directory / f"{recipe.parent or recipe.name}.checkpoint.safetensors"
    if recipe.parent and not path.exists():
        raise WeightsError(
            f"{path}: no such file; {recipe.name} needs the checkpoint that {recipe.parent} was trained with"
        )
    averaged, seconds = train(
        generator, images.pixels, recipe.training_steps(), recipe.seed, path, progress, device=device
    )
    return averaged, generator, seconds
