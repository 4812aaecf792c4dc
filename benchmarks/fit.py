"""Writes docs/fit.md: what fine-tuning the shipped encoder on the sources at hand is worth.

    python benchmarks/fit.py --real REAL.npz --wild FOLDER --why "..."

The arguments are those of benchmarks/results.py.
"""

from __future__ import annotations

import time

import numpy as np
from common import ROOT, collections, log_wild_run, parser, provenance

from genprint.evaluation.intervals import over_sources
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.base import ByScorer

SIZES, REPEATS = (1, 10), 4
_PAGE = """# Fine-tuning on the sources at hand

Written by `benchmarks/fit.py`. {provenance}

`genprint fit` with half of each source's images, which are then enrolled; top-1 in percent of the other half, by the model as shipped and as
fitted; 95 % intervals by bootstrap over sources, differences paired. *Held back*: what `fit` itself says, of single images that it kept from
training. Where that falls, `fit` keeps the model as it was, and so it is here.

| sources | images to fit, of each | held back: before, after | shipped @1 | fitted @1 | paired | shipped @10 | fitted @10 | paired |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{rows}
"""


def attributed(model: Model, known: list[ImageSet], asked: list[ImageSet], seed: int) -> dict[int, np.ndarray]:
    """Share of each source's probes that go to it, by their size."""
    gallery, others = ([model.fingerprint(images) for images in sets] for sets in (known, asked))
    comparer = ByScorer(model.scorer)
    shares = {}
    for size in SIZES:
        rng = np.random.default_rng(seed)
        probes: list[Fingerprint] = []
        owners: list[int] = []
        for i, other in enumerate(others):
            orders = [rng.permutation(len(other)) for _ in range(REPEATS)]
            probes += [other[order[at : at + size]] for order in orders for at in range(0, len(other) - size + 1, size)]
            owners += [i] * (len(probes) - len(owners))
        right = comparer.score(probes, gallery).argmax(1) == np.array(owners)
        shares[size] = np.array([right[np.array(owners) == i].mean() for i in range(len(others))])
    return shares


def row(title: str, sets: list[ImageSet], seed: int) -> str:
    """Fits with one half, asks with the other."""
    known, asked = [], []
    for images in sets:
        pixels = images.to_array()
        pixels = pixels[np.random.default_rng(seed).permutation(len(pixels))]
        known.append(ImageSet.from_array(pixels[: len(pixels) // 2], images.name))
        asked.append(ImageSet.from_array(pixels[len(pixels) // 2 :], images.name))
    shipped = Model.load()
    fitted = shipped.fit(known, [images.name for images in known])
    counts = [len(images.to_array()) for images in known]
    few, most = min(counts), max(counts)
    cells = [title, f"{few} to {most}", f"{100 * fitted.before:.1f}, {100 * fitted.after:.1f}"]
    before, after = (attributed(model, known, asked, seed) for model in (shipped, fitted.model))
    for size in SIZES:
        shares = ((before[size], ".1f"), (after[size], ".1f"), (after[size] - before[size], "+.1f"))
        for values, form in shares:
            mean = over_sources(100 * values, seed)
            cells.append(f"{mean.mean:{form}} [{mean.low:{form}}, {mean.high:{form}}]")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Fits, measures and writes."""
    given = parser(__doc__).parse_args()
    start = time.monotonic()
    world = collections(given.real, given.wild)
    log_wild_run(given.wild.name, "fit", given.why)
    titles = {"reference": "shipped generators and real images", "wild": f"third-party ({given.wild.name})"}
    rows = [row(titles[name], sets, given.seed) for name, sets in world.items()]
    page = _PAGE.format(provenance=provenance(given.seed, start), rows="\n".join(rows))
    (ROOT / "docs/fit.md").write_text(page)


if __name__ == "__main__":
    main()
