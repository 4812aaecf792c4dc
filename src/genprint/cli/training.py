"""Commands that train and measure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from genprint.cli.common import AsJson, Model, bar, errors, load_encoder, read_features, show
from genprint.files import write_atomically


def fit(
    data: Annotated[Path, typer.Argument(exists=True, help="Folder with one sub-folder for each source.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to save the encoder in.")],
    steps: Annotated[int, typer.Option(min=1, help="Most training steps; it stops early.")] = 600,
    seed: Annotated[int, typer.Option(help="Of splits and episodes.")] = 0,
    model: Model = None,
) -> None:
    """Fine-tunes the encoder on your own sources (at least ten images each).

    Killed, it goes on from its checkpoint when called again.
    """
    from genprint.images import read_sources

    with errors():
        encoder = load_encoder(model).set_params(steps=steps, seed=seed)
        sets = read_sources(data)
        with bar("training", total=steps) as advance:
            encoder.fit(
                sets, [images.name for images in sets], output.with_name(output.name + ".checkpoint.safetensors"),
                lambda step, _, loss, val: advance(at=step, extra=f"loss {loss:.3f} validation {val:.3f}"),
            )  # fmt: skip
        encoder.save_pretrained(output)
        result = encoder.training_
        print(
            f"saved in {output}: validation loss {result.first_loss:.3f} before, {result.best_loss:.3f} at step "
            f"{result.best_step} of {result.steps}"
        )


def pretrain(
    images: Annotated[list[Path], typer.Argument(exists=True, help="Real images of one size: folders or .npz.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to save the encoder in.")],
    steps: Annotated[int, typer.Option(min=1, help="Training steps.")] = 12000,
    seed: Annotated[int, typer.Option(help="Of weights, sources and episodes.")] = 0,
    single: Annotated[bool, typer.Option(help="Train on single images instead of sets: the control.")] = False,
    bfloat16: Annotated[bool, typer.Option(help="Faster where the processor has it.")] = False,
) -> None:
    """Trains an encoder on real images and simulated sources alone. Killed, it goes on where it was."""
    from genprint.images import ImageSet
    from genprint.methods.set_encoder.episodes import SetSizes
    from genprint.methods.set_encoder.pretraining import SINGLE
    from genprint.methods.set_encoder.pretraining import pretrain as pretrain_encoder
    from genprint.methods.set_encoder.training import TrainingConfig

    with errors():
        arrays = [ImageSet.read(path).to_array() for path in images]
        config = TrainingConfig(steps, precision="bfloat16" if bfloat16 else "float32")
        with bar("pretraining", total=steps) as advance:
            encoder = pretrain_encoder(
                arrays, config, output.with_name(output.name + ".checkpoint.safetensors"),
                lambda step, _, loss, val: advance(at=step, extra=f"loss {loss:.3f} validation {val:.3f}"),
                seed, SINGLE if single else SetSizes(),
            )  # fmt: skip
        encoder.save_pretrained(output)
        print(f"saved in {output}")


evaluate = typer.Typer(no_args_is_help=True, help="Measures methods on labelled sources.")


@evaluate.callback()
def _questions() -> None:
    """Keeps the question's name on the command line while there is only one."""


@evaluate.command()
def attributability(
    data: Annotated[Path, typer.Argument(exists=True, help="Folder with one sub-folder for each source.")],
    method: Annotated[list[str], typer.Option(help="Methods to compare; 'all' for every one.")] = ["set_encoder"],  # noqa: B006
    enrolled: Annotated[int, typer.Option(min=2, help="Images enrolled a source.")] = 32,
    probe: Annotated[str, typer.Option(help="Sizes of probe sets.")] = "1,5,10,20",
    repeats: Annotated[int, typer.Option(min=1, help="New splits.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the splits.")] = 0,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write the JSON here.")] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Top-1 over the sources in DATA, by probe size, beside the content controls."""
    from dataclasses import asdict

    from genprint.evaluation.attributability import top1
    from genprint.fingerprint import Features
    from genprint.images import read_sources
    from genprint.methods import METHODS

    with errors(as_json):
        chosen = list(METHODS) if "all" in method else method
        for name in chosen:
            if name not in METHODS:
                raise ValueError(f"--method {name}: there are {', '.join(METHODS)} and all")
        encoder, sets = load_encoder(model), read_sources(data)
        sizes = sorted({int(size) for size in probe.split(",")})
        features: dict[str, dict[str, Features]] = {}
        methods: dict[str, Any] = {}
        for name in chosen:
            fingerprinter, scorer = METHODS[name].make(encoder)
            if fingerprinter.method not in features:
                features[fingerprinter.method] = read_features(fingerprinter, sets)
            rates = top1(features[fingerprinter.method], fingerprinter, scorer, enrolled, sizes, repeats, seed)
            methods[name] = {"role": METHODS[name].role, "top1": {str(n): asdict(r) for n, r in rates.items()}}
        result = {"enrolled": enrolled, "sources": len(sets), "repeats": repeats, "seed": seed, "methods": methods}
        lines = [f"top-1 among {len(sets)} sources (chance {1 / len(sets):.1%}), {enrolled} images enrolled each"]
        for name, row in methods.items():
            cells = [f"@{n} {r['mean']:.1%} [{r['low']:.0%}, {r['high']:.0%}]" for n, r in row["top1"].items()]
            lines.append(f"{name:<20} {row['role']:<8} " + "  ".join(cells))
        if output:
            write_atomically(output, json.dumps(result, indent=2).encode())
        show(result, as_json, "\n".join(lines))
