"""Trained generators on disk, those shipped with the package among them: save, load, list, sample."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from typing import Any

import numpy as np
import torch

from genprint.generators.architectures import SPLIT, architecture
from genprint.generators.base import Generator, to_levels
from genprint.generators.variants import DERIVED
from genprint.storage.files import write_atomically
from genprint.storage.weights import CONFIG, WeightsError, load_model, save_config, save_model

# number of images made since the last call
Progress = Callable[[int], None]

KIND = "generator"
_DEMONSTRATED = ("flow-wavelet", "gan-dcgan", "score-ddim", "vae-conv")
SHIPPED = Path(__file__).parent / "checkpoints"


def save(
    generator: Generator,
    directory: Path,
    architecture_name: str,
    about: Mapping[str, Any],
    weights_of: Path | None = None,
) -> None:
    """Writes what sampling needs, in float16, with a model card.

    Args:
        generator: trained.
        directory: to write to; its name is the generator's.
        architecture_name: one of ``genprint.generators.architectures.ARCHITECTURES``.
        about: ``trained_on``, ``seed``, ``steps``, ``seconds``, ``parent`` and ``change`` (None for both: no parent).
        weights_of: a folder beside ``directory`` whose weights these are, or follow from by the change; they are not
            written again.
    """
    tensors = {
        name: value.half() if value.is_floating_point() else value
        for name, value in generator.needed_to_sample().items()
    }
    known = architecture(architecture_name)
    config = {
        "class": generator.model_class, "architecture": architecture_name, "part": SPLIT.get(architecture_name),
        "upsampling": known.upsampling, "loss": known.loss, "arguments": generator.config,
        "parameters": sum(value.numel() for value in tensors.values()), **about,
    }  # fmt: skip
    doc = (type(generator).__doc__ or "").strip().splitlines()[0]
    card = _CARD.format(name=directory.name, doc=doc, **config)
    if weights_of is None:
        save_model(directory, KIND, config, tensors, card)
    else:
        same = json.loads((weights_of / CONFIG).read_text())
        config = {**same, **config, "weights_of": weights_of.name}
        write_atomically(directory / "README.md", card.encode())
        save_config(directory, config)


def load(directory: Path) -> tuple[Generator, dict[str, Any]]:
    """A saved generator, ready to sample, and its config.

    Raises:
        WeightsError: missing or damaged.
    """
    config, tensors = load_model(_weights_folder(directory), KIND)
    stated: dict[str, Any] = json.loads((directory / CONFIG).read_text())
    if stated["sha256"] != config["sha256"]:
        raise WeightsError(
            f"{directory}: made of other weights than {config['sha256'][:12]}... beside it; make it anew"
        )
    config = stated
    tensors = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    try:
        generator = architecture(config["architecture"]).make(**config["arguments"])
        missing = generator.load_state_dict(tensors, strict=False)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{directory}: not a complete generator: {error}") from None
    lacking = set(generator.needed_to_sample()) & set(missing.missing_keys)
    if lacking or missing.unexpected_keys:
        raise WeightsError(f"{directory}: does not fit its class; lacking {sorted(lacking)[:3]}")
    if config.get("weights_of") and config["change"] in DERIVED:
        generator = DERIVED[config["change"]](generator)
    return generator.eval(), config


def _weights_folder(directory: Path) -> Path:
    """Where the weights of a saved generator are: a variant may share those beside it."""
    try:
        shared = json.loads((directory / CONFIG).read_text()).get("weights_of")
    except (OSError, ValueError):  # load_model tells what is wrong
        shared = None
    if shared and Path(shared).name != shared:
        raise WeightsError(f"{directory / CONFIG}: weights_of names no folder beside it: {shared!r}")
    return directory.parent / shared if shared else directory


def shipped() -> list[Path]:
    """Folders of the shipped checkpoints, by name."""
    return sorted(path.parent for path in SHIPPED.glob(f"*/{CONFIG}"))


def demonstrated() -> list[Path]:
    """Folders of two seeds of one architecture of each class: small enough a collection to look at."""
    return [SHIPPED / f"{name}-s{seed}" for name in _DEMONSTRATED for seed in (0, 1)]


def describe(directory: Path) -> dict[str, Any]:
    """The name of a saved generator and all that its config says, weights unread."""
    return {"name": directory.name, **json.loads((directory / CONFIG).read_text())}


def find(name: str) -> Path:
    """A shipped checkpoint by name, or a folder.

    Raises:
        WeightsError: neither.
    """
    for path in (SHIPPED / name, Path(name)):
        if (path / CONFIG).exists():
            return path
    known = ", ".join(path.name for path in shipped())
    raise WeightsError(f"{name}: neither a folder with a saved generator nor one of those shipped ({known})")


def seed_of(name: str, seed: int) -> int:
    """Seed of a generator's noise: no two names share latents."""
    return int.from_bytes(hashlib.sha256(f"{name}/{seed}".encode()).digest()[:7], "big")


@torch.inference_mode()
def sample(
    generator: Generator,
    name: str,
    n: int,
    seed: int = 0,
    batch: int = 64,
    progress: Progress | None = None,
    device: torch.device | str = "cpu",
) -> np.ndarray:
    """``n`` images, uint8 ``(n, h, w, 3)``. The noise follows from name and seed, and from the kind of device.

    The first images of a longer run are those of a shorter one with the same ``batch``.
    """
    rng = torch.Generator(device).manual_seed(seed_of(name, seed))
    generator.to(device)
    parts = []
    for start in range(0, n, batch):
        parts.append(to_levels(generator.sample(batch, rng)).cpu().numpy()[: n - start])
        if progress:
            progress(len(parts[-1]))
    return np.concatenate(parts)


def sample_each(
    folders: Sequence[Path],
    n: int,
    seed: int = 0,
    progress: Progress | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[str, np.ndarray]]:
    """Names of saved generators with ``n`` images of each, in order; the images are those of ``sample``.

    As many generators are at work at once as torch has threads: they are too small to keep several threads busy.
    Until the last is out, torch has one thread for whatever else is done, or as many as there are for each generator.

    Args:
        folders: of saved generators.
        n: images of each.
        seed: of the noise, together with the folder's name.
        progress: called from other threads, by one at a time.
        device: that computes.

    Raises:
        WeightsError: one is missing or damaged.
    """
    threads = torch.get_num_threads()
    workers = max(1, min(threads, len(folders)))
    stopped, opening, telling = Event(), Lock(), Lock()

    def made(images: int) -> None:
        if stopped.is_set():
            raise CancelledError
        if progress:
            with telling:
                progress(images)

    def one(folder: Path) -> np.ndarray:
        with opening:  # the first imports what its class needs
            generator, _ = load(folder)
        return sample(generator, folder.name, n, seed, progress=made, device=device)

    torch.set_num_threads(threads // workers)
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(threads // workers,))
    try:
        yield from zip([folder.name for folder in folders], pool.map(one, folders), strict=True)
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def reference_images(count: int, seed: int) -> dict[str, np.ndarray]:
    """So many images of each shipped generator, descendants apart."""
    folders = [folder for folder in shipped() if not describe(folder)["parent"]]
    return dict(sample_each(folders, count, seed))


_CARD = """---
library_name: genprint
license: apache-2.0
---
# {name}

{doc}

A reference generator of class `{class}`, architecture `{architecture}`, trained for {steps} steps with seed {seed}
on {trained_on}. Parent: {parent} ({change}). Weights in float16.
"""
