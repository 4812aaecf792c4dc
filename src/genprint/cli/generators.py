"""Commands about reference generators."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from genprint.cli.common import errors, say, show
from genprint.cli.options import AsJson
from genprint.cli.progress import bar
from genprint.storage.files import write_atomically
from genprint.words import counted

app = typer.Typer(no_args_is_help=True, help="Reference generators: list, train, sample.")

#: what sources.csv says of each generator, beside its name
_COLUMNS = ("class", "architecture", "part", "upsampling", "loss", "seed", "parent", "change")

RealImages = Annotated[Path, typer.Argument(exists=True, help="Folder, archive or .npz of real 32x32 images.")]
Device = Annotated[str | None, typer.Option(help="Where to train: cpu, cuda; as `genprint --device` if left out.")]


def _shown(advance: Any) -> Callable[[int, int, dict[str, float]], None]:
    """Training progress on a bar."""
    return lambda step, _, losses: advance(at=step, extra=" ".join(f"{k} {v:.3f}" for k, v in losses.items()))


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Lists the shipped generators with their digests."""
    from genprint.generators.collection import describe, shipped

    about = [describe(path) for path in shipped()]
    lines = [
        f"{a['name']:<26} {a['class']:<6} {a['part']:<12} seed {a['seed']}  {a['parameters'] / 1e6:.2f}M  "
        f"{a['sha256'][:12]}  {(a['change'] + ' of ' + a['parent']) if a['parent'] else ''}".rstrip()
        for a in about
    ]
    show(about, as_json, "\n".join(lines))


@app.command()
def train(
    architecture: Annotated[str, typer.Argument(help="One of those that a wrong name lists, e.g. gan-dcgan.")],
    images: RealImages,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to save the generator in.")],
    steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps; the architecture's own if left out.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of initial weights, batches and noise.")] = 0,
    device: Device = None,
) -> None:
    """Trains a reference generator. Killed, it goes on from its checkpoint when called again."""
    from genprint.generators.recipes import Images, Recipe, make
    from genprint.images.sets import ImageSet
    from genprint.storage.device import device as found

    with errors():
        recipe = Recipe(output.name, architecture, seed, steps=steps)
        with bar("training", total=recipe.training_steps()) as advance:
            real = Images(ImageSet.read(images).to_array(), images.stem)
            make(recipe, real, None, output.parent, _shown(advance), str(found(device)))
        say(f"saved in {output}; look at it: genprint generators sample {output} -n 64 -o samples")


@app.command("train-all")
def train_all(
    images: RealImages,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the collection.")],
    other: Annotated[
        Path | None, typer.Option(exists=True, help="Other real images, for the members that are fine-tuned.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this member; may be given several times.")] = None,
    device: Device = None,
) -> None:
    """Makes the whole reference collection, one member after another.

    Members that are there already are left alone; killed, it goes on where it was.
    """
    from genprint.generators.recipes import RECIPES, Images, make
    from genprint.images.sets import ImageSet
    from genprint.storage.device import device as found

    with errors():
        real = Images(ImageSet.read(images).to_array(), images.stem)
        tuning = Images(ImageSet.read(other).to_array(), other.stem) if other else None
        names = [recipe.name for recipe in RECIPES]
        for name in only or []:
            if name not in names:
                raise ValueError(f"--only {name}: there are {', '.join(names)}")
        wanted = [recipe for recipe in RECIPES if only is None or recipe.name in only]
        for i, recipe in enumerate(wanted, 1):
            if (output / recipe.name / "config.json").exists():
                continue
            with bar(f"{recipe.name} ({i} of {len(wanted)})") as advance:
                make(recipe, real, tuning, output, _shown(advance), str(found(device)))
            say(f"saved {output / recipe.name}")


@app.command()
def sample(
    name: Annotated[
        str,
        typer.Argument(
            help="Name of a shipped generator, 'all' of them, the folder of a trained one or of a diffusers pipeline, "
            "or hf:ORG/MODEL."
        ),
    ],
    n: Annotated[int, typer.Option("-n", min=1, help="How many images.")] = 64,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the PNG files.")] = Path("samples"),
    seed: Annotated[int, typer.Option(help="Of the noise, together with the name.")] = 0,
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch on the hub; pin a commit.")] = None,
    offline: Annotated[bool, typer.Option(help="Only what is in the hub's cache.")] = False,
    prompt: Annotated[str | None, typer.Option(help="For pipelines that need one.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of a pipeline's sampler.")] = None,
) -> None:
    """Samples a generator into a folder of PNG files.

    With 'all', each generator gets a sub-folder, and sources.csv says what each is. From the hub only safetensors
    are read, never code.
    """
    from PIL import Image

    from genprint.generators import hub
    from genprint.generators.collection import describe, find, sample_each, shipped
    from genprint.storage.device import device as found
    from genprint.storage.hub import PREFIX, fetch

    with errors():
        if name.startswith(PREFIX):
            folders = {name: fetch(name, revision, offline)}
        elif hub.is_pipeline(Path(name)):
            folders = {Path(name).name: Path(name)}
        else:
            folders = {folder.name: folder for folder in (shipped() if name == "all" else [find(name)])}
        targets = {each: output / each if name == "all" else output for each in folders}
        for target in targets.values():
            target.mkdir(parents=True, exist_ok=True)
            if any(not file.name.startswith(".") for file in target.iterdir()):
                raise ValueError(f"{target}: holds files already, perhaps of another source; give an empty folder")
        with bar("sampling", total=n * len(folders)) as advance:
            made: Iterable[tuple[str, Any]]
            if name == "all":
                made = sample_each(list(folders.values()), n, seed, advance, device=found())
            else:
                made = [
                    (each, hub.sample_folder(folder, each, n, seed, prompt, steps, advance, found()))
                    for each, folder in folders.items()
                ]
            for each, images in made:
                for i, pixels in enumerate(images):
                    Image.fromarray(pixels).save(targets[each] / f"{i:05d}.png")
        if name == "all":
            text = io.StringIO()
            table = csv.DictWriter(text, ["source", *_COLUMNS], extrasaction="ignore", lineterminator="\n")
            table.writeheader()
            table.writerows({"source": each, **describe(folder)} for each, folder in folders.items())
            write_atomically(output / "sources.csv", text.getvalue().encode())
        say(f"{counted(n, 'image')} of {name} in {output}")
