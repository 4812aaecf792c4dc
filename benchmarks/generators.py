"""Writes docs/generators.md: the reference collection, its quality, its traces, and whether each leaves a fingerprint.

    python benchmarks/generators.py --real REAL.npz --wild FOLDER --why "first table"

REAL.npz holds the real images the collection was trained on but for the last tenth, which is used here. FOLDER has one
sub-folder for each third-party source and a sources.csv; each run on it is noted in benchmarks/wild_runs.csv.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from common import ROOT, held_out, labels, log_wild_run, parser, provenance
from traces import Traces, traces

from genprint.baselines.imagenet import ImageNetFeatures
from genprint.evaluation.attributability import top1
from genprint.evaluation.existence import ALPHA, Summary, existence, summarise
from genprint.evaluation.methods import METHODS
from genprint.evaluation.quality import Quality, quality
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.report import figures as plots
from genprint.scoring.base import ByScorer
from genprint.storage.files import write_atomically

CLASSES = {"vae": "VAE", "flow": "Flow", "gan": "GAN", "score": "Score-based"}
EXISTENCE = ("set_encoder", "marra", "spectrum", "colour", "thumbnail")
SIZES = (10, 30)
SEED_PROBES = (1, 10, 50)
FINGERPRINTED = 300


@dataclass
class Collection:
    """What is measured of the shipped generators."""

    about: dict[str, dict]
    images: dict[str, np.ndarray] = field(default_factory=dict)
    speed: dict[str, float] = field(default_factory=dict)
    quality: dict[str, Quality] = field(default_factory=dict)
    traces: dict[str, Traces] = field(default_factory=dict)

    def of(self, model_class: str) -> list[str]:
        """Names of one class."""
        return [name for name, about in self.about.items() if about["class"] == model_class]


def _seen_by_imagenet(images: np.ndarray) -> Fingerprint:
    return ImageNetFeatures().extract(ImageSet.from_array(images, ""))


def measure(real: Path, images: int, seed: int) -> tuple[Collection, Quality]:
    """Samples every shipped generator and compares it with held-out real images; also the real-against-real floor."""
    collection = Collection({folder.name: describe(folder) for folder in shipped()})
    held = held_out(real)
    seen_held = _seen_by_imagenet(held)
    pixels = np.load(real)["images"]
    seen = np.random.default_rng(seed).choice(len(pixels) - len(held), images, replace=False)
    floor = quality(_seen_by_imagenet(pixels[seen]), seen_held, seed)
    for folder in shipped():
        generator, _ = load(folder)
        sample(generator, folder.name, 1, batch=8)  # warm
        start = time.monotonic()
        made = sample(generator, folder.name, images, seed)
        collection.speed[folder.name] = images / (time.monotonic() - start)
        collection.images[folder.name] = made
        collection.quality[folder.name] = quality(_seen_by_imagenet(made), seen_held, seed)
        collection.traces[folder.name] = traces(made, held)
        print(folder.name, collection.quality[folder.name], f"{collection.speed[folder.name]:.0f} images/s", flush=True)
    return collection, floor


def find_existence(sets: list[ImageSet], classes: Mapping[str, str], seed: int) -> dict[str, dict[int, dict]]:
    """Summaries by method, set size and class."""
    model = Model.load()
    found: dict[str, dict[int, dict[str, Summary]]] = {}
    for name in EXISTENCE:
        comparer, fingerprinter = METHODS[name].comparer(model), METHODS[name].fingerprinter(model)
        fingerprints = {images.name: fingerprinter.extract(images) for images in sets}
        found[name] = {
            size: summarise(existence(fingerprints, comparer, size, seed=seed), classes, seed) for size in SIZES
        }
        print(name, found[name], flush=True)
    return found


def seeds_apart(collection: Collection, seed: int) -> dict[str, dict[int, list[float]]]:
    """Top-1 among the seeds of each architecture by probe size, for the architectures of each class; 100 enrolled."""
    model = Model.load()
    comparer = ByScorer(model.scorer)
    rates: dict[str, dict[int, list[float]]] = {}
    groups = defaultdict(list)
    for name, about in collection.about.items():
        if about["parent"] is None and name == f"{about['architecture']}-s{about['seed']}":
            groups[about["architecture"]].append(name)
    for architecture, names in groups.items():
        if len(names) < 2:
            continue
        fingerprints = {name: model.fingerprint(ImageSet.from_array(collection.images[name], name)) for name in names}
        model_class = collection.about[names[0]]["class"]
        for size, rate in top1(fingerprints, comparer, 100, SEED_PROBES, 10, seed).items():
            rates.setdefault(model_class, {}).setdefault(size, []).append(rate.mean)
        print(architecture, {size: means[-1] for size, means in rates[model_class].items()}, flush=True)
    return rates


def existence_rows(found: Mapping[str, dict[int, dict]]) -> list[str]:
    """A row for each class and set size: share of sources with small p and AUC, by method."""
    lines = ["| class | images | " + " | ".join(EXISTENCE) + " |", "| --- " * (2 + len(EXISTENCE)) + "|"]
    for size in SIZES:
        for kind in found[EXISTENCE[0]][size]:
            cells = [found[name][size][kind] for name in EXISTENCE]
            text = [
                f"{s.significant}/{s.auc.sources}; {s.auc.mean:.2f} [{s.auc.low:.2f}, {s.auc.high:.2f}]" for s in cells
            ]
            lines.append(f"| {kind} | {size} | " + " | ".join(text) + " |")
    return lines


def table(collection: Collection, floor: Quality) -> list[str]:
    """A row for each generator."""
    lines = [
        "| name | part | up-sampling | loss | parent | steps | min | parameters | Frechet | kernel | coverage | SHA-256 |",
        "| --- " * 12 + "|",
        f"| *real against real* | | | | | | | | {floor.frechet:.0f} | {floor.kernel:.3f} | {floor.coverage:.2f} | |",
    ]
    for name, a in collection.about.items():
        q = collection.quality[name]
        minutes = f"{a['seconds'] / 60:.0f}" if a["seconds"] else ""
        parent = f"{a['change']} of {a['parent']}" if a["parent"] else ""
        lines.append(
            f"| {name} | {a['part']} | {a['upsampling']} | {a['loss']} | {parent} | {a['steps']} | {minutes} | "
            f"{a['parameters'] / 1e6:.2f}M | {q.frechet:.0f} | {q.kernel:.3f} | {q.coverage:.2f} | `{a['sha256'][:12]}` |"
        )
    return lines


def trace_rows(collection: Collection) -> list[str]:
    """A row for each generator: what its residuals and spectra look like, in numbers."""
    lines = ["| name | fine detail (dB) | period 2 (dB) | period 4 (dB) | mean residual (levels) |", "| --- " * 5 + "|"]
    for name, t in collection.traces.items():
        lines.append(f"| {name} | {t.fine:+.1f} | {t.period_2:+.1f} | {t.period_4:+.1f} | {t.residual:.2f} |")
    return lines


def main() -> None:
    """Measures and writes."""
    options = parser(__doc__)
    options.add_argument("--images", type=int, default=1000)
    arguments = options.parse_args()
    start = time.monotonic()
    collection, floor = measure(arguments.real, arguments.images, arguments.seed)
    for kind in CLASSES:
        shown = {name: collection.images[name] for name in collection.of(kind)}
        write_atomically(ROOT / f"docs/generators-{kind}.png", plots.to_bytes(plots.trace_figure(shown, shown=12)))
    sets = [ImageSet.from_array(images[:FINGERPRINTED], name) for name, images in collection.images.items()]
    sets.append(ImageSet.from_array(held_out(arguments.real)[:FINGERPRINTED], "real"))
    classes = {name: about["class"] for name, about in collection.about.items()} | {"real": "real"}
    reference = find_existence(sets, classes, arguments.seed)
    wild_classes = {source: row["class"] for source, row in labels(arguments.wild).items()}
    wild = find_existence(read_sources(arguments.wild), wild_classes, arguments.seed)
    log_wild_run(arguments.wild.name, "existence", arguments.why)
    apart = seeds_apart(collection, arguments.seed)
    speeds = {kind: [collection.speed[name] for name in collection.of(kind)] for kind in CLASSES}
    text = (ROOT / "benchmarks/generators.template.md").read_text().format(
        provenance=provenance(arguments.seed, start), count=len(collection.about), images=arguments.images,
        table="\n".join(table(collection, floor)),
        sheets="\n\n".join(f"### {title}\n\n![{title}](generators-{kind}.png)" for kind, title in CLASSES.items()),
        traces="\n".join(trace_rows(collection)), alpha=ALPHA, fingerprinted=FINGERPRINTED,
        reference="\n".join(existence_rows(reference)),
        wild_name=arguments.wild.name, wild="\n".join(existence_rows(wild)),
        seeds="\n".join(
            f"| {kind} | {len(next(iter(by_size.values())))} | "
            + " | ".join(f"{100 * np.mean(by_size[n]):.0f} ({100 * min(by_size[n]):.0f}..{100 * max(by_size[n]):.0f})" for n in SEED_PROBES)
            + " |"
            for kind, by_size in apart.items()
        ),
        speed="\n".join(f"| {kind} | {min(rates):.0f} .. {max(rates):.0f} |" for kind, rates in speeds.items()),
    )  # fmt: skip
    write_atomically(ROOT / "docs/generators.md", text.encode())


if __name__ == "__main__":
    main()
