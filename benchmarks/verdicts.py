"""Whether an answer and its likelihood ratio agree, and how many sources a ratio takes. Writes docs/verdicts.md.

    python benchmarks/verdicts.py --wild FOLDER --why "..."

Galleries of 3 to 33 sources and 2 to 64 images each, of shipped generators and of third-party sources (FOLDER, 32 px), are asked with
sets of 1 to 20 images of sources that are enrolled and of others.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
from common import ROOT, log_wild_run, provenance

from genprint.answers.attribution import Identifier
from genprint.answers.results import ATTRIBUTED, UNKNOWN, Attribution
from genprint.evaluation.calibration import cost
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.gallery.enrolled import Enrolled
from genprint.generators.collection import load, sample, shipped
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring import likelihood_ratio
from genprint.scoring.thresholds import disjoint_subsets

SOURCES, IMAGES, SIZES = (3, 4, 5, 8, 10, 16, 24, 33), (2, 4, 8, 16, 32, 64), (1, 2, 5, 10, 20)
RATE, _EACH, _DRAWN = 0.1, 3, 120
#: From so many sources and images on, nearly every answer is to have a ratio.
WELL = 10, 16
#: Sources of galleries whose ratios are measured, and images of each with those of a probe.
COUNTS, ASKED = (3, 4, 5, 6, 8, 10, 14), ((16, 5), (32, 10))
_STRANGERS = 6

_PAGE = """# Answers and their likelihood ratios

Written by `benchmarks/verdicts.py`; the encoder has seen none of these generators. {provenance}

## Do they agree?

Galleries of {sources} sources and {images} images of each, drawn at random, asked with sets of {sizes} images at a rate of {rate:.0f} %, half of
them of sources that are not enrolled. *Well*: {well[0]} sources or more with {well[1]} images or more. *Contradict*: attributed beside a ratio
below 1, or unknown beside one above 1.

{agree}

## How many sources does a ratio take?

{galleries} galleries a row. *Own*: cost of the ratios of probes for their own source; *strangers*: of probes of sources that are not enrolled, for the best
candidate; Cllr is the mean of both. 1 is the cost of saying nothing, so that more than 1 misleads. *Without the test*: where the exchangeability test is
no evidence, as with linear discriminants and with pictures that were matched. Answers have a ratio from {least[0]} sources on, without the test
from {least[1]} on.

