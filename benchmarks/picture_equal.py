"""Section of docs/pictures.md that says whether pipelines of one source are told apart after one common processing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from bed import Bed, divisions
from picture_sections import cell, counted, head, line

from genprint.evaluation.attributability import named
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.processing import Jpeg, Processing
from genprint.scoring.base import ByScorer

SIZE = 10
COMMON: tuple[Processing | None, ...] = (None, Jpeg(75), Jpeg(50))
#: Percent of sets named by the right one of two pipelines up to which they count as equal; half are by chance.
EQUAL = 60
_SOURCES = 8


def equalised(bed: Bed) -> str:
    """(g): two pipelines of one source, enrolled as if they were two sources, as they are and after one processing."""
    names = bed.setting.sources[:: max(1, len(bed.setting.sources) // _SOURCES)]
    titles = ["as they are", *(f"both after {common.name}" for common in COMMON if common)]
    lines = head("one", "other", *titles)
    found = bed.find(
        "pipelines told apart", lambda: _told_apart(bed, names), sources=list(names), size=SIZE,
        common=[common and common.name for common in COMMON],
    )  # fmt: skip
    for one, other in combinations(bed.setting.pipelines, 2):
        lines.append(line(one, other, *(cell(row) for row in found[f"{one} {other}"])))
    return f"{len(names)} of the sources, {counted(SIZE)}, chance 50 %.\n\n" + "\n".join(lines)


def _told_apart(bed: Bed, names: Sequence[str]) -> dict[str, list[list[float]]]:
    """By pair of pipelines: of each common processing, each source's share of sets given to the right pipeline."""
    found: dict[str, list[list[float]]] = {}
    for common in COMMON:
        read = {name: [_after(bed, name, pipeline, common) for pipeline in bed.setting.pipelines] for name in names}
        for i, j in combinations(range(len(bed.setting.pipelines)), 2):
            pair = f"{bed.setting.pipelines[i]} {bed.setting.pipelines[j]}"
            found.setdefault(pair, []).append([_share(bed, [read[name][i], read[name][j]]) for name in names])
    return found


def _after(bed: Bed, source: str, pipeline: str, common: Processing | None) -> Fingerprint:
    images = bed.images(source, pipeline)
    return bed.model.fingerprinter.extract(images, cache=bed.cache, processing=common)


def _share(bed: Bed, pair: Sequence[Fingerprint]) -> float:
    """Share of sets of both that are given to the right one."""
    setting, hits = bed.setting, []
    for known, asked in divisions(len(setting.photographs), setting.enrolled, setting.repeats, setting.seed):
        groups = [asked[at : at + SIZE] for at in range(0, len(asked) - SIZE + 1, SIZE)]
        probes = [one[group] for one in pair for group in groups]
        scores = ByScorer(bed.model.scorer).score(probes, [one[known] for one in pair])
        hits.append(named(scores, np.repeat([0, 1], len(groups))).mean())
    return float(np.mean(hits))
