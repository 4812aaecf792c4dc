"""Writes docs/results.md: top-1 of every method on the shipped generators (with real images) and on other sources.

    python benchmarks/attributability.py --real REAL.npz --wild FOLDER --why "first table"

REAL.npz holds real images of which the last tenth was kept from the generators and the encoder; that tenth is used.
FOLDER has one sub-folder for each third-party source; each run on it is noted in benchmarks/wild_runs.csv.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from common import ROOT, held_out, log_wild_run, provenance

from genprint.evaluation.attributability import Rate, top1
from genprint.fingerprint import Features
from genprint.generators.collection import demonstrated, load, sample
from genprint.images import ImageSet, read_sources
from genprint.methods import METHODS
from genprint.methods.set_encoder.encoder import SetEncoder

SIZES = (1, 5, 10, 20)


def shipped_sets(real: Path, images: int, seed: int) -> list[ImageSet]:
    """The shipped generators' images, and as many real ones."""
    sets = []
    for folder in demonstrated():
        generator, _ = load(folder)
        sets.append(ImageSet.from_array(sample(generator, folder.name, images, seed), folder.name))
    held = held_out(real)
    chosen = np.random.default_rng(seed).choice(len(held), images, replace=False)
    return [*sets, ImageSet.from_array(held[chosen], "real")]


def measure(sets: list[ImageSet], encoder: SetEncoder, enrolled: int, repeats: int, seed: int) -> dict:
    """Every method's rates by probe size."""
    cache: dict[str, dict[str, Features]] = {}
    rates = {}
    for name, method in METHODS.items():
        front = method.front(encoder)
        if front.method not in cache:
            cache[front.method] = {s.name: front.features(s) for s in sets}
        rates[name] = top1(cache[front.method], method.comparer(encoder), enrolled, SIZES, repeats, seed)
        print(name, {size: round(rate.mean, 3) for size, rate in rates[name].items()}, flush=True)
    return rates


def rows(rates: dict[str, dict[int, Rate]]) -> list[str]:
    """A table in Markdown."""
    lines = ["| method | role | " + " | ".join(f"@{n}" for n in SIZES) + " |", "| --- " * (2 + len(SIZES)) + "|"]
    for name, by_size in rates.items():
        cells = [f"{100 * r.mean:.1f} [{100 * r.low:.0f}, {100 * r.high:.0f}]" for r in by_size.values()]
        lines.append(f"| {name} | {METHODS[name].role} | " + " | ".join(cells) + " |")
    probes = {n: r.probes for n, r in next(iter(rates.values())).items()}
    return [*lines, "", "Disjoint probes in a draw: " + ", ".join(f"{p} of {n}" for n, p in probes.items()) + "."]


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--wild", type=Path, required=True)
    parser.add_argument("--why", required=True, help="why the wild set is looked at again")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    start = time.monotonic()
    encoder = SetEncoder.from_pretrained()
    common = (arguments.repeats, arguments.seed)
    reference = measure(shipped_sets(arguments.real, 200, arguments.seed), encoder, 32, *common)
    wild_sets = read_sources(arguments.wild)
    wild = {enrolled: measure(wild_sets, encoder, enrolled, *common) for enrolled in (32, 10)}
    log_wild_run(arguments.wild.name, "all", arguments.why, [wild[32]["set_encoder"][n].mean for n in SIZES])
    text = [
        "# Results", "",
        "Written by `benchmarks/attributability.py`. Closed-set top-1 in percent, with 95 % intervals by bootstrap over "
        "sources and repeats; images are split anew in each repeat, before sets are formed.", "",
        f"{arguments.repeats} repeats. {provenance(arguments.seed, start)}", "",
        "## The eight shipped generators and real images", "",
        f"9 sources, chance {100 / 9:.1f} %, 32 images enrolled of each, 200 images of each. The encoder has seen none of "
        "the generators; the real images are held out from its training and theirs.", "", *rows(reference), "",
        f"## Third-party sources: {arguments.wild.name}", "",
        f"{len(wild_sets)} sources, chance {100 / len(wild_sets):.1f} %. `colour` and `thumbnail` say what content alone can do.",
    ]  # fmt: skip
    for enrolled, rates in wild.items():
        text += ["", f"{enrolled} images enrolled of each:", "", *rows(rates)]
    notes = ROOT / "docs/limits.md"
    text += ["", "What these numbers do not show is in [limits](limits.md)." if notes.exists() else ""]
    (ROOT / "docs/results.md").write_text("\n".join(text).rstrip() + "\n")


if __name__ == "__main__":
    main()
