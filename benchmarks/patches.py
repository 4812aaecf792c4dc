"""Writes docs/patches.md: what more tiles of a large image are worth.

    python benchmarks/patches.py

Score-based generators are convolutions and attention alone, so those that ship sample images larger than they were trained on.
"""

from __future__ import annotations

import argparse
import time

from common import ROOT, encoder_of, provenance

from genprint.evaluation.attributability import top1
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.base import ByScorer

TILES, SIZES, ENROLLED, REPEATS = (1, 2, 4, 8, 16), (1, 2, 5, 10), 16, 5
_PAGE = """# Tiles of large images

Written by `benchmarks/patches.py`. {provenance}

An image larger than 32 px gives tiles of 32 px at native resolution, whose features are averaged. {sources} score-based generators that ship, descendants
among them, sampled at {side}x{side} px, {images} images each: top-1 in percent by images in the probe, {enrolled} enrolled, chance {chance:.0f}; 95 % intervals by bootstrap over sources
and {repeats} splits. *Images/s*: fingerprinted, decoding apart.

| tiles | {sizes} | images/s |
| --- | {lines} | --- |
{rows}

The default is {default}.
"""


def main() -> None:
    """Measures and writes."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--side", type=int, default=96)
    options.add_argument("--images", type=int, default=64)
    given = options.parse_args()
    start, sets = time.monotonic(), []
    for folder in shipped():
        if describe(folder)["class"] == "score":
            generator, _ = load(folder)
            generator.side = given.side  # type: ignore[attr-defined]
            pixels = sample(generator, folder.name, given.images, batch=16)
            sets.append(ImageSet.from_array(pixels, folder.name))
            print(folder.name, f"{time.monotonic() - start:.0f} s", flush=True)
    model, rows = Model.load(), []
    encoder, identity = encoder_of(model), model.identity
    default = encoder.tiles
    for count in TILES:
        encoder.set_params(tiles=count)
        began = time.monotonic()
        fingerprints = {images.name: encoder.extract(images) for images in sets}
        speed = given.images * len(sets) / (time.monotonic() - began)
        rates = top1(fingerprints, ByScorer(model.scorer), ENROLLED, SIZES, REPEATS, 0)
        cells = [f"{100 * rates[n].mean:.1f} [{100 * rates[n].low:.0f}, {100 * rates[n].high:.0f}]" for n in SIZES]
        rows.append(f"| {count} | " + " | ".join(cells) + f" | {speed:,.0f} |")
        print(rows[-1], flush=True)
    page = _PAGE.format(
        provenance=provenance(0, start, identity), sources=len(sets), side=given.side, images=given.images, enrolled=ENROLLED,
        chance=100 / len(sets), repeats=REPEATS, sizes=" | ".join(f"@{n}" for n in SIZES),
        lines=" | ".join("---" for _ in SIZES), rows="\n".join(rows), default=default,
    )  # fmt: skip
    (ROOT / "docs/patches.md").write_text(page)


if __name__ == "__main__":
    main()
