"""Writes docs/ablations.md: what the encoder's parts are worth, one changed at a time.

    python benchmarks/ablations.py --real clothing32.npz --more tinyimagenet32.npz --wild FOLDER --why "..."

Only what needs no training anew is changed: what is read of the tower, what is made of it, and how sets are compared. The tower
without training is one with random weights. Choices are made on the shipped generators; the third-party sources are only looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import ROOT, collections, log_wild_run, parser, provenance

from genprint.baselines.vote import Vote
from genprint.encoder.encoder import SetEncoder
from genprint.encoder.network import SetNetwork
from genprint.encoder.training.pretraining import (
    FEATURES,
    FRONT_ENDS,
    PROJECTION_IMAGES,
    PROJECTION_SOURCES,
    first_layers,
    simulated_fingerprints,
    split,
)
from genprint.evaluation.attributability import Rate, paired, top1
from genprint.fingerprints.fingerprint import Fingerprint, by_part
from genprint.generators.collection import describe, shipped
from genprint.images.sets import ImageSet
from genprint.scoring.base import ByScorer, Comparer
from genprint.scoring.lda import LDA
from genprint.scoring.plda import PLDA

SIZES, ENROLLED, REPEATS = (1, 10), 32, 3
SOURCES = (100, 400, 1600, PROJECTION_SOURCES)
_PAGE = """# What the parts are worth

Written by `benchmarks/ablations.py`. {provenance}

Top-1 in percent by images in the probe, {enrolled} enrolled, {reference} shipped generators and real images, and {wild} third-party sources; 95 % intervals by
bootstrap over sources. *Paired*: the difference to the first row at 10 images, source by source. One thing is changed in each row.

| | reference @1 | @10 | paired | third-party @1 | @10 | paired |
| --- | --- | --- | --- | --- | --- | --- |
{rows}

The *projection* takes {statistics} statistics of an image by each tower (mean and standard deviation of every map of every layer; their ratio and logarithm, which are
*relative*; correlations between the maps of the first two, and of these with the pixel *phases*: parity of row, of column, of both) to the directions that tell simulated sources apart best; *scorer* and projection are learned from simulated sources alone. *Vote*: the mean log ratio of single
images in place of that of the set. *LDA*: covariance from the enrolled images alone.

## Real generators beside simulated sources

Projection and scorer also from {train} shipped generators, those of the train split: how they differ is added to how simulated sources do, and how
images of one of them vary has the share given. Top-1 of the other shipped generators, by split, and of third-party sources; *paired* to the first row.

