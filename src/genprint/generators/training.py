"""Training of reference generators: one loop for all classes, resumable."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from genprint.generators.base import Generator, to_unit
from genprint.storage.files import digest
from genprint.storage.malloc import tune_malloc
from genprint.storage.weights import WeightsError, load_checkpoint, save_checkpoint

# step, steps, smoothed loss of each part
Progress = Callable[[int, int, dict[str, float]], None]

_WARMUP = 200
_DECAY = 0.3  # the last share of the steps, over which the step size falls to zero


def train(
    generator: Generator,
    images: np.ndarray,
    steps: int,
    seed: int,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    save_every: int = 500,
    device: str = "cpu",
) -> tuple[Generator, float]:
    """Trains on uint8 images ``(n, h, w, 3)``, mirrored at random.

    Killed and called again with the same ``checkpoint``, it goes on where the file was last written.

    Returns:
        the moving average of the weights (``generator`` has the last weights themselves), and the seconds it took.

    Raises:
        WeightsError: the checkpoint belongs to another training.
    """
    tune_malloc()
    generator.to(device)
    parts = generator.parts()
    optimizers = {
        f"optimizer-{name}": torch.optim.AdamW(
            part.parameters(), generator.step_size(name), generator.betas, weight_decay=0.0
        )
        for name, part in parts.items()
    }
    average = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(generator.ema), use_buffers=True)
    models = {"generator": generator, "average": average}
    start, notes = load_checkpoint(checkpoint, models, optimizers) if checkpoint else (0, None)
    # Architectures may share all their weights' names and shapes, so the file says what it belongs to.
    whose = f"{type(generator).__name__} {generator.config} seed {seed} steps {steps} {digest(images.tobytes())[:12]}"
    if notes and notes["of"] != whose:
        raise WeightsError(f"{checkpoint}: belongs to another training ({notes['of']}); remove it to start anew")
    smoothed: dict[str, float] = notes["losses"] if notes else {}
    began = time.monotonic() - (notes["seconds"] if notes else 0)
    for step in range(start, steps):
        choice = np.random.default_rng([seed, step])
        rng = torch.Generator(device).manual_seed(int(choice.integers(2**62)))
        batch = images[choice.integers(len(images), size=generator.batch)]
        if choice.random() < 0.5:
            batch = batch[:, :, ::-1]
        real = to_unit(torch.from_numpy(batch.copy()).to(device)).contiguous(memory_format=torch.channels_last)
        generator.train()
        for name, part in parts.items():
            optimizer = optimizers[f"optimizer-{name}"]
            for group in optimizer.param_groups:
                group["lr"] = generator.step_size(name) * _rate(step, steps)
            fast = generator.tolerates_bfloat16 and _has_bfloat16(device)
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=fast):
                loss = generator.loss(name, real, rng)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(part.parameters(), 1.0 if len(parts) == 1 else 1e6)
            optimizer.step()
            smoothed[name] = 0.99 * smoothed.get(name, loss.item()) + 0.01 * loss.item()
        # A short memory at first, so that the average does not carry the random start for long.
        average.multi_avg_fn = get_ema_multi_avg_fn(min(generator.ema, (1 + step) / (10 + step)))
        average.update_parameters(generator)
        if checkpoint and ((step + 1) % save_every == 0 or step + 1 == steps):
            notes = {"of": whose, "losses": smoothed, "seconds": time.monotonic() - began}
            save_checkpoint(checkpoint, step + 1, models, optimizers, notes)
        if progress:
            progress(step + 1, steps, smoothed)
    trained = average.module
    assert isinstance(trained, Generator)
    for each in (generator.eval(), trained.eval()):
        each.cpu().finish(torch.from_numpy(images))
    return trained, time.monotonic() - began


def _rate(step: int, steps: int) -> float:
    """Linear warm-up, flat, linear decay."""
    return min(1.0, (step + 1) / _WARMUP, (steps - step) / max(1.0, _DECAY * steps))


def _has_bfloat16(device: str) -> bool:
    """Whether the processor multiplies bfloat16 itself; emulated, it is far slower than float32."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())
