"""Writes docs/verification.md: how often verify is wrong, and how often it answers at all.

    python benchmarks/verification.py --real REAL.npz --wild FOLDER --why "..."

The arguments are those of benchmarks/results.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np
from common import ROOT, collections, held_out, log_wild_run, parser, provenance

from genprint.answers import DIFFERENT, SAME
from genprint.artifacts import to_pixels
from genprint.attribution import verify
from genprint.changes import Change, blur, jpeg, noise, resize, shift
from genprint.cli.common import tune_malloc
from genprint.evaluation.intervals import over_sources
from genprint.fingerprint import Features
from genprint.histories import HISTORIES
from genprint.images import ImageSet
from genprint.methods.set_encoder.encoder import SetEncoder
from genprint.methods.set_encoder.simulator import draw_sources
from genprint.verification import Verification

SIMULATED, SIZES, LARGEST = 100, (2, 10, 30), 30
# Some are histories that populations are looked at after, some lie between or beyond.
CHANGES: dict[str, Change] = {
    "JPEG 90": jpeg(90), "JPEG 75": jpeg(75), "JPEG 85 4:4:4": jpeg(85, "4:4:4"), "JPEG 20": jpeg(20),
    "blur 0.7": blur(0.7), "noise 3": noise(3), "resize 50 %": resize(0.5), "one-pixel shift": shift(0, 1),
}  # fmt: skip
Population = Callable[[str, str], Verification | None]

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


def row(
    title: str, change: str, size: int, encoder: SetEncoder, population: Population,
    left: Mapping[str, Features], right: Mapping[str, Features],
) -> str:  # fmt: skip
    """Compares a set of each source in the left state with one of each in the right state."""
    names = list(left)
    answers = np.empty((len(names), len(names)), object)
    ratios = np.full(answers.shape, np.nan)
    for i, one in enumerate(names):
        for j, other in enumerate(names):
            a, b = left[one][np.arange(size)], right[other][np.arange(size, 2 * size)]
            found = verify(encoder, one, a, other, b, population(one, other))
            answers[i, j] = found.answer
            ratios[i, j] = np.nan if found.log10_lr is None else found.log10_lr
    own = np.eye(len(names), dtype=bool)
    others = [~mine for mine in own]
    by_source = [
        np.array([(answers[i][others[i]] == SAME).mean() for i in range(len(names))]),
        np.diag(answers) == DIFFERENT,
        np.diag(answers) == SAME,
        np.array([(answers[i][others[i]] == DIFFERENT).mean() for i in range(len(names))]),
    ]
    means = [over_sources(100 * rate) for rate in by_source]
    cllr = (np.nanmean(np.log2(1 + 10 ** -ratios[own])) + np.nanmean(np.log2(1 + 10 ** ratios[~own]))) / 2
    given = 100 * np.isfinite(ratios).mean()
    cells = [f"{own.mean:.1f} [{own.low:.1f}, {own.high:.1f}]" for own in means]
    line = (
        "| "
        + " | ".join([title, change, str(size), *cells, f"{given:.0f}", f"{cllr:.2f}" if given > 10 else "-"])
        + " |"
    )
    print(line, flush=True)
    return line


def judges(encoder: SetEncoder, known: Mapping[str, Features]) -> Population:
    """For each pair of sources, all the others."""
    made = {
        frozenset(pair): Verification.fit(encoder, {n: own for n, own in known.items() if n not in pair}, "the others")
        for pair in [*combinations(known, 2), *((one,) for one in known)]
    }
    return lambda one, other: made[frozenset((one, other))]


def main() -> None:
    """Measures and writes."""
    given = parser(__doc__).parse_args()
    tune_malloc()
    start, encoder = time.monotonic(), SetEncoder.from_pretrained()
    world = collections(given.real, given.wild)
    titles = {"reference": "shipped generators, real", "wild": f"third-party ({given.wild.name})"}
    log_wild_run(given.wild.name, "verification", given.why)

    def shipped(one: str, other: str) -> None:
        return None

    rows = [
        row(f"{SIMULATED} simulated", "none", size, encoder, shipped, made, made)
        for made in [simulated(encoder, held_out(given.real))]
        for size in SIZES
    ]
    at_hand = []
    for name, sets in world.items():
        pixels = {own.name: own.to_array()[: 2 * LARGEST] for own in sets}
        asked = {
            change: {one: encoder.features(ImageSet.from_array(how(own), one)) for one, own in pixels.items()}
            for change, how in CHANGES.items()
        }
        known = {
            one: encoder.features(ImageSet.from_array(own, one), histories=HISTORIES) for one, own in pixels.items()
        }
        rows += [row(titles[name], "none", size, encoder, shipped, known, known) for size in SIZES]
        rows += [row(titles[name], f"{change}, both", 10, encoder, shipped, own, own) for change, own in asked.items()]
        rows.append(row(titles[name], "JPEG 90, one", 10, encoder, shipped, known, asked["JPEG 90"]))
        as_made = {one: replace(own, after={}) for one, own in known.items()}
        others = judges(encoder, as_made)
        at_hand += [row(titles[name], "none (--no-histories)", size, encoder, others, known, known) for size in SIZES]
        if name == "wild":  # of generators there are too many pairs
            others = judges(encoder, known)
            at_hand += [row(titles[name], "none", size, encoder, others, known, known) for size in SIZES]
            at_hand += [
                row(titles[name], f"{what}, both", 10, encoder, others, own, own) for what, own in asked.items()
            ]
            at_hand.append(row(titles[name], "JPEG 90, one", 10, encoder, others, known, asked["JPEG 90"]))
    page = _PAGE.format(
        provenance=provenance(given.seed, start), rate=100 * encoder.verification_.rate, largest=LARGEST,
        sources=encoder.verification_.sources, shipped="\n".join(rows), at_hand="\n".join(at_hand),
    )  # fmt: skip
    (ROOT / "docs/verification.md").write_text(page)


if __name__ == "__main__":
    main()