| | calibration @1 | @10 | paired | test @1 | @10 | paired | third-party @1 | @10 | paired |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
{real}
"""


def statistics_of(encoder: SetEncoder) -> SetEncoder:
    """The encoder with all statistics of its towers as features."""
    for tower in encoder.network.towers:
        tower.project = torch.nn.Identity()  # type: ignore[assignment]
    encoder.network.eval()
    return encoder


def parts() -> dict[str, list[str]]:
    """Names of the shipped generators of each split, descendants apart."""
    about = {folder.name: describe(folder) for folder in shipped()}
    return {
        part: [name for name, facts in about.items() if facts["part"] == part and not facts["parent"]]
        for part in ("train", "calibration", "test")
    }


def untrained() -> SetEncoder:
    """Towers with random weights, their normalisation at rest."""
    torch.manual_seed(0)
    encoder = SetEncoder()
    encoder.network_ = first_layers(FRONT_ENDS, SetNetwork(front_ends=FRONT_ENDS).towers)
    return encoder


@dataclass(frozen=True)
class SourceMoments:
    """What a scorer is learned from: of each source, its mean and number of images; of some first ones, their scatter."""

    means: np.ndarray
    counts: np.ndarray
    scatter: dict[int, np.ndarray]

    @classmethod
    def of(cls, fingerprints: Mapping[str, Fingerprint], sources: Sequence[int]) -> SourceMoments:
        """Of all sources; scatter of the first so many, the last number being that of all."""
        features = [fingerprint.values for fingerprint in fingerprints.values()]
        means = np.stack([values.mean(0, dtype=np.float64) for values in features])
        total, scatter = np.zeros((means.shape[1],) * 2), {}
        for first, last in pairwise([0, *sources]):
            for at in range(first, last, 100):
                chosen = range(at, min(at + 100, last))
                centred = np.concatenate([features[i] - means[i] for i in chosen])
                total += centred.T @ centred
            scatter[last] = total.copy()
        return cls(means, np.array([len(values) for values in features]), scatter)

    def scorer(self, sources: int, columns: Sequence[np.ndarray]) -> PLDA:
        """Of the first so many sources, and these statistics of each part."""
        scatter = np.stack([self.scatter[sources][np.ix_(part, part)] for part in columns])
        return PLDA.from_moments(self.means[:sources, np.concatenate(columns)], self.counts[:sources], scatter)


@dataclass(frozen=True)
class World:
    """Statistics of everything that a row needs, one tower's after the other's."""

    simulated: SourceMoments
    trained: SourceMoments
    reference: dict[str, Fingerprint]
    wild: dict[str, Fingerprint]

    @classmethod
    def see(cls, encoder: SetEncoder, real: list[np.ndarray], reference: list[ImageSet], wild: list[ImageSet]) -> World:
        """Looks at all images once."""
        statistics_of(encoder)
        with torch.inference_mode():
            simulated = simulated_fingerprints(encoder, split(real)[0], PROJECTION_SOURCES, 3, PROJECTION_IMAGES)
        seen = [{images.name: encoder.extract(images) for images in sets} for sets in (reference, wild)]
        train = {name: seen[0][name] for name in parts()["train"]}
        return cls(SourceMoments.of(simulated, SOURCES), SourceMoments.of(train, [len(train)]), *seen)


@dataclass(frozen=True)
class Cell:
    """One way to make fingerprints of statistics.

    Attributes:
        towers: whose statistics count.
        together: whether how statistics of one tower vary with those of another counts too.
        columns: of a tower's statistics; None: all.
        sources: simulated, that projection and scorer are learned from.
        directions: kept of each part; 0: no projection at all, the statistics themselves.
        compare: what compares sets, from the scorer.
        between: weight of how the train split's generators differ, added to how simulated sources do.
        within: share of how images of one of these vary.
    """

    towers: tuple[int, ...] = (0, 1)
    together: bool = False
    columns: np.ndarray | None = None
    sources: int = PROJECTION_SOURCES
    directions: int = FEATURES
    compare: Callable[[PLDA], Comparer] = ByScorer
    between: float = 0.0
    within: float = 0.0

    def rates(self, world: World, asked: Sequence[Mapping[str, Fingerprint]]) -> Iterator[dict[int, Rate]]:
        """On each collection of sources."""
        columns = self._columns(world.simulated.means.shape[1])
        scorer = world.simulated.scorer(self.sources, columns)
        if self.between or self.within:
            real = world.trained.scorer(len(world.trained.means), columns)
            within = (1 - self.within) * scorer.within + self.within * real.within
            scorer = PLDA(scorer.mean, within, scorer.between + self.between * real.between)
        change = _picked(np.concatenate(columns))
        if self.directions:
            directions = scorer.directions()[:, :, : self.directions]
            change = _along(np.concatenate(columns), scorer.mean, directions)
            scorer = scorer.along(directions)
        comparer = self.compare(scorer)
        for fingerprints in asked:
            changed = {
                name: replace(given, features=change(given.values), extractor="", parts=len(columns))
                for name, given in fingerprints.items()
            }
            yield top1(changed, comparer, ENROLLED, SIZES, REPEATS, 0)

    def _columns(self, statistics: int) -> list[np.ndarray]:
        """Places of each part's statistics among those of all towers."""
        size = statistics // len(FRONT_ENDS)
        chosen = np.arange(size) if self.columns is None else self.columns
        by_tower = [tower * size + chosen for tower in self.towers]
        return [np.concatenate(by_tower)] if self.together else by_tower


Reading = Callable[[np.ndarray], np.ndarray]


def _picked(columns: np.ndarray) -> Reading:
    """These statistics as they are."""
    return lambda values: values[:, columns]


def _along(columns: np.ndarray, mean: np.ndarray, directions: np.ndarray) -> Reading:
    """These statistics along directions of each part."""

    def read(values: np.ndarray) -> np.ndarray:
        along = by_part(values[:, columns] - mean, len(directions)) @ directions
        return along.swapaxes(0, 1).reshape(len(values), -1).astype(np.float32)

    return read


class _Unadapted(PLDA):
    """Keeps to the within-source covariance of simulated sources."""

    def adapt(self, gallery: object) -> _Unadapted:
        return self


def _unadapted(scorer: PLDA) -> Comparer:
    return ByScorer(_Unadapted(scorer.mean, scorer.within, scorer.between))


