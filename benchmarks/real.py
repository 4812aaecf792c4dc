"""Writes docs/real.md: whether photographs can be told from generated images, of publishers and generators unseen.

    python benchmarks/real.py --small FOLDER --crops ONE.npz --crops OTHER.npz --pictures FOLDER --work WORK --why "..."

Both folders have a folder of each source and sources.csv, in which photographs are of class 'real'; crops are further
real publishers beside the small images. WORK keeps features and what was found. Nothing is chosen here: every run is logged in
benchmarks/wild_runs.csv.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from common import ROOT, held_out, labels, log_wild_run, provenance
from picture_sections import counted, head, line
from PIL import Image
from wild_pictures import KIN

from genprint.cli.evaluate.real import AS_FOUND, caution
from genprint.evaluation.intervals import Mean
from genprint.evaluation.methods import METHODS
from genprint.evaluation.real import Populations, Told, less, real_or_generated
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.conditions import named
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.storage.files import write_atomically

_METHODS, _SIZES, _REPEATS = ("set_encoder", "imagenet", "colour", "header"), (1, 5, 10), 3
_CROPS = 300  # of each further publisher of small images
_TITLES = {"small": "Images of 32 px", "pictures": "Pictures"}
_MODELS = {"small": "thumbnails", "pictures": "pictures"}
_LEARNED = {"small": 32, "pictures": 16}
_AFTER = {"small": ("JPEG 75",), "pictures": ("JPEG 75", "scale 50 %, JPEG 85")}

Found = Mapping[str, Mapping[str, Mapping[int, Told]]]

_PAGE = """# Real or generated?

Written by `benchmarks/real.py`.

**Genprint gives no verdict on this question.** `unknown` means that no enrolled source was found to have made the images; it does not mean that they are
real: a generator that is not enrolled is unknown, too, and so may be images that were changed after they were made. This page says what is known of how
far photographs and generated images can be told apart. `genprint evaluate real` measures the same on sources of your own.

How it is measured: photographs are one population, whose sources are their publishers; generators are the other. From {fewest} to {most} images of every
source, a logistic regression on the features of single images learns to tell the populations; its score of a set is the mean over the images. Each
publisher is left out in its turn, with each generator, and asked are sets of both: neither was learned from, as whoever asks in earnest has images of
neither. Areas under the ROC curve in percent (50 is chance), means over all pairs of {repeats} divisions of the images; in brackets, 95 % intervals by
bootstrap over publishers and generators. The same regression is learned from ImageNet features, from colours, and from what the files' headers say: what
these reach is no trace of a generator.

**What it does not support.** Two or three publishers of photographs support no rate of false answers, of "real" as little as of "generated": a rate of one in ten
takes nine publishers at least, unlike each other, and intervals over so few are too narrow. A set of images is not answered by a high area either: the
threshold that is right for one publisher's photographs is wrong for another's.

**What is found.** It hangs on the publisher. Crops of two collections of 32 px that no generator here was trained on are told nearly always; the photographs
that these generators imitate, much less: what is told is the data set and how it was made small, more than that a camera took it. Pictures as publishers
left them are told well by the set encoder where other images of the same publisher were learned from, and hardly better than by chance where none were: it seems
to read how a publisher saves and resizes, for mostly lossless images of generators are told from JPEG photographs, and lossy ones of generators are not. After JPEG 75 alike it
is at chance; after all were halved and saved as JPEG alike, areas are higher, with intervals so wide that little can be said. ImageNet features, which see content, do
better on pictures, and no worse on small images from five on. So nothing here is evidence of a trace that all generators leave and no camera does.

{sections}
"""

_SECTION = """## {title}

{about} {provenance}

| | images | {methods} |
| --- | --- | {rule} |
{overall}

By the publisher that is left out (intervals over generators), and, in the last columns, if other images of the same publisher were learned from:

{publishers}

Each generator against each publisher, both left out, set encoder, sets of {size}, as found:

{pairs}
"""


def main() -> None:
    """Measures, writes the page, logs the look."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--small", type=Path, help="if left out, what WORK has of them is told again")
    options.add_argument("--crops", type=Path, action="append", default=[], help="real images of 32 px, .npz")
    options.add_argument("--pictures", type=Path, help="as --small")
    options.add_argument("--work", type=Path, required=True, help="folder that keeps features, and what was found")
    options.add_argument("--why", required=True, help="why the sources are looked at again")
    options.add_argument("--page", type=Path, default=ROOT / "docs/real.md")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    crops = [as_files(path, given.work / "crops" / path.stem, given.seed) for path in given.crops]
    for kind, folder, further in (("small", given.small, crops), ("pictures", given.pictures, [])):
        if folder:
            log_wild_run(folder.name, "real or generated", given.why)
            sets, cache = [*read_sources(folder), *further], Cache(given.work / "features.sqlite")
            for made in section(kind, sets, folder, cache, given.seed):
                write_atomically(given.work / f"{kind}.md", made.encode())
    found = [given.work / f"{kind}.md" for kind in _TITLES]
    page = _PAGE.format(
        repeats=_REPEATS, fewest=min(_LEARNED.values()), most=max(_LEARNED.values()),
        sections="\n".join(path.read_text() for path in found if path.exists()),
    )  # fmt: skip
    write_atomically(given.page, page.rstrip().encode() + b"\n")


