"""Prints how often an earlier JPEG is found by the pixels of images, and how long that takes.

    python benchmarks/history.py PHOTOGRAPHS

PHOTOGRAPHS is a folder, zip or array of images that were never saved with loss, or were shrunk since. For each history and number of
images: the share of sets whose grid is found / and whose quality is found within 2; and of those that were never saved as JPEG before,
the sets in which one is found all the same.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from genprint.images.headers import webp_quantiser
from genprint.images.history import History, history
from genprint.images.processing import Chain, Jpeg, Processing, Shift, WebP
from genprint.images.sets import ImageSet

SIZES, QUALITIES = (1, 5, 10), (50, 60, 70, 75, 80, 85, 90, 95)
CUTS = {"aligned": Shift(0, 0), "cut 5,3": Shift(5, 3), "cut 4,0": Shift(4, 0)}
AGAIN = (None, Jpeg(75), Jpeg(80), Jpeg(90), "WebP 80")


def quantiser(pixels: np.ndarray) -> int:
    """Of an image saved as WebP at quality 80."""
    saved = io.BytesIO()
    Image.fromarray(pixels).save(saved, "WEBP", quality=80)
    return webp_quantiser(saved.getvalue()) or 0


def sets(photographs: list[np.ndarray], size: int, most: int) -> Iterator[list[np.ndarray]]:
    """Disjoint sets."""
    for start in range(0, min(len(photographs), most * size) - size + 1, size):
        yield photographs[start : start + size]


def found(images: list[np.ndarray], earlier: Processing | None, again: Processing | str | None) -> History:
    """The history of images that have this one."""
    if again == "WebP 80":
        again = WebP(quantiser(images[0]))
    assert not isinstance(again, str)
    steps = Chain(tuple(step for step in (earlier, again) if step))
    return history([steps(pixels[None])[0] for pixels in images], again)


def main() -> None:
    """Measures and prints."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("photographs", type=Path)
    options.add_argument("--most", type=int, default=8, help="sets a cell")
    options.add_argument("--limit", type=int, default=40, help="photographs")
    given = options.parse_args()
    photographs = [image.pixels for _, image in zip(range(given.limit), ImageSet.read(given.photographs), strict=False)]
    history(photographs[:1])  # makes the tables
    print("| then | cut | images | " + " | ".join(map(str, QUALITIES)) + " | never: false finds (most evidence) |")
    print("| --- " * (4 + len(QUALITIES)) + "|")
    for again in AGAIN:
        name = again if isinstance(again, str) else again.name if again else "lossless"
        for size in SIZES:
            never = [found(images, None, again) for images in sets(photographs, size, len(photographs))]
            wrong = f"{sum(one.grid is not None for one in never)} of {len(never)} ({max(one.evidence for one in never):.0f})"
            for cut, shift in CUTS.items():
                cells = []
                for quality in QUALITIES:
                    right = [
                        found(images, Chain((Jpeg(quality), shift)), again)
                        for images in sets(photographs, size, given.most)
                    ]
                    grid = (-shift.down % 8, -shift.right % 8)
                    at = [one for one in right if one.grid == grid]
                    near = [one for one in at if one.jpeg and abs(one.jpeg.quality - quality) <= 2]
                    cells.append(f"{100 * len(at) / len(right):.0f} / {100 * len(near) / len(right):.0f}")
                print(f"| {name} | {cut} | {size} | " + " | ".join(cells) + f" | {wrong} |", flush=True)
    for side in (256, 512):
        image = np.asarray(Image.fromarray(photographs[0]).resize((side, side)))
        for again in (None, Jpeg(80)):
            images = [again(image[None])[0] if again else image] * 8
            start = time.process_time()
            history(images, again)
            print(
                f"{side} px, {again.name if again else 'lossless'}: {1000 * (time.process_time() - start) / 8:.0f} ms an image"
            )


if __name__ == "__main__":
    main()
