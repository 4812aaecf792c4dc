"""Generators of a model hub: diffusers pipelines, and generators saved by genprint, through the hub library's cache.

Only safe formats are fetched and read (JSON, safetensors, tokeniser text): no pickle, no code of the repository.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from genprint.generators.collection import Progress, load, sample, seed_of
from genprint.storage.weights import CONFIG, WeightsError

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

_PIPELINE = "model_index.json"
_BATCH = 16  # images that a pipeline makes at once


def is_pipeline(folder: Path) -> bool:
    """Whether a folder holds a diffusers pipeline."""
    return (folder / _PIPELINE).exists()


def sample_folder(
    folder: Path,
    name: str,
    n: int,
    seed: int = 0,
    prompt: str | None = None,
    steps: int | None = None,
    progress: Progress | None = None,
    device: torch.device | str = "cpu",
) -> np.ndarray:
    """``n`` images, uint8 ``(n, h, w, 3)``, of a pipeline's or a genprint generator's folder; noise from name and seed.

    Args:
        folder: of the pipeline or generator.
        name: seeds the noise together with ``seed``.
        n: number of images.
        seed: of the noise.
        prompt: for pipelines that need one.
        steps: of the sampler; the pipeline's if None.
        progress: called with the number of images made since its last call.
        device: that computes.

    Raises:
        WeightsError: the folder holds neither, or its weights are not in safetensors.
    """
    if not is_pipeline(folder):
        if not (folder / CONFIG).exists():
            raise WeightsError(
                f"{folder}: neither a diffusers pipeline ({_PIPELINE}) nor a generator saved by genprint ({CONFIG})"
            )
        return sample(load(folder)[0], name, n, seed, progress=progress, device=device)
    with _told(folder):
        pipeline = _open(folder).to(device)
    rng = torch.Generator().manual_seed(seed_of(name, seed))
    arguments: dict[str, Any] = {"num_inference_steps": steps} if steps else {}
    if prompt is not None:
        arguments["prompt"] = prompt
    parts = []
    for start in range(0, n, _BATCH):
        count = min(_BATCH, n - start)
        arguments["num_images_per_prompt" if prompt is not None else "batch_size"] = count
        with _told(folder):
            images = pipeline(generator=rng, output_type="np", **arguments).images
        levels = (np.asarray(images) * 255).round().clip(0, 255).astype(np.uint8)
        parts.append(levels.repeat(3, axis=3) if levels.shape[3] == 1 else levels)
        if progress:
            progress(count)
    return np.concatenate(parts)


def _open(folder: Path) -> DiffusionPipeline:
    from diffusers import DiffusionPipeline

    index = json.loads((folder / _PIPELINE).read_text())
    if isinstance(index.get("_class_name"), list):
        raise WeightsError(f"{folder}: its pipeline brings code, which is not run")
    pipeline = DiffusionPipeline.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Errors of the pipeline as one line."""
    try:
        yield
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise WeightsError(f"{folder}: cannot be sampled: {' '.join(str(error).split())[:300]}") from error
