"""Training of the set encoder: supervised contrast over sets, resumable, stopped early."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from genprint.encoder.network import SetNetwork
from genprint.encoder.training.episodes import Episode, Episodes, pad_sets
from genprint.encoder.training.sharing import add_gradients, is_first, processes, share_norms, shared_features
from genprint.storage.malloc import tune_malloc
from genprint.storage.weights import WeightsError, load_checkpoint, save_checkpoint

# step, steps, training loss, validation loss (the last two: smoothed, latest)
Progress = Callable[[int, int, float, float], None]


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how fast to learn.

    The step size follows a cosine from ``learning_rate`` to 5 % of it. Validation runs every ``validate_every``
    steps; after ``patience`` validations without a new best, training ends. ``precision`` 'bfloat16' pays
    only on hardware that has it. ``head_only`` leaves the tower as it is. ``image_loss`` weighs the same loss of the
    episode's single images, added to that of its sets.
    """

    steps: int
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    temperature: float = 0.1
    validate_every: int = 200
    patience: int = 20
    precision: str = "float32"
    head_only: bool = False
    image_loss: float = 0.0


@dataclass(frozen=True)
class TrainingResult:
    """What came of it; losses are supervised contrastive losses on the validation episodes."""

    steps: int
    best_step: int
    best_loss: float
    first_loss: float
    history: tuple[tuple[int, float, float], ...]


def train(
    network: SetNetwork,
    episodes: Episodes,
    validation: Sequence[Episode],
    config: TrainingConfig,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    criterion: nn.Module | None = None,
    run_id: str = "",
) -> TrainingResult:
    """Trains in place and leaves the network at its best validation loss.

    Args:
        network: trained in place.
        episodes: what each step learns from.
        validation: episodes whose mean loss picks the best weights and ends training early.
        config: how long and how fast.
        checkpoint: file with the state, written at every validation.
        progress: called after every step with step, steps, training loss and validation loss.
        criterion: what is minimised, of unit vectors of sets and their labels; supervised contrast by default, which
            validation always is. What it has to learn itself (proxies of known sources) is learned beside the network.
        run_id: images, seed and start of this training, for the checkpoint to say what it belongs to.

    With ``checkpoint``, state is written at every validation and found again by a later call: killed and
    called again, it ends where an unbroken run would have. Several processes (``sharing``) share every step.

    Raises:
        WeightsError: the checkpoint belongs to another training.
    """
    from pytorch_metric_learning.losses import SupConLoss

    tune_malloc()
    contrast = SupConLoss(temperature=config.temperature)
    criterion = criterion or contrast
    learned = nn.ModuleList([network.head if config.head_only else network, criterion])
    optimizer = torch.optim.AdamW(learned.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    best = copy.deepcopy(network)
    if processes() > 1:
        share_norms(network)
    models, optimizers = {"network": network, "best": best, "criterion": criterion}, {"optimizer": optimizer}
    start, notes = load_checkpoint(checkpoint, models, optimizers) if checkpoint else (0, None)
    whose = {"config": asdict(config), "run_id": run_id}
    if notes is not None and any(notes.get(key) != value for key, value in whose.items()):
        raise WeightsError(
            f"{checkpoint}: belongs to a training with other settings, images, seed or start; remove it to start anew"
        )
    history: list[tuple[int, float, float]] = [tuple(row) for row in notes["history"]] if notes else []
    if not history:
        history.append((0, math.nan, evaluate(network, validation, contrast)))
    running = history[-1][1]

    def best_row() -> tuple[int, float, float]:
        return min(history, key=lambda row: row[2])

    for step in range(start, config.steps):
        if history[-1][0] - best_row()[0] >= config.patience * config.validate_every:
            break
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * (0.525 + 0.475 * math.cos(math.pi * step / config.steps))
        loss = _loss(network, episodes(step), criterion, config)
        optimizer.zero_grad()
        loss.backward()
        add_gradients(network)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        running = loss.item() if math.isnan(running) else 0.98 * running + 0.02 * loss.item()
        done = step + 1
        if done % config.validate_every == 0 or done == config.steps:
            history.append((done, running, evaluate(network, validation, contrast)))
            if best_row()[0] == done:
                best.load_state_dict(network.state_dict())
            if checkpoint and is_first():
                save_checkpoint(checkpoint, done, models, optimizers, {"history": history, **whose})
        if progress and is_first():
            progress(done, config.steps, running, history[-1][2])
    network.load_state_dict(best.state_dict())
    return TrainingResult(history[-1][0], best_row()[0], best_row()[2], history[0][2], tuple(history))


def _loss(network: SetNetwork, episode: Episode, criterion: Callable[..., Tensor], config: TrainingConfig) -> Tensor:
    device = next(network.parameters()).device
    network.train()
    for tower in network.towers:
        tower.train(not config.head_only)
    with (
        torch.set_grad_enabled(not config.head_only),
        torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16"),
    ):
        features = shared_features(network, episode.pixels.to(device)).float()
    labels = episode.labels.to(device)
    loss = criterion(network(*pad_sets(features, episode.sizes)), labels)
    if config.image_loss:
        owners = labels.repeat_interleave(torch.tensor(episode.sizes, device=device))
        loss = loss + config.image_loss * criterion(network(*pad_sets(features, [1] * len(features))), owners)
    return loss


@torch.no_grad()
def evaluate(network: SetNetwork, episodes: Sequence[Episode], criterion: Callable[..., Tensor]) -> float:
    """Mean loss over episodes, in evaluation mode."""
    network.eval()
    device = next(network.parameters()).device
    losses = []
    for episode in episodes:
        features = network.features(episode.pixels.to(device))
        losses.append(criterion(network(*pad_sets(features, episode.sizes)), episode.labels.to(device)).item())
    return sum(losses) / len(losses)