@dataclass(frozen=True)
class Columns:
    """Which statistics are what: of each layer, moments, these relative and (none of later layers) correlations, phases."""

    means: list[np.ndarray]
    spreads: list[np.ndarray]
    relative: list[np.ndarray]
    pairs: list[np.ndarray]
    phases: list[np.ndarray]

    @property
    def kinds(self) -> tuple[list[np.ndarray], ...]:
        """In the order in which a layer gives them."""
        return self.means, self.spreads, self.relative, self.pairs, self.phases

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Columns:
        columns, at = cls([], [], [], [], []), 0
        for i, maps in enumerate(config["channels"]):
            more = (maps * (maps - 1) // 2, 3 * maps) if i < config["correlated"] else (0, 0)
            sizes = maps, maps, 2 * maps, *more
            for kind, size in zip(columns.kinds, sizes, strict=True):
                kind.append(np.arange(at, at + size))
                at += size
        return columns

    def layers(self, first: int, last: int) -> np.ndarray:
        """All that some layers give, the first counted from 1."""
        return np.concatenate([part for kind in self.kinds for part in kind[first - 1 : last]])


def cells(columns: Columns) -> dict[str, Cell]:
    """All rows that read a trained tower."""
    moments = [*columns.means, *columns.spreads]
    return {
        "two towers, scorer from the projections' sources": Cell(),
        "pixels and residual alone": Cell(towers=(0,)),
        "residual alone": Cell(towers=(1,)),
        "both towers' features as one part": Cell(together=True, directions=2 * FEATURES),
        **{f"projection and scorer from {n} sources": Cell(sources=n) for n in SOURCES[:-1]},
        **{f"{n} directions": Cell(directions=n) for n in (160, 320, 512, 1200)},
        "no projection": Cell(directions=0),
        **{f"layers 1 to {n} alone": Cell(columns=columns.layers(1, n)) for n in (1, 2, 3)},
        "layer 4 alone": Cell(columns=columns.layers(4, 4)),
        "nothing relative": Cell(columns=np.concatenate([*moments, *columns.pairs, *columns.phases])),
        "no correlations of maps": Cell(columns=np.concatenate([*moments, *columns.relative, *columns.phases])),
        "no phases": Cell(columns=np.concatenate([*moments, *columns.relative, *columns.pairs])),
        "correlations of maps alone": Cell(columns=np.concatenate(columns.pairs)),
        "scorer not adapted to the enrolled images": Cell(compare=_unadapted),
        "LDA": Cell(compare=lambda _: ByScorer(LDA())),
        "vote": Cell(compare=lambda scorer: Vote(ByScorer(scorer))),
    }  # fmt: skip


REAL = {
    "simulated sources alone": Cell(),
    "how they differ": Cell(between=1.0),
    "how they differ, threefold": Cell(between=3.0),
    "how their images vary, 30 %": Cell(within=0.3),
    "both": Cell(between=1.0, within=0.3),
}


def _row(what: str, rates: list[dict[int, Rate]], first: list[dict[int, Rate]]) -> str:
    row = []
    for found, base in zip(rates, first, strict=True):
        row += [f"{100 * found[n].mean:.1f} [{100 * found[n].low:.0f}, {100 * found[n].high:.0f}]" for n in SIZES]
        row.append("{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * x for x in paired(found[10], base[10]).difference)))
    return f"| {what} | " + " | ".join(row) + " |"


def _rows(
    table: Mapping[str, Cell], world: World, asked: Sequence[Mapping[str, Fingerprint]]
) -> tuple[list[str], list[dict[int, Rate]]]:
    """Lines of a table, and the rates of its first row, which the others are paired with."""
    rows: list[str] = []
    first: list[dict[int, Rate]] = []
    for what, cell in table.items():
        rates = list(cell.rates(world, asked))
        first = first or rates
        rows.append(_row(what, rates, first))
        print(rows[-1], flush=True)
    return rows, first


def main() -> None:
    """Measures and writes."""
    options = parser(__doc__)
    options.add_argument(
        "--more", type=Path, required=True, help="the other real images that the encoder was trained on"
    )
    given = options.parse_args()
    start = time.monotonic()
    real = [np.load(path)["images"] for path in (given.real, given.more)]
    reference, wild = collections(given.real, given.wild).values()
    encoder = SetEncoder.from_pretrained()
    log_wild_run(given.wild.name, "ablations", given.why)
    world = World.see(encoder, real, reference, wild)
    rows, first = _rows(cells(Columns.of(encoder.network.config)), world, (world.reference, world.wild))
    split_of = parts()
    others = [{name: world.reference[name] for name in split_of[part]} for part in ("calibration", "test")]
    real_rows, _ = _rows(REAL, world, (*others, world.wild))
    random = World.see(untrained(), real, reference, wild)
    rows.append(_row("towers not trained", list(Cell().rates(random, (random.reference, random.wild))), first))
    page = _PAGE.format(
        provenance=provenance(0, start), enrolled=ENROLLED, reference=len(reference) - 1, wild=len(wild), rows="\n".join(rows),
        statistics=world.simulated.means.shape[1] // len(FRONT_ENDS), train=len(split_of["train"]), real="\n".join(real_rows),
    )  # fmt: skip
    (ROOT / "docs/ablations.md").write_text(page)


if __name__ == "__main__":
    main()
