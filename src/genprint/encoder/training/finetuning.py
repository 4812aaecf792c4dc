"""Fine-tuning: a pretrained encoder on sets of known sources."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from genprint.encoder.network import SetNetwork
from genprint.encoder.tiles import cut_tiles
from genprint.encoder.training.episodes import LabelledEpisodes
from genprint.encoder.training.loop import Progress, TrainingConfig, TrainingResult, train
from genprint.images.sets import ImageSet, ImageSetError
from genprint.storage.files import digest

LEARNING_RATE = 3e-4

# Images of each source, uint8 (n, h, w, 3), all of one size.
Images = Mapping[str, np.ndarray]


def collect(sets: Sequence[ImageSet], sources: Sequence[str], seed: int) -> tuple[Images, Images]:
    """One tile of each image, all of one size, by source: to train on, and the fifth of each source to validate with.

    Raises:
        ImageSetError: fewer than two sources, or one with fewer than ten images.
    """
    by_source: dict[str, list[np.ndarray]] = {}
    for images, source in zip(sets, sources, strict=True):
        by_source.setdefault(source, []).extend(cut_tiles(image, 1, seed)[0][0] for image in images)
    if len(by_source) < 2:
        raise ImageSetError(f"training needs at least two sources; there is {', '.join(by_source) or 'none'}")
    for source, tiles in by_source.items():
        if len(tiles) < 10:
            raise ImageSetError(f"{source}: {len(tiles)} usable images; training needs at least ten of each source")
    side = min(min(tile.shape[:2]) for tiles in by_source.values() for tile in tiles)
    rng = np.random.default_rng(seed)
    training, validation = {}, {}
    for source, tiles in by_source.items():
        shuffled = np.stack([tile[:side, :side] for tile in tiles])[rng.permutation(len(tiles))]
        validation[source], training[source] = np.split(shuffled, [len(tiles) // 5])
    return training, validation


def tune(
    network: SetNetwork,
    run_id: str,
    training: Images,
    validation: Images,
    steps: int = 600,
    seed: int = 0,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> TrainingResult:
    """Trains the network in place, stopped early by the loss of the images to validate with.

    Args:
        network: of the encoder.
        run_id: which encoder it is, for the checkpoint to say what it belongs to.
        training: images to train on.
        validation: images to validate with.
        steps: most training steps.
        seed: of the episodes.
        checkpoint: written at every validation; a later call goes on from it.
        progress: called after every step.

    Raises:
        ValueError: it looks at whole images, as that for pictures does: training is on tiles.
    """
    if network.blocks is not None:
        raise ValueError("the model for pictures cannot be fine-tuned; give another, as --model thumbnails")
    every = max(10, steps // 20)
    images = {name: np.concatenate([validation[name], training[name]]) for name in training}
    whose = [seed, run_id, {name: digest(tiles.tobytes()) for name, tiles in images.items()}]
    return train(
        network,
        LabelledEpisodes(training, seed=seed),
        [LabelledEpisodes(validation, seed=seed + 1)(i) for i in range(8)],
        TrainingConfig(steps, LEARNING_RATE, validate_every=every, patience=5),
        checkpoint,
        progress,
        run_id=json.dumps(whose),
    )
