"""Writes docs/verification.md: how often verify is wrong, and how often it answers at all.

    python benchmarks/verification.py --real REAL.npz --wild FOLDER --why "..."

The arguments are those of benchmarks/results.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from common import ROOT, collections, held_out, log_wild_run, parser, provenance

from genprint.encoder.training.simulator import draw_sources
from genprint.evaluation.verification import Population, Verified, by_the_others, verified
from genprint.fingerprints.conditions import CONDITIONS
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.residuals import to_images, to_pixels
from genprint.images.decoding import Image
from genprint.images.processing import Blur, Chain, Grey, Jpeg, Noise, Processing, Resize, Shift
from genprint.images.sets import ImageSet
from genprint.model import Model

SIMULATED, SIZES, LARGEST = 100, (2, 10, 30), 30
# Some are conditions that populations are known in, some lie between or beyond.
PROCESSINGS: dict[str, Processing] = {
    "JPEG 90": Jpeg(90), "JPEG 75": Jpeg(75), "JPEG 85 4:4:4": Jpeg(85, "4:4:4"), "JPEG 20": Jpeg(20),
    "blur 0.7": Blur(0.7), "noise 3": Noise(3), "resize 50 %": Resize(0.5), "resize 35 %": Resize(0.35),
    "one-pixel shift": Shift(0, 1), "grey": Grey(), "resize 60 %, JPEG 70": Chain((Resize(0.6), Jpeg(70))),
    "shift 1,1, JPEG 80": Chain((Shift(1, 1), Jpeg(80))),
}  # fmt: skip

_PAGE = """# One source or two

Written by `benchmarks/verification.py`; the encoder has seen no generator. {provenance}

`genprint verify` on pairs of disjoint sets, all sources with all; percent of pairs, 95 % intervals by bootstrap over sources. Wrong: *false same*, sets of two sources
called the same; *false different*, sets of one source called different. Right: *same* and *different*. The others are inconclusive. Both errors are set
for {rate:.0f} % over the sources of the population. *Given*: pairs with a likelihood ratio, which is only given where one condition is possible; *Cllr* is of these, where there are
many: 0 is perfect, 1 says nothing.

## By the population that comes with the model

The shipped generators and real images, {sources} sources, at most {largest} images of those asked about. The rows of the shipped generators are of other images of the same models.
Where a processing is named, both sets went through it, or one; none of it is told.

| sources | processing | images | false same | false different | same | different | given | Cllr |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{shipped}

## By known sources at hand

`--known`: each pair is judged by all the other sources of its collection.

