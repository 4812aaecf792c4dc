"""Writes docs/survival.md: whether answers survive deliveries and the loss of images, and whether expectations hold.

    python benchmarks/survival.py --wild FOLDER --why REASON [--galleries 24] [--cache FILE]

Galleries are drawn at random of third-party sources (FOLDER, 32 px) and of shipped generators without descendants. First small ones at
a generous rate, so that there are false attributions enough to say what stress does to them; then galleries of 6 to 19
sources at the usual rate, whose expectations are compared with what their answers turn out to be.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from common import ROOT, log_wild_run, provenance

from genprint.answers.attribution import Identifier
from genprint.answers.expected import Expected
from genprint.answers.held_back import expected
from genprint.answers.results import ATTRIBUTED, plain_values
from genprint.answers.stressing import Asking, stressed
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.sets import ImageSet, read_sources
from genprint.model import Model

#: Of small galleries: sources, images of each, images in a probe, the rate; and of unknown sources, how many are asked.
SMALL, FEW, SIZES, GENEROUS, UNKNOWN = (6, 4, 8), 24, (10, 5), 0.3, 10
#: Of the others.
LARGE, ENROLLED, ASKED, RATE, PARTS = (9, 15, 6, 12, 19), 32, (10, 5), 0.1, 2
_DRAWN = 52  # images of a generator


@dataclass(frozen=True)
class Pool:
    """Sources to draw galleries of, with their images."""

    name: str
    images: Mapping[str, ImageSet]
    fingerprints: Mapping[str, Fingerprint]


@dataclass(frozen=True)
class Drawn:
    """A gallery, and the rest of its sources' images and of others."""

    pool: Pool
    identifier: Identifier
    left: Mapping[str, Fingerprint]

    def probe(self, source: str, size: int, number: int = 0) -> Fingerprint | None:
        """One of the disjoint probes of a source; None where there are no images left."""
        own = self.left[source]
        chosen = np.arange(number * size, (number + 1) * size)
        return own[chosen] if len(own) > chosen[-1] else None


def drawn(model: Model, pool: Pool, sources: int, images: int, rate: float, seed: Sequence[int]) -> Drawn:
    """A gallery of so many sources at random, and so many images of each."""
    rng = np.random.default_rng(seed)
    names = [str(name) for name in rng.permutation(sorted(pool.fingerprints))]
    rows = {name: rng.permutation(len(pool.fingerprints[name])) for name in names}
    known = {name: pool.fingerprints[name][rows[name][:images]] for name in names[:sources]}
    left = {name: pool.fingerprints[name][rows[name][images if name in known else 0 :]] for name in names}
    return Drawn(pool, Identifier(model, known, rate), left)


def attributions(model: Model, pool: Pool, number: int, seed: int) -> Iterator[dict[str, object]]:
    """Attributions of one small gallery under stress."""
    count, size = SMALL[number % len(SMALL)], SIZES[number // len(SMALL) % len(SIZES)]
    gallery = drawn(model, pool, count, FEW, GENEROUS, [seed, number])
    known = gallery.identifier.known
    unknown = [name for name in gallery.left if name not in known][:UNKNOWN]
    asking = Asking(model.fingerprint, gallery.identifier.identify)
    for owner in (*known, *unknown):
        if (probe := gallery.probe(owner, size)) is None:
            continue
        answer = gallery.identifier.identify(probe, weigh=False)
        if answer.decision == ATTRIBUTED:
            start = time.process_time()
            found = stressed(answer, pool.images[owner], probe, asking)
            assert found.stress is not None
            yield {
                "pool": pool.name, "sources": count, "size": size, "owner": owner, "enrolled": owner in known,
                "source": answer.source, "stress": plain_values(found.stress), "seconds": time.process_time() - start,
            }  # fmt: skip


def expectations(model: Model, pool: Pool, number: int, seed: int) -> dict[str, object]:
    """What one larger gallery expects, and how probes turn out."""
    count, size = LARGE[number % len(LARGE)], ASKED[number // len(LARGE) % len(ASKED)]
    gallery = drawn(model, pool, count, ENROLLED, RATE, [seed, 1, number])
    said: Expected | None = None
    answers: dict[bool, list[str]] = {True: [], False: []}
    seconds = {"first": 0.0, "expected": 0.0, "again": 0.0, "expected again": 0.0}
    for owner, part in product(gallery.left, range(PARTS)):
        if (probe := gallery.probe(owner, size, part)) is None:
            continue
        start = time.process_time()
        answer = gallery.identifier.identify(probe)
        middle = time.process_time()
        again = "" if said is None else " again"
        said = expected(gallery.identifier, answer)
        seconds["again" if again else "first"] += middle - start
        seconds["expected" + again] += time.process_time() - middle
        answers[owner in gallery.identifier.known].append(
            ("right" if answer.source == owner else "wrong") if answer.source else "none"
        )
    return {
        "pool": pool.name, "sources": count, "size": size, "expected": plain_values(said), "seconds": seconds,
        "known": answers[True], "unknown": answers[False],
    }  # fmt: skip


def pools(model: Model, wild: Path, only: Sequence[str]) -> Iterator[Pool]:
    """The sources of both kinds."""
    for name in only:
        sets = read_sources(wild) if name == "third-party" else [
            ImageSet.from_array(sample(load(one)[0], one.name, _DRAWN), one.name)
            for one in shipped() if not describe(one)["parent"]
        ]  # fmt: skip
        images = {one.name: one for one in sets}
        yield Pool(name, images, {one.name: model.fingerprint(one) for one in sets})


def main() -> None:
    """Asks, and writes what was found."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--wild", type=Path, required=True)
    options.add_argument("--why", required=True, help="why the wild set is looked at again")
    options.add_argument("--galleries", type=int, default=24, help="small ones of each kind of sources")
    options.add_argument("--cache", type=Path)
    options.add_argument("--large", type=int, default=15)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--raw", type=Path)
    options.add_argument("--pools", nargs="+", default=["third-party", "shipped"])
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kept = None if given.cache is None else Cache(given.cache)
        model = replace(Model.load(), cache=kept or Cache(Path(folder) / "features"))
        out = given.raw.open("a")
        every = list(pools(model, given.wild, given.pools))
        for number in range(given.galleries):
            for pool in every:
                for row in attributions(model, pool, number, given.seed):
                    out.write(json.dumps({"kind": "stress", **row}) + "\n"); out.flush()
                if given.large > number:
                    out.write(json.dumps({"kind": "expected", **expectations(model, pool, number, given.seed)}) + "\n"); out.flush()


if __name__ == "__main__":
    main()
