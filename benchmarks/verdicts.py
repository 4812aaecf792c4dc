"""Whether an answer and its likelihood ratio point the same way: hundreds of answers of galleries of many sizes.

    python benchmarks/verdicts.py --wild FOLDER [--answers 600]

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

import numpy as np
from common import provenance

from genprint.answers.attribution import Identifier
from genprint.answers.results import ATTRIBUTED, UNKNOWN, Attribution
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.generators.collection import load, sample, shipped
from genprint.images.sets import ImageSet, read_sources
from genprint.model import Model

SOURCES, IMAGES, SIZES = (3, 4, 5, 8, 10, 16, 24, 33), (2, 4, 8, 16, 32, 64), (1, 2, 5, 10, 20)
RATE, _EACH, _DRAWN = 0.1, 3, 120
#: From so many sources and images on, nearly every answer is to have a ratio.
WELL = 10, 16


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


def main() -> None:
    """Asks and prints."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--wild", type=Path, required=True)
    options.add_argument("--answers", type=int, default=600)
    options.add_argument("--seed", type=int, default=0)
    given, start = options.parse_args(), time.monotonic()
    model = Model.load()
    made = [ImageSet.from_array(sample(load(one)[0], one.name, _DRAWN), one.name) for one in shipped()]
    pools = {
        name: {images.name: model.fingerprint(images) for images in sets}
        for name, sets in (("shipped", made), ("third-party", read_sources(given.wild)))
    }
    found = list(asked(model, pools, given.answers, given.seed))
    print(table(found))
    print(provenance(given.seed, start, model.identity))


if __name__ == "__main__":
    main()
