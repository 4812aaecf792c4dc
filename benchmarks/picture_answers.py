"""Sections of docs/pictures.md that are of answers: attributions at a rate of false ones, and pairs of sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import combinations_with_replacement

import numpy as np
from bed import LOSSLESS, Bed, Read, divisions, quarters
from picture_sections import cell, head, line

from genprint.answers.results import DIFFERENT, SAME
from genprint.answers.verification import Verification, verify
from genprint.evaluation.answers import Named, identified, shares
from genprint.evaluation.calibration import summarise
from genprint.fingerprints.conditions import CONDITIONS, KEPT
from genprint.scoring.population import ReferencePopulation

SIZE, RATE = 10, 0.1
# Pairs of disjoint sets of each two sources, at most.
_PAIRS = 6

_Reading = Callable[[], Read]


def answers(bed: Bed, unknown: str) -> str:
    """(c): what ``Identifier`` says, by pair of pipelines, with each source unknown in turn, or each quarter of them."""
    read, setting = _once(bed), bed.setting
    groups = (
        {name: name for name in setting.sources} if unknown == "source" else quarters(setting.sources, bed.setting.seed)
    )
    lines, rates = head("enrolled as", "asked as", "false", "right", "wrong"), []
    for left in setting.pipelines:
        found = bed.find(
            f"answers, enrolled as {left}",
            lambda left=left: _answered(bed, read(), left, groups),  # type: ignore[misc]
            unknown=unknown, rate=RATE, size=SIZE,
        )  # fmt: skip
        rates.append(found["rate"])
        for right, rows in found["asked"].items():
            lines.append(line(left, right, *(cell(row) for row in rows)))
    return f"The rate was {100 * max(rates):.0f} % at most.\n\n" + "\n".join(lines)


def _answered(bed: Bed, read: Read, left: str, groups: Mapping[str, str]) -> dict[str, object]:
    """The rate that was had, and false, right and wrong of each source, by the probes' pipeline."""
    setting, reached = bed.setting, 0.0
    found: dict[str, list[np.ndarray]] = {right: [] for right in setting.pipelines}
    for known, asked in divisions(len(setting.photographs), setting.enrolled, setting.repeats, setting.seed):
        sets = blocks(asked, SIZE)
        enrolled = {source: own[left][known] for source, own in read.items()}
        probes = {
            source: [own[right][rows] for right in setting.pipelines for rows in sets] for source, own in read.items()
        }
        rate, named = identified(bed.model, enrolled, probes, groups, RATE)
        reached = max(reached, rate)
        for i, right in enumerate(setting.pipelines):
            part = slice(i * len(sets), (i + 1) * len(sets))
            mine: dict[str, list[Named]] = {source: own[part] for source, own in named.items()}
            found[right].append(shares(mine))
    return {"rate": reached, "asked": {right: np.mean(own, axis=0).tolist() for right, own in found.items()}}


def verification(bed: Bed) -> str:
    """(e): pairs of sets of one source and of two, by the shipped population and by other sources of the bed."""
    read = _once(bed)
    lines = head(
        "judged by", "sets in", "false same", "false different", "same", "different", "given", "Cllr", "Cllr_min"
    )
    judges: dict[str, Callable[[], _Population]] = {
        "shipped": lambda: _shipped,
        "the others": cache(lambda: _others(bed, read())),  # fitted once for all pairs of pipelines
    }
    for judge, population in judges.items():
        for pair in combinations_with_replacement(bed.setting.pipelines, 2):
            found = bed.find(
                f"pairs in {' and '.join(pair)}, by {judge}",
                lambda pair=pair, population=population: _compared(bed, read(), pair, population()),  # type: ignore[misc]
                size=SIZE,
            )
            shown = [cell(found[what]) for what in ("false same", "false different", "same", "different")]
            costs = found["costs"]
            cllr = f"{costs['cllr']:.2f} [{costs['low']:.2f}, {costs['high']:.2f}]" if costs else "-"
            least = f"{costs['cllr_min']:.2f}" if costs else "-"
            lines.append(line(judge, " and ".join(pair), *shown, f"{100 * found['given']:.0f}", cllr, least))
    return "\n".join(lines)


_Population = Callable[[str, str], ReferencePopulation | None]


def _shipped(one: str, other: str) -> None:
    return None


def _others(bed: Bed, read: Read) -> _Population:
    """Sources of the quarters that neither of a pair is of, in all conditions, by lossless images."""
    groups = quarters(bed.setting.sources, bed.setting.seed)
    rows = np.arange(min(KEPT, len(bed.setting.photographs)))

    @cache
    def fitted(left_out: frozenset[str]) -> ReferencePopulation:
        rest = {name: own[LOSSLESS][rows] for name, own in read.items() if groups[name] not in left_out}
        name = f"{len(rest)} other sources of the bed"
        return ReferencePopulation.fit(bed.model.plda, rest, name, conditions=tuple(CONDITIONS.values()))

    return lambda one, other: fitted(frozenset((groups[one], groups[other])))


def _compared(bed: Bed, read: Read, pair: tuple[str, str], population: _Population) -> dict[str, object]:
    """Shares by source, how many ratios were given, and what these cost."""
    left, right = pair
    order = np.random.default_rng(bed.setting.seed).permutation(len(bed.setting.photographs))
    sets = blocks(order, SIZE)
    if len(sets) < 2:
        raise SystemExit(f"two sets of {SIZE} photographs are needed, there are {len(order)} photographs")
    sides = list(zip(sets[::2], sets[1::2], strict=False))[:_PAIRS]

    def said(one: str, other: str) -> list[Verification]:
        return [
            verify(bed.model, read[one][left][mine], read[other][right][theirs], population(one, other))
            for mine, theirs in sides
        ]

    alike = {name: said(name, name) for name in read}
    unlike = {one: [found for other in read if other != one for found in said(one, other)] for one in read}
    ratios = [{name: _given(found) for name, found in kind.items()} for kind in (alike, unlike)]
    every = [one for kind in (alike, unlike) for own in kind.values() for one in own]
    return {
        "false same": [_share(own, SAME) for own in unlike.values()],
        "false different": [_share(own, DIFFERENT) for own in alike.values()],
        "same": [_share(own, SAME) for own in alike.values()],
        "different": [_share(own, DIFFERENT) for own in unlike.values()],
        "given": len([one for one in every if one.llr is not None]) / len(every),
        "costs": costs(*ratios),
    }


def costs(same: Mapping[str, tuple[float, ...]], different: Mapping[str, tuple[float, ...]]) -> dict[str, float] | None:
    """Cllr with its interval over the sources that have ratios of both kinds, and Cllr_min; None if none has."""
    having = [name for name in same if same[name] and different[name]]
    if not having:
        return None
    found = summarise({name: same[name] for name in having}, {name: different[name] for name in having}, np.inf)
    return {"cllr": found.cllr.mean, "low": found.cllr.low, "high": found.cllr.high, "cllr_min": found.cllr_min}


def _given(found: Iterable[Verification]) -> tuple[float, ...]:
    return tuple(one.llr for one in found if one.llr is not None)


def _share(found: Sequence[Verification], decision: str) -> float:
    return float(np.mean([one.decision == decision for one in found]))


def blocks(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """Disjoint parts of so many; what is left over is in none."""
    return [rows[at : at + size] for at in range(0, len(rows) - size + 1, size)]


def _once(bed: Bed) -> _Reading:
    """Reads the set encoder's fingerprints of the bed when they are first wanted."""
    return cache(lambda: bed.read(bed.model.fingerprinter))
