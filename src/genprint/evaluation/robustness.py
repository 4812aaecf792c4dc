"""Robustness: how much of attributability is left after a processing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from genprint.evaluation.attributability import Rate, top1
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.images.processing import Blur, Chain, Crop, Jpeg, Noise, Processing, Resize, Shift
from genprint.images.sets import ImageSet
from genprint.scoring.base import Comparer

PROCESSINGS: dict[str, Processing] = {
    "nothing": Chain(()),
    **{f"JPEG {quality}": Jpeg(quality) for quality in (95, 90, 75, 50, 30)},
    "blur 0.5": Blur(0.5),
    "blur 1": Blur(1.0),
    "noise 2": Noise(2),
    "noise 5": Noise(5),
    "inner crop": Crop(2),
    "one-pixel shift": Shift(1, 1),
    "resize 75 %": Resize(0.75),
    "resize 75 %, JPEG 90": Chain((Resize(0.75), Jpeg(90))),
}


def robustness(
    images: Mapping[str, np.ndarray],
    fingerprinter: Fingerprinter,
    comparer: Comparer,
    enrolled: int,
    sizes: Sequence[int],
    repeats: int = 3,
    seed: int = 0,
) -> Iterator[tuple[str, dict[str, dict[int, Rate]]]]:
    """Top-1 after each processing, of gallery and probes alike ('both'), or of the probes alone ('probe only').

    Args:
        images: of each source, uint8 ``(n, h, w, 3)``.
        fingerprinter: makes fingerprints of them.
        comparer: scores these.
        enrolled: images enrolled a source.
        sizes: of probes.
        repeats: new splits.
        seed: of these.

    Yields:
        The processing's name, and rates by side and size. A processing that crops, or makes images equal, has no
        'probe only' where features come out of another number.
    """
    plain: dict[str, Fingerprint] = {}
    for name, processing in PROCESSINGS.items():
        found = {
            source: fingerprinter.extract(ImageSet.from_array(processing(pixels), source))
            for source, pixels in images.items()
        }
        plain = plain or found
        rows = {"both": top1(found, comparer, enrolled, sizes, repeats, seed)}
        if all(plain[source].values.shape == after.values.shape for source, after in found.items()):
            rows["probe only"] = top1(plain, comparer, enrolled, sizes, repeats, seed, found)
        yield name, rows
