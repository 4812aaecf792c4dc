"""Sections of docs/pictures.md that are of top-1: across pipelines, against one pipeline, by tiles, and of controls."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from bed import LOSSLESS, MATCHED, SIZES, Bed, Rates, rates

from genprint.encoder.encoder import SetEncoder
from genprint.evaluation.intervals import over_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.base import ByScorer

_TIMED = 10  # images, for CPU seconds


def across(bed: Bed, methods: Sequence[str]) -> str:
    """(a) and (f): tables of top-1 by pair of pipelines, one for each number of images."""
    found = {method: bed.rates(method) for method in methods}
    names = bed.setting.pipelines
    groups: dict[str, Callable[[str, str], bool]] = {
        "*same pipeline*": lambda left, right: left == right,
        "*others, from lossless*": lambda left, right: LOSSLESS == left != right,
        "*others, from lossy*": lambda left, right: LOSSLESS != left != right,
    }
    parts = []
    for size in SIZES:
        lines, shown = head("enrolled as", "asked as", *methods), []
        for left in names:
            for right in names:
                shown.append([cell(by_source(own, [(left, right)], size)) for own in found.values()])
                lines.append(line(left, right, *shown[-1]))
        for title, chosen in groups.items():
            pairs = [(left, right) for left in names for right in names if chosen(left, right)]
            if pairs:
                lines.append(line(title, "", *(cell(by_source(own, pairs, size)) for own in found.values())))
        if any(set(row) - {"-"} for row in shown):
            parts.append(f"{counted(size)}:\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def both_sides(bed: Bed) -> str:
    """(b): enrolled in the probe's own pipeline, beside lossless images brought to its condition."""
    own, matched = bed.rates("set_encoder"), bed.rates(MATCHED)
    lines = head("asked as", "images", "both sides in it", "matched from lossless", "difference")
    for right in bed.setting.pipelines:
        for size in SIZES:
            there = by_source(own, [(right, right)], size)
            made = by_source(matched, [(LOSSLESS, right)], size)
            if right != LOSSLESS and there is not None and made is not None:
                lines.append(line(right, str(size), cell(there), cell(made), points(made - there)))
    return "\n".join(lines)


def tiles(bed: Bed, counts: Sequence[int | None], pipelines: Sequence[str]) -> str:
    """(d): what more tiles of an image are worth, and cost."""
    pairs = [(left, right) for left in pipelines for right in pipelines]
    lines = head(
        "tiles", "CPU s an image", *(f"{left} -> {right}, {size}" for left, right in pairs for size in (1, 10))
    )
    for count in counts:
        model = with_tiles(count)
        mine = replace(bed, model=model, setting=replace(bed.setting, tiles=count))

        def measured(mine: Bed = mine) -> dict[str, object]:
            front = mine.model.fingerprinter
            seconds = cpu_seconds(mine, pipelines[0])
            return {
                "seconds": seconds,
                "rates": rates(mine.read(front, pipelines), ByScorer(mine.model.scorer), mine.setting),
            }

        found = mine.find(f"{count or 'all'} tiles", measured, asked=list(pipelines))
        cells = [cell(by_source(found["rates"], [pair], size)) for pair in pairs for size in (1, 10)]
        lines.append(line(str(count or "all"), f"{found['seconds']:.3f}", *cells))
    return "\n".join(lines)


def cpu_seconds(bed: Bed, pipeline: str) -> float:
    """CPU seconds that decoding an image and computing its features takes, on average of a few."""
    folder = bed.folder / pipeline / bed.setting.sources[0]
    files = sorted(path for path in folder.iterdir() if path.stem in set(bed.setting.photographs))[:_TIMED]
    images, front = ImageSet.from_files(files, "timed"), bed.model.fingerprinter
    front.extract(images)  # the first call prepares
    start = time.process_time()
    front.extract(images)
    return (time.process_time() - start) / len(files)


def with_tiles(count: int | None) -> Model:
    """The model for pictures, looking at so many tiles of an image; None: at all."""
    model = Model.load("pictures")
    assert isinstance(model.fingerprinter, SetEncoder)
    model.fingerprinter.set_params(tiles=count)
    return model


def by_source(found: Rates, pairs: Sequence[tuple[str, str]], size: int) -> np.ndarray | None:
    """Each source's rate, mean over those of the pairs of pipelines that were measured; None if none was."""
    rows = [found.get(left, {}).get(right, {}).get(str(size)) for left, right in pairs]
    there = [row for row in rows if row is not None]
    return np.mean(there, axis=0) if there else None


def cell(values: np.ndarray | Sequence[float] | None) -> str:
    """A mean over sources with its interval, in percent."""
    if values is None:
        return "-"
    mean = over_sources(values)
    return f"{100 * mean.mean:.0f} [{100 * mean.low:.0f}, {100 * mean.high:.0f}]"


def points(values: np.ndarray) -> str:
    """A mean difference with its interval, in points."""
    mean = over_sources(values)
    return f"{100 * mean.mean:+.1f} [{100 * mean.low:+.1f}, {100 * mean.high:+.1f}]"


def counted(images: int) -> str:
    """So many images, in words."""
    return f"{images} image" + ("s" if images > 1 else "")


def head(*cells: str) -> list[str]:
    """The first lines of a table."""
    return [line(*cells), "|" + " --- |" * len(cells)]


def line(*cells: str) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"
