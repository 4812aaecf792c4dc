"""What the benchmarks share: where a table comes from, and the log of every look at a wild set."""

from __future__ import annotations

import argparse
import csv
import datetime
import platform
import re
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from genprint.encoder.encoder import SetEncoder
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model

ROOT = Path(__file__).parent.parent


def parser(doc: str | None) -> argparse.ArgumentParser:
    """The options of every benchmark that looks at the wild set."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--real", type=Path, required=True)
    made.add_argument("--wild", type=Path, required=True)
    made.add_argument("--why", required=True, help="why the wild set is looked at again")
    made.add_argument("--seed", type=int, default=0)
    return made


def labels(folder: Path) -> dict[str, dict[str, str]]:
    """What sources.csv says of each source."""
    with (folder / "sources.csv").open(newline="") as file:
        return {row["source"]: row for row in csv.DictReader(file)}


def commit(checkout: Path = ROOT, of: Iterable[str] = ()) -> str:
    """Short name of the commit that is checked out; of some paths, of the last that changed them."""
    asked = subprocess.run(["git", "log", "-1", "--format=%h", "--", *of], capture_output=True, text=True, cwd=checkout)
    return asked.stdout.strip()


def provenance(seed: int, start: float, identity: str | None = None) -> str:
    """Commit, model, seed, hardware and wall time since ``start`` (of ``time.monotonic``).

    Args:
        seed: that was given.
        start: of the run.
        identity: of the model; that of the shipped one by default, '' where none that is kept was asked.
    """
    model = Model.load().identity if identity is None else identity
    said = f"model ({short(model)}), " if model else ""
    return (
        f"Commit {commit()}, {said}seed {seed}, {platform.machine()} with {torch.get_num_threads()} threads, "
        f"{time.monotonic() - start:.0f} s."
    )


def short(identity: str) -> str:
    """An identity with the first twelve digits of each SHA-256."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", identity)


def encoder_of(model: Model) -> SetEncoder:
    """The fingerprinter of a model that is a set encoder's."""
    assert isinstance(model.fingerprinter, SetEncoder)
    return model.fingerprinter


def log_wild_run(name: str, method: str, why: str, figures: Iterable[float] = ()) -> None:
    """Appends a run on a wild set to ``benchmarks/wild_runs.csv``, with the set encoder's top-1 if that was measured."""
    with (ROOT / "benchmarks/wild_runs.csv").open("a", newline="") as file:
        row = [datetime.date.today(), commit(), name, method, why, *(f"{figure:.3f}" for figure in figures)]
        csv.writer(file).writerow(row)


def held_out(real: Path) -> np.ndarray:
    """The last tenth of real images, which neither generators nor encoder were trained on."""
    pixels = np.load(real)["images"]
    return pixels[-(len(pixels) // 10) :]


def collections(real: Path, wild: Path) -> dict[str, list[ImageSet]]:
    """What encoders are measured on: shipped generators, apart from descendants, with real images; and a wild set."""
    reference = [
        ImageSet.from_array(sample(load(folder)[0], folder.name, 200), folder.name)
        for folder in shipped() if not describe(folder)["parent"]
    ]  # fmt: skip
    held = held_out(real)
    chosen = np.random.default_rng(0).choice(len(held), 200, replace=False)
    reference.append(ImageSet.from_array(held[chosen], "real"))
    return {"reference": reference, "wild": read_sources(wild)}