| sources | processing | images | false same | false different | same | different | given | Cllr |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{at_hand}
"""


@dataclass(frozen=True, eq=False)
class Remembered:
    """Originals of which all that was made is kept in memory: many galleries and populations are of the same images."""

    known: Fingerprint
    made: dict[tuple[Processing, str], np.ndarray] = field(default_factory=dict)

    @property
    def digests(self) -> Iterable[str]:
        return self.known.digests

    @property
    def sides(self) -> Iterable[int]:
        return [side for one in self.known.originals for side in one.sides]

    def under(
        self, processing: Processing, digests: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> Fingerprint:
        """The fingerprint of those images after a processing."""
        lacking = [digest for digest in digests if (processing, digest) not in self.made]
        if lacking:
            wanted = [i for i, digest in enumerate(self.known.digests) if digest in set(lacking)]
            found = self.known[wanted].under(processing, progress)
            self.made.update(
                ((processing, digest), row) for digest, row in zip(found.digests, found.values, strict=True)
            )
        values = np.stack([self.made[processing, digest] for digest in digests])
        return replace(
            self.known, features=values, digests=tuple(digests), names=(), facts=(), left_out=(), originals=()
        )

    def read(self, digests: Sequence[str]) -> Iterator[Image]:
        """Those images as they are."""
        for one in self.known.originals:
            yield from one.read([digest for digest in one.digests if digest in set(digests)])


def remembered(known: Fingerprint) -> Fingerprint:
    """The fingerprint, each of whose images is brought to a condition once."""
    return replace(known, originals=(Remembered(known),))


def simulated(model: Model, real: np.ndarray) -> dict[str, Fingerprint]:
    """Fingerprints of fresh simulated sources."""
    rng = np.random.default_rng(99)
    made = {}
    for i, source in enumerate(draw_sources(SIMULATED, rng, siblings=0)):
        pixels = to_pixels(real[rng.choice(len(real), 2 * LARGEST, replace=False)])
        images = to_images(source.apply(pixels, rng))
        made[str(i)] = model.fingerprint(ImageSet.from_array(images, str(i)))
    return made


def row(title: str, processing: str, size: int, found: Verified) -> str:
    """A line of the tables."""
    means = (found.false_same, found.false_different, found.same, found.different)
    cells = [f"{100 * mean.mean:.1f} [{100 * mean.low:.1f}, {100 * mean.high:.1f}]" for mean in means]
    cllr = f"{found.cllr:.2f}" if found.cllr is not None and found.given > 0.1 else "-"
    line = "| " + " | ".join([title, processing, str(size), *cells, f"{100 * found.given:.0f}", cllr]) + " |"
    print(line, flush=True)
    return line


def _processed(
    title: str, model: Model, as_made: Mapping[str, Fingerprint], asked: Mapping[str, Mapping[str, Fingerprint]],
    population: Population = lambda one, other: None,
) -> list[str]:  # fmt: skip
    """Pairs as they were made, both after each processing, and one of them."""
    rows = [row(title, "none", size, verified(model, as_made, as_made, size, population)) for size in SIZES]
    for processing, sets in asked.items():
        rows.append(row(title, f"{processing}, both", 10, verified(model, sets, sets, 10, population)))
    one = verified(model, as_made, asked["JPEG 90"], 10, population)
    return [*rows, row(title, "JPEG 90, one", 10, one)]


def main() -> None:
    """Measures and writes."""
    given = parser(__doc__).parse_args()
    start, model = time.monotonic(), Model.load()
    assert model.population
    world = collections(given.real, given.wild)
    titles = {"reference": "shipped generators, real", "wild": f"third-party ({given.wild.name})"}
    log_wild_run(given.wild.name, "verification", given.why)

    made = simulated(model, held_out(given.real))
    rows = [row(f"{SIMULATED} simulated", "none", size, verified(model, made, made, size)) for size in SIZES]
    at_hand = []
    for name, sets in world.items():
        title, arrays = titles[name], {images.name: images.to_array()[: 2 * LARGEST] for images in sets}
        asked = {
            what: {
                source: model.fingerprint(ImageSet.from_array(processing(pixels), source))
                for source, pixels in arrays.items()
            }
            for what, processing in PROCESSINGS.items()
        }
        as_made = {
            source: remembered(model.fingerprint(ImageSet.from_array(pixels, source)))
            for source, pixels in arrays.items()
        }
        rows += _processed(title, model, as_made, asked)
        others = by_the_others(model, as_made)
        for size in SIZES:
            found = verified(model, as_made, as_made, size, others)
            at_hand.append(row(title, "none (--no-conditions)", size, found))
        if name == "wild":  # of generators there are too many pairs
            in_conditions = by_the_others(model, as_made, conditions=tuple(CONDITIONS.values()))
            at_hand += _processed(title, model, as_made, asked, in_conditions)
    page = _PAGE.format(
        provenance=provenance(given.seed, start, model.identity), rate=100 * model.population.rate, largest=LARGEST,
        sources=model.population.sources, shipped="\n".join(rows), at_hand="\n".join(at_hand),
    )  # fmt: skip
    (ROOT / "docs/verification.md").write_text(page)


if __name__ == "__main__":
    main()
