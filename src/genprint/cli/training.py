"""Commands that train: fit, pretrain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genprint.cli.common import errors, say
from genprint.cli.loading import load_model, sources_of
from genprint.cli.options import Model, Strict
from genprint.cli.progress import bar

# Images of each generator in the reference population.
POPULATION_IMAGES = 100


def fit(
    data: Annotated[Path, typer.Argument(exists=True, help="Folder with one sub-folder for each source.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to save the model in.")],
    steps: Annotated[int, typer.Option(min=1, help="Most training steps; it stops early.")] = 600,
    seed: Annotated[int, typer.Option(help="Of splits and episodes.")] = 0,
    strict: Strict = False,
    model: Model = None,
) -> None:
    """Fine-tunes the model on your own sources (at least ten images each).

    A fifth of the images is held back, and says whether that helped: if fewer of these go to their source, the model
    stays as it was. It is the one for thumbnails if --model names none; the one for pictures cannot be fine-tuned.
    Killed, it goes on from its checkpoint when called again.
    """

    with errors():
        sets = sources_of(data, strict)
        with bar("training", total=steps) as advance:
            fitted = load_model(model).fit(
                sets, [images.name for images in sets], steps, seed,
                output.with_name(output.name + ".checkpoint.safetensors"),
                lambda step, _, loss, val: advance(at=step, extra=f"loss {loss:.3f} validation {val:.3f}"),
            )  # fmt: skip
        fitted.model.save(output)
        _clear(output)
        result = fitted.training
        say(
            f"held-back images that went to their source, each alone: {fitted.before:.1%} before, {fitted.after:.1%} "
            f"after {result.best_step} of {result.steps} steps "
            f"(validation loss {result.first_loss:.3f} and {result.best_loss:.3f})"
        )
        kept = ", as it was: fine-tuning did not help" if fitted.after < fitted.before else ""
        say(f"saved in {output}{kept}")


def pretrain(
    images: Annotated[list[Path], typer.Argument(exists=True, help="Real images of one size: folders or .npz.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to save the model in.")],
    steps: Annotated[int, typer.Option(min=1, help="Training steps of each of two towers.")] = 4000,
    seed: Annotated[int, typer.Option(help="Of weights, sources and episodes.")] = 0,
    single: Annotated[
        bool, typer.Option("--single/--sets", help="What the towers learn from; the head learns from sets.")
    ] = True,
    bfloat16: Annotated[bool, typer.Option(help="Faster where the processor has it.")] = False,
    start: Annotated[Path | None, typer.Option(help="Encoder to go on from, in place of random weights.")] = None,
    learning_rate: Annotated[float, typer.Option(help="Largest step size; it falls to 5 %.")] = 2e-3,
    image_loss: Annotated[
        float, typer.Option(min=0, help="With --sets: weight of the loss of single images beside.")
    ] = 1.0,
) -> None:
    """Trains an encoder on real images and simulated sources alone. Killed, it goes on where it was.

    Several processes, on one machine or many, share every step and come to the same encoder:
    torchrun --nproc-per-node 2 -m genprint pretrain IMAGES -o FOLDER
    """
    from genprint.encoder.encoder import SetEncoder
    from genprint.encoder.training import sharing
    from genprint.encoder.training.episodes import SetSizes
    from genprint.encoder.training.loop import TrainingConfig
    from genprint.encoder.training.pretraining import POPULATION, POPULATION_CONDITIONS, SINGLE
    from genprint.encoder.training.pretraining import pretrain as pretrain_encoder
    from genprint.generators.collection import reference_images
    from genprint.images.sets import ImageSet
    from genprint.model import Model as WholeModel

    with errors(), sharing.joined() as first:
        arrays = [ImageSet.read(path).to_array() for path in images]
        precision = "bfloat16" if bfloat16 else "float32"
        config = TrainingConfig(steps, learning_rate, precision=precision, image_loss=0.0 if single else image_loss)
        # Before hours of training: it may lack something.
        generated = reference_images(POPULATION_IMAGES, seed + 4)
        with bar("pretraining") as advance:
            learned = pretrain_encoder(
                arrays, generated, config, output.with_name(output.name + ".checkpoint.safetensors"),
                lambda step, of, loss, val: advance(at=step, of=of, extra=f"loss {loss:.3f} validation {val:.3f}"),
                seed, SINGLE if single else SetSizes(), start=SetEncoder.from_pretrained(start) if start else None,
            )  # fmt: skip
        if first:
            whole = WholeModel(learned.encoder).calibrated(
                learned.plda, learned.population, POPULATION, POPULATION_CONDITIONS
            )
            whole.save(output)
            _clear(output)
            say(f"saved in {output}")


def _clear(output: Path) -> None:
    """Removes the checkpoints of a training that is done, so that the next one starts anew."""
    for file in output.parent.iterdir():
        if file.name.startswith(output.name + ".checkpoint."):
            file.unlink()
