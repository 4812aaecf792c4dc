"""Commands about reference generators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from genprint.cli.common import AsJson, bar, errors, show

app = typer.Typer(no_args_is_help=True, help="Reference generators: list, train, sample.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Lists the shipped generators with their digests."""
    from genprint.generators.collection import shipped

    about = [{"name": path.name, **json.loads((path / "config.json").read_text())} for path in shipped()]
    lines = [
        f"{a['name']:<20} {a['family']:<6} {a['architecture']:<10} seed {a['seed']}  {a['sha256'][:16]}" for a in about
    ]
    show(about, as_json, "\n".join(lines))


@app.command()
def train(
    family: Annotated[str, typer.Argument(help="vae, flow, gan or score.")],
    images: Annotated[Path, typer.Argument(exists=True, help="Folder, archive or .npz of real 32x32 images.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to save the generator in.")],
    steps: Annotated[int, typer.Option(min=1, help="Training steps.")] = 6000,
    seed: Annotated[int, typer.Option(help="Of initial weights, batches and noise.")] = 0,
) -> None:
    """Trains a reference generator. Killed, it goes on from its checkpoint when called again."""
    import torch

    from genprint.generators.collection import generator_class, save
    from genprint.generators.training import train as train_generator
    from genprint.images import ImageSet

    with errors():
        pixels = ImageSet.read(images).to_array()
        torch.manual_seed(seed)
        generator = generator_class(family)()
        with bar("training", total=steps) as advance:
            trained = train_generator(
                generator, pixels, steps, seed, output.with_name(output.name + ".checkpoint.safetensors"),
                lambda step, _, losses: advance(at=step, extra=" ".join(f"{k} {v:.3f}" for k, v in losses.items())),
            )  # fmt: skip
        save(trained, output, images.stem, seed, steps)
        print(f"saved in {output}; look at it: genprint generators sample {output} -n 64 -o samples")


@app.command()
def sample(
    name: Annotated[str, typer.Argument(help="Name of a shipped generator, or folder of a trained one.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many images.")] = 64,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the PNG files.")] = Path("samples"),
    seed: Annotated[int, typer.Option(help="Of the noise, together with the name.")] = 0,
) -> None:
    """Samples a generator into a folder of PNG files."""
    from PIL import Image

    from genprint.generators.collection import find, load
    from genprint.generators.collection import sample as draw

    with errors():
        folder = find(name)
        generator, _ = load(folder)
        output.mkdir(parents=True, exist_ok=True)
        for i, pixels in enumerate(draw(generator, folder.name, n, seed)):
            Image.fromarray(pixels).save(output / f"{i:05d}.png")
        print(f"{n} images of {folder.name} in {output}")