def as_files(pixels: Path, folder: Path, seed: int) -> ImageSet:
    """Some real images that no encoder was trained on, as PNG files, so that they have headers as the others do."""
    images = held_out(pixels)
    chosen = np.sort(np.random.default_rng(seed).choice(len(images), min(_CROPS, len(images)), replace=False))
    folder.mkdir(parents=True, exist_ok=True)
    for row in chosen:
        Image.fromarray(images[row]).save(folder / f"{row:05d}.png")
    return ImageSet.read(folder)


def section(kind: str, sets: Sequence[ImageSet], folder: Path, cache: Cache, seed: int) -> Iterator[str]:
    """What is found of the sources of a folder, and of further ones that are real: anew after every condition."""
    start, model = time.monotonic(), Model.load(_MODELS[kind])
    about = labels(folder)
    joined = {other: one for one, other in KIN}
    real = [images.name for images in sets if about.get(images.name, {"class": "real"})["class"] == "real"]
    made = {images.name: joined.get(images.name, images.name) for images in sets if images.name not in real}
    populations = Populations({name: name for name in real}, made)
    counts = [len(list(images)) for images in sets]
    publishers, generators = (
        list(dict.fromkeys(groups.values())) for groups in (populations.publishers, populations.generators)
    )
    about_them = (
        f"{len(publishers)} publishers of photographs ({', '.join(publishers)}) and {len(generators)} generators"
        + (
            f" ({len(made)} sources: those of one generator or its kin are left out together)"
            if len(made) > len(generators)
            else ""
        )
        + f"; {min(counts)} to {max(counts)} images of each, {_LEARNED[kind]} learned from. {caution(populations)}"
    )
    found: dict[str, dict[str, dict[int, Told]]] = {}
    for after in (None, *_AFTER[kind]):
        for method in _METHODS:
            if method == "header" and after:
                continue  # images after a processing have no files
            front, processing = METHODS[method].reader(model, None, sets), named(after) if after else None
            read = {images.name: front.extract(images, cache=cache, processing=processing) for images in sets}
            told = real_or_generated(read, populations, _LEARNED[kind], _SIZES, _REPEATS, seed)
            found.setdefault(method, {})[after or AS_FOUND] = told
            print(method, after, {size: round(one.auroc.mean, 3) for size, one in told.items()}, flush=True)
        some = found["set_encoder"][AS_FOUND][5].by_pair
        pairs = [line(name, *(f"{100 * some[one][name]:.0f}" for one in publishers)) for name in generators]
        yield _SECTION.format(
            title=_TITLES[kind], provenance=provenance(seed, start, model.identity), methods=" | ".join(columns()),
            rule=" | ".join("---" for _ in columns()), about=about_them, overall="\n".join(overall(found, seed)),
            publishers="\n".join(by_publisher(found)), size=counted(5),
            pairs="\n".join([*head("generator", *publishers), *pairs]),
        )  # fmt: skip


def columns() -> list[str]:
    """Of the table of all pairs: each method, and what the first is better by."""
    return [_METHODS[0], *(cell for method in _METHODS[1:] for cell in (method, "less"))]


def overall(found: Found, seed: int) -> list[str]:
    """A row for each condition and number of images; beside each other method, the paired difference."""
    rows = []
    for condition, sizes in found[_METHODS[0]].items():
        for size, ours in sizes.items():
            cells = [percent(ours.auroc)]
            for method in _METHODS[1:]:
                theirs = found.get(method, {}).get(condition, {}).get(size)
                cells += [percent(theirs.auroc), signed(less(ours, theirs, seed))] if theirs else ["-", "-"]
            rows.append(line(condition, str(size), *cells))
    return rows


def by_publisher(found: Found) -> list[str]:
    """A row for each condition, number of images and method."""
    publishers = list(found[_METHODS[0]][AS_FOUND][1].by_publisher)
    rows = head("", "images", "sets, real and generated", "method", *publishers, "all", "all, publisher seen")
    for condition, sizes in found[_METHODS[0]].items():
        for size, ours in sizes.items():
            for method in _METHODS:
                told = found.get(method, {}).get(condition, {}).get(size)
                if told:
                    own = (percent(told.by_publisher[name]) for name in publishers)
                    sets = f"{ours.sets[0]}, {ours.sets[1]}"
                    rows.append(
                        line(
                            condition, str(size), sets, method, *own, percent(told.auroc), percent(told.publisher_seen)
                        )
                    )
    return rows


def percent(mean: Mean) -> str:
    """An area with its interval."""
    return f"{100 * mean.mean:.0f} [{100 * mean.low:.0f}, {100 * mean.high:.0f}]"


def signed(mean: Mean) -> str:
    """A difference of areas with its interval."""
    return f"{100 * mean.mean:+.0f} [{100 * mean.low:+.0f}, {100 * mean.high:+.0f}]"


if __name__ == "__main__":
    main()
