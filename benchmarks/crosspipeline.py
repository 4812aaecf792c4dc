"""Measures attribution across pipelines on the crossed test bed: enrolled as one publisher left the images, asked as another did.

    python benchmarks/crosspipeline.py FOLDER --work CACHE
    python benchmarks/crosspipeline.py FOLDER --work CACHE --methods set_encoder colour --tiles 64 --limit 60 --csv rates.csv

FOLDER is what benchmarks/testbed.py makes: FOLDER/<pipeline>/<source>/<photograph>. Photographs are divided, not images: those that are
enrolled (16 of every source) and those that are asked are the same for all sources and pipelines, and no photograph is on both
sides. Every method sees the same divisions. Top-1 in percent at 1, 5 and 10 images; rows are the pipeline of the
gallery, columns that of the probes; the file of --csv has intervals too (95 %, by bootstrap over sources). Features are
kept in CACHE, so that another question, or the same with more photographs, costs no second pass over the images.
Where images differ in size, methods that need one size take the middle of each (genprint.baselines.pixels).
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import labels
from towers import tower64
from verification import remembered

from genprint.encoder.encoder import SetEncoder
from genprint.evaluation.intervals import Mean, over_sources
from genprint.evaluation.methods import METHODS, Method
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.base import ByScorer, Comparer
from genprint.scoring.conditions import Matched

SIZES, LOSSLESS = (1, 5, 10), "png"
DEFAULT = ("set_encoder", "set_encoder_lda", "imagenet", "colour", "thumbnail")

# of each source, of each pipeline; rows are the photographs that all of them have, in one order
Bed = Mapping[str, Mapping[str, Fingerprint]]
Sets = Mapping[str, Mapping[str, ImageSet]]


def photographs(folder: Path, pipelines: Sequence[str], sources: Sequence[str], limit: int | None) -> list[str]:
    """Names that every source has in every pipeline, in order, and the first ``limit`` of them."""
    folders = [folder / pipeline / source for pipeline in pipelines for source in sources]
    shared = set.intersection(*({path.stem for path in own.iterdir() if path.suffix != ".part"} for own in folders))
    return sorted(shared)[:limit]


def image_sets(folder: Path, pipelines: Sequence[str], sources: Sequence[str], names: Sequence[str]) -> Sets:
    """The images of these photographs, in this order."""
    sets: dict[str, dict[str, ImageSet]] = {source: {} for source in sources}
    for source in sources:
        for pipeline in pipelines:
            files = {path.stem: path for path in (folder / pipeline / source).iterdir()}
            sets[source][pipeline] = ImageSet.from_files([files[name] for name in names], source)
    return sets


def read(sets: Sets, front: Fingerprinter, cache: Cache) -> Bed:
    """Fingerprints of all the images by one method."""
    bed: dict[str, dict[str, Fingerprint]] = {}
    start, total = time.monotonic(), sum(map(len, sets.values()))
    for source, by_pipeline in sets.items():
        bed[source] = {}
        for pipeline, images in by_pipeline.items():
            found = front.extract(images, cache=cache)
            if len(found) != images.count:  # two photographs alike, or a damaged file: rows would be no photographs
                raise SystemExit(f"{pipeline}: {found.left_out[0].name}: {found.left_out[0].reason}")
            bed[source][pipeline] = remembered(found)
        done = sum(map(len, bed.values()))
        print(
            f"{front.method}: {done} of {total} sets read, {time.monotonic() - start:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    return bed


def divisions(count: int, enrolled: int, repeats: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Photographs to enroll and photographs to ask."""
    for repeat in range(repeats):
        order = np.random.default_rng([seed, repeat]).permutation(count)
        yield order[:enrolled], order[enrolled:]


def rates(
    bed: Bed, comparer: Comparer, pipelines: Sequence[str], enrolled: int, repeats: int, seed: int
) -> dict[tuple[str, str, int], Mean]:
    """Top-1 by the gallery's pipeline, the probes' pipeline and the number of images, with intervals over sources."""
    sources = list(bed)
    count = len(next(iter(next(iter(bed.values())).values())))
    hits: dict[tuple[str, str, int], list[np.ndarray]] = {}
    for known, asked in divisions(count, enrolled, repeats, seed):
        for left in pipelines:
            gallery = [bed[source][left][known] for source in sources]
            if left != LOSSLESS:  # what it has been through, a probe may not have
                gallery = [replace(source, originals=()) for source in gallery]
            for right in pipelines:
                # All sizes in one call: scorers are adapted to the gallery at every call.
                groups = [
                    (size, asked[at : at + size]) for size in SIZES for at in range(0, len(asked) - size + 1, size)
                ]
                probes = [bed[source][right][group] for source in sources for _, group in groups]
                best = comparer.score(probes, gallery).argmax(1).reshape(len(sources), len(groups))
                named = best == np.arange(len(sources))[:, None]
                sizes = np.array([size for size, _ in groups])
                for size in np.unique(sizes):
                    hits.setdefault((left, right, int(size)), []).append(named[:, sizes == size].mean(1))
    return {key: over_sources(np.mean(own, axis=0), seed) for key, own in hits.items()}


