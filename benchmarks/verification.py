"""Writes docs/verification.md: how often verify is wrong, and how often it answers at all.

    python benchmarks/verification.py --real REAL.npz --wild FOLDER --why "..."

The arguments are those of benchmarks/results.py.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from common import ROOT, collections, held_out, log_wild_run, parser, provenance

from genprint.cli.common import tune_malloc
from genprint.encoder.encoder import SetEncoder
from genprint.encoder.training.simulator import draw_sources
from genprint.evaluation.verification import Population, Verified, by_the_others, verified
from genprint.fingerprints.fingerprint import Features
from genprint.fingerprints.residuals import to_pixels
from genprint.images.processing import Change, blur, chain, grey, jpeg, noise, resize, shift
from genprint.images.sets import ImageSet
from genprint.scoring.conditions import HISTORIES

SIMULATED, SIZES, LARGEST = 100, (2, 10, 30), 30
# Some are histories that populations are looked at after, some lie between or beyond.
CHANGES: dict[str, Change] = {
    "JPEG 90": jpeg(90), "JPEG 75": jpeg(75), "JPEG 85 4:4:4": jpeg(85, "4:4:4"), "JPEG 20": jpeg(20),
    "blur 0.7": blur(0.7), "noise 3": noise(3), "resize 50 %": resize(0.5), "resize 35 %": resize(0.35),
    "one-pixel shift": shift(0, 1), "grey": grey(), "resize 60 %, JPEG 70": chain(resize(0.6), jpeg(70)),
    "shift 1,1, JPEG 80": chain(shift(1, 1), jpeg(80)),
}  # fmt: skip

_PAGE = """# One source or two

Written by `benchmarks/verification.py`; the encoder has seen no generator. {provenance}

`genprint verify` on pairs of disjoint sets, all sources with all; percent of pairs, 95 % intervals by bootstrap over sources. Wrong: *false same*, sets of two sources
called the same; *false different*, sets of one source called different. Right: *same* and *different*. The others are inconclusive. Both errors are set
for {rate:.0f} % over the sources of the population. *Given*: pairs with a likelihood ratio, which is only given where one history is possible; *Cllr* is of these, where there are
many: 0 is perfect, 1 says nothing.

## By the population that comes with the encoder

The shipped generators and real images, {sources} sources, at most {largest} images of those asked about. The rows of the shipped generators are of other images of the same models.
Where a change is named, both sets went through it, or one; none of it is told.

| sources | change | images | false same | false different | same | different | given | Cllr |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{shipped}

## By known sources at hand

`--known`: each pair is judged by all the other sources of its collection.

| sources | change | images | false same | false different | same | different | given | Cllr |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{at_hand}
"""


def simulated(encoder: SetEncoder, real: np.ndarray) -> dict[str, Features]:
    """Features of fresh simulated sources."""
    rng = np.random.default_rng(99)
    made = {}
    for i, source in enumerate(draw_sources(SIMULATED, rng, siblings=0)):
        pixels = to_pixels(real[rng.choice(len(real), 2 * LARGEST, replace=False)])
        images = source.apply(pixels, rng).permute(0, 2, 3, 1).numpy().astype(np.uint8)
        made[str(i)] = encoder.features(ImageSet.from_array(images, str(i)))
    return made


def row(title: str, change: str, size: int, found: Verified) -> str:
    """A line of the tables."""
    means = (found.false_same, found.false_different, found.same, found.different)
    cells = [f"{100 * own.mean:.1f} [{100 * own.low:.1f}, {100 * own.high:.1f}]" for own in means]
    cllr = f"{found.cllr:.2f}" if found.cllr is not None and found.given > 0.1 else "-"
    line = "| " + " | ".join([title, change, str(size), *cells, f"{100 * found.given:.0f}", cllr]) + " |"
    print(line, flush=True)
    return line


def _changes(
    title: str, encoder: SetEncoder, as_made: Mapping[str, Features], asked: Mapping[str, Mapping[str, Features]],
    population: Population = lambda one, other: None,
) -> list[str]:  # fmt: skip
    """Pairs as they were made, both after each change, and one of them."""
    rows = [row(title, "none", size, verified(encoder, as_made, as_made, size, population)) for size in SIZES]
    for change, own in asked.items():
        rows.append(row(title, f"{change}, both", 10, verified(encoder, own, own, 10, population)))
    one = verified(encoder, as_made, asked["JPEG 90"], 10, population)
    return [*rows, row(title, "JPEG 90, one", 10, one)]


def main() -> None:
    """Measures and writes."""
    given = parser(__doc__).parse_args()
    tune_malloc()
    start, encoder = time.monotonic(), SetEncoder.from_pretrained()
    world = collections(given.real, given.wild)
    titles = {"reference": "shipped generators, real", "wild": f"third-party ({given.wild.name})"}
    log_wild_run(given.wild.name, "verification", given.why)

    made = simulated(encoder, held_out(given.real))
    rows = [row(f"{SIMULATED} simulated", "none", size, verified(encoder, made, made, size)) for size in SIZES]
    at_hand = []
    for name, sets in world.items():
        title, pixels = titles[name], {own.name: own.to_array()[: 2 * LARGEST] for own in sets}
        asked = {
            change: {one: encoder.features(ImageSet.from_array(how(own), one)) for one, own in pixels.items()}
            for change, how in CHANGES.items()
        }
        known = {
            one: encoder.features(ImageSet.from_array(own, one), histories=HISTORIES) for one, own in pixels.items()
        }
        as_made = {one: replace(own, after={}) for one, own in known.items()}
        rows += _changes(title, encoder, as_made, asked)
        others = by_the_others(encoder, as_made)
        for size in SIZES:
            found = verified(encoder, as_made, as_made, size, others)
            at_hand.append(row(title, "none (--no-histories)", size, found))
        if name == "wild":  # of generators there are too many pairs
            at_hand += _changes(title, encoder, as_made, asked, by_the_others(encoder, known))
    page = _PAGE.format(
        provenance=provenance(given.seed, start), rate=100 * encoder.verification_.rate, largest=LARGEST,
        sources=encoder.verification_.sources, shipped="\n".join(rows), at_hand="\n".join(at_hand),
    )  # fmt: skip
    (ROOT / "docs/verification.md").write_text(page)


if __name__ == "__main__":
    main()