{takes}
"""


@dataclass(frozen=True)
class Asked:
    """One answer, and what it was asked of.

    Attributes:
        pool: of sources.
        sources: enrolled.
        images: of each.
        owner: of the probe; None if it is not enrolled.
        answer: as it came.
    """

    pool: str
    sources: int
    images: int
    owner: str | None
    answer: Attribution

    @property
    def contradicts(self) -> bool:
        """Whether the ratio points the other way from the answer."""
        llr = self.answer.llr
        return llr is not None and (
            (self.answer.decision == ATTRIBUTED and llr < 0) or (self.answer.decision == UNKNOWN and llr > 0)
        )


def asked(model: Model, pools: Mapping[str, Mapping[str, Fingerprint]], answers: int, seed: int) -> Iterator[Asked]:
    """Answers of galleries that are drawn at random."""
    made, repeat = 0, 0
    while made < answers:
        rng = np.random.default_rng([seed, repeat])
        repeat += 1
        pool = sorted(pools)[repeat % len(pools)]
        count, images = int(rng.choice(SOURCES)), int(rng.choice(IMAGES))
        names = [name for name, own in pools[pool].items() if len(own) >= images + max(SIZES)]
        if len(names) < count + _EACH:
            continue
        order = [names[i] for i in rng.permutation(len(names))]
        rows = {name: rng.permutation(len(pools[pool][name])) for name in order}
        known = {name: pools[pool][name][rows[name][:images]] for name in order[:count]}
        identifier = Identifier(model, known, RATE)
        for name in (*order[:_EACH], *order[count : count + _EACH]):
            size = int(rng.choice(SIZES))
            probe = pools[pool][name][rows[name][images : images + size]]
            yield Asked(pool, count, images, name if name in known else None, identifier.identify(probe))
            made += 1


def table(found: list[Asked]) -> str:
    """Counts by pool and by whether the gallery is of enough sources and images."""
    lines = [
        "| pool | gallery | answers | attributed | right | false | unknown | of them enrolled | with a ratio | contradict |",
        "|" + " --- |" * 10,
    ]
    for pool in sorted({one.pool for one in found}):
        for title, of in (("well", True), ("small", False)):
            rows = [one for one in found if one.pool == pool and _well(one) == of]
            if rows:
                lines.append(f"| {pool} | {title} | {' | '.join(map(str, _counts(rows)))} |")
    return "\n".join(lines)


def _well(one: Asked) -> bool:
    return one.sources >= WELL[0] and one.images >= WELL[1]


def _counts(rows: list[Asked]) -> list[int]:
    decided = Counter(one.answer.decision for one in rows)
    attributed = [one for one in rows if one.answer.decision == ATTRIBUTED]
    return [
        len(rows), decided[ATTRIBUTED], sum(one.answer.source == one.owner for one in attributed),
        sum(one.answer.source != one.owner for one in attributed), decided[UNKNOWN],
        sum(one.answer.decision == UNKNOWN and one.owner is not None for one in rows),
        sum(one.answer.llr is not None for one in rows), sum(one.contradicts for one in rows),
    ]  # fmt: skip


def takes(model: Model, fingerprints: Mapping[str, Fingerprint], galleries: int, seed: int) -> Iterator[list[object]]:
    """Rows by images enrolled and asked, number of sources, and whether with the test."""
    for (enrolled, size), count in [(asked, count) for asked in ASKED for count in COUNTS]:
        names = [name for name, own in fingerprints.items() if len(own) >= enrolled + size]
        rng = np.random.default_rng([seed, enrolled, count])
        costs: dict[tuple[bool, bool], list[float]] = {}
        for _ in range(galleries):
            order = [names[i] for i in rng.permutation(len(names))]
            rows = {name: rng.permutation(len(fingerprints[name])) for name in order[: count + _STRANGERS]}
            gallery = Enrolled(model.scorer, [fingerprints[name][rows[name][:enrolled]] for name in order[:count]])
            for name, drawn in rows.items():
                for probe in disjoint_subsets(fingerprints[name][drawn[enrolled:]], size, 2, rng):
                    own = name in gallery.names
                    best = gallery.names.index(name) if own else int(gallery.known.llr([probe])[0].argmax())
                    for tested in (True, False):
                        system = gallery.ratios(tested)
                        calibrated = system.calibration(size)
                        assert calibrated
                        llr = calibrated.llr(system.features(probe, best))
                        costs.setdefault((tested, own), []).append(cost(llr if own else -llr))
        found = {key: float(np.mean(values)) for key, values in costs.items()}
        shown = [
            [(found[kind, True] + found[kind, False]) / 2, found[kind, True], found[kind, False]]
            for kind in (True, False)
        ]
        yield [enrolled, size, count, *(f"{value:.2f}" for kind in shown for value in kind)]


def main() -> None:
    """Asks, measures, writes the page and logs the look."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--wild", type=Path, required=True)
    options.add_argument("--why", required=True, help="why the wild set is looked at again")
    options.add_argument("--answers", type=int, default=600)
    options.add_argument("--galleries", type=int, default=12)
    options.add_argument("--seed", type=int, default=0)
    given, start = options.parse_args(), time.monotonic()
    model = Model.load()
    made = [ImageSet.from_array(sample(load(one)[0], one.name, _DRAWN), one.name) for one in shipped()]
    pools = {
        name: {images.name: model.fingerprint(images) for images in sets}
        for name, sets in (("shipped", made), ("third-party", read_sources(given.wild)))
    }
    agree = table(list(asked(model, pools, given.answers, given.seed)))
    print(agree, flush=True)
    columns = (
        "sources are", "images enrolled", "asked", "sources", "Cllr", "own", "strangers", "Cllr without the test", "own", "strangers"
    )  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    with patch.object(likelihood_ratio, "LEAST_UNTESTED", min(COUNTS)):  # fewer sources than answers ask for
        for name, fingerprints in pools.items():
            for row in takes(model, fingerprints, given.galleries, given.seed):
                lines.append(f"| {name} | {' | '.join(map(str, row))} |")
                print(lines[-1], flush=True)
    page = _PAGE.format(
        provenance=provenance(given.seed, start, model.identity), sources=f"{SOURCES[0]} to {SOURCES[-1]}",
        images=f"{IMAGES[0]} to {IMAGES[-1]}", sizes=f"{SIZES[0]} to {SIZES[-1]}", rate=100 * RATE, well=WELL, agree=agree,
        galleries=given.galleries, least=(likelihood_ratio.LEAST, likelihood_ratio.LEAST_UNTESTED), takes="\n".join(lines),
    )  # fmt: skip
    (ROOT / "docs/verdicts.md").write_text(page)
    log_wild_run(given.wild.name, "answers and their ratios", given.why)


if __name__ == "__main__":
    main()