def comparer_of(method: Method, model: Model, conditions: bool) -> Comparer:
    """What compares by a method; by the model's own scorer after matching the probe's condition, if so wanted."""
    comparer = method.comparer(model)
    if conditions and type(comparer) is ByScorer and comparer.scorer is model.scorer:
        return Matched(model.scorer, model.population)
    return comparer


def table(method: str, found: Mapping[tuple[str, str, int], Mean], pipelines: Sequence[str]) -> str:
    """Markdown: gallery's pipeline by probes' pipeline."""
    lines = [f"| {method}: enrolled as | " + " | ".join(pipelines) + " |", "| --- |" + " --- |" * len(pipelines)]
    for left in pipelines:
        cells = (
            " / ".join(f"{100 * found[left, right, size].mean:.0f}" for size in SIZES if (left, right, size) in found)
            for right in pipelines
        )
        lines.append(f"| {left} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def append(file: Path, about: Mapping[str, object], found: Mapping[tuple[str, str, int], Mean]) -> None:
    """Adds all rates with their intervals to a CSV."""
    rows = [
        {
            **about,
            "gallery": left,
            "probe": right,
            "images": size,
            "top1": mean.mean,
            "low": mean.low,
            "high": mean.high,
        }
        for (left, right, size), mean in found.items()
    ]
    new = not file.exists()
    with file.open("a", newline="") as out:
        write = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        if new:
            write.writeheader()
        write.writerows(rows)


def main() -> None:
    """Measures and prints."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--work", type=Path, required=True, help="file that keeps features")
    options.add_argument("--methods", nargs="+", choices=[*METHODS, "tower64"], default=list(DEFAULT), metavar="METHOD")
    options.add_argument("--pipelines", nargs="+", help="default: all there are")
    options.add_argument("--sources", nargs="+", help="default: all of sources.csv")
    options.add_argument(
        "--tiles", type=int, help="of an image, for set encoder and tower (default: %(default)s)", default=8
    )
    options.add_argument("--limit", type=int, help="only the first so many photographs")
    options.add_argument("--enrolled", type=int, default=16)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument(
        "--conditions",
        action="store_true",
        help="compare with lossless enrolled images after the processing that a probe seems to have been through",
    )
    options.add_argument("--csv", type=Path, help="append all rates with their intervals to this file")
    given = options.parse_args()
    pipelines = given.pipelines or sorted(own.name for own in given.folder.iterdir() if own.is_dir())
    sources = given.sources or list(labels(given.folder))
    names = photographs(given.folder, pipelines, sources, given.limit)
    if len(names) < given.enrolled + min(SIZES):
        raise SystemExit(f"{given.folder}: only {len(names)} photographs are there of every source and pipeline")
    sets = image_sets(given.folder, pipelines, sources, names)
    every = [images for by_pipeline in sets.values() for images in by_pipeline.values()]
    shipped, cache = Model.load(), Cache(given.work)
    assert isinstance(shipped.fingerprinter, SetEncoder)
    shipped.fingerprinter.set_params(tiles=given.tiles)
    methods = {name: tower64(given.tiles) if name == "tower64" else METHODS[name] for name in given.methods}
    print(
        f"{len(sources)} sources, {len(names)} photographs, {given.enrolled} enrolled, {given.repeats} divisions, "
        f"{given.tiles} tiles an image; chance {100 / len(sources):.1f} %; top-1 at " + " / ".join(map(str, SIZES))
    )
    for name, method in methods.items():
        front = method.reader(shipped, None, every)
        bed = read(sets, front, cache)
        start = time.monotonic()
        comparer = comparer_of(method, shipped, given.conditions)
        found = rates(bed, comparer, pipelines, given.enrolled, given.repeats, given.seed)
        print(f"\n{table(name, found, pipelines)}", flush=True)
        print(f"{name}: compared in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        if given.csv:
            about = {
                "method": name,
                "tiles": given.tiles,
                "enrolled": given.enrolled,
                "sources": len(sources),
                "photographs": len(names),
            }
            append(given.csv, about, found)


if __name__ == "__main__":
    main()
