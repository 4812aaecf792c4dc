"""Writes docs/survival.md: whether answers survive deliveries and the loss of images, and whether expectations hold.

    python benchmarks/survival.py --wild FOLDER --rows FILE --why REASON [--galleries 30] [--cache FILE]

Galleries are drawn at random of third-party sources (FOLDER, 32 px) and of shipped generators without descendants. Small ones
at a generous rate make false attributions enough to say what stress does to them; what others expect of their answers, at the
usual rate, is compared with what comes of them. FILE gets a line for each answer as it is found; asked again for more galleries, it goes on
after those that are there, and the page is written of all lines.
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
from typing import Any

import numpy as np
from common import ROOT, log_wild_run, provenance

from genprint.answers.attribution import Identifier
from genprint.answers.held_back import expected
from genprint.answers.results import ATTRIBUTED, plain_values
from genprint.answers.stressing import CONFIRMED, Asking, stressed
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model

#: Of small galleries: sources, images of each, images in a probe, the rate; how many others are asked.
SMALL, FEW, SIZES, GENEROUS, UNKNOWN = (4, 6, 8), 24, (2, 5, 10), 0.3, 10
#: Of the others.
LARGE, ENROLLED, ASKED, RATE, PARTS = (9, 15, 6, 12, 19), 32, (10, 5), 0.1, 2
STRESS, EXPECTED = "stress", "expected"
_DRAWN = 52  # images of a generator

Row = dict[str, Any]
_PAGE = """# Does an answer survive, and does it come as expected?

Written by `benchmarks/survival.py`. {made}

Sources are 19 third-party ones of CIFAR-10 (18 generators and real images) and, where a row says so, shipped
generators without descendants, images of 32 px. Images are divided into enrolled ones and probes; galleries are drawn at random, many of the same few
sources, so that their answers are not independent.

## Under stress

{galleries} galleries of 4 to 8 sources, {few} images each, at a rate of false attributions of {generous}: a generous one, so that there are enough of
them. Every attribution of a probe of 2, 5 or 10 images was asked for again after JPEG 90, JPEG 75, WebP 80 and a crop by one pixel, and by
random parts of two thirds of its images, 20 at most. It becomes *inconclusive* if a part is attributed to another source, or if all the images are after a delivery and
nine in ten parts of these delivered images are as well.

{stress}

Right attributions after each delivery:

{deliveries}

Stress takes {seconds:.1f} s of processor time in the median, where the gallery was asked in those conditions before; the first
time, each delivery takes a pass over up to 32 images of each enrolled source beside.

## What to expect

{larger} galleries of 6 to 19 sources, {enrolled} images each, at a rate of {rate}. *Expected* is what the gallery says of its own sets; *observed*, what fresh
probes of the enrolled sources and of others came to. Sets that are held back cost their source images that a probe does not; what that
costs is extrapolated; without that, expectations were about half of what was observed (28 % for 53 % of 531 probes).

{calibration}

With its expectation, the first answer in a condition for a number of images takes {first:.2f} times the processor time, every later one {again:.3f} times.
"""


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


def attributions(model: Model, pool: Pool, number: int, seed: int) -> Iterator[Row]:
    """Attributions of one small gallery under stress."""
    count, size = SMALL[number % len(SMALL)], SIZES[number // len(SMALL) % len(SIZES)]
    gallery = drawn(model, pool, count, FEW, GENEROUS, [seed, number])
    known = gallery.identifier.known
    unknown = [name for name in gallery.left if name not in known][:UNKNOWN]
    asking = Asking(model.fingerprint, gallery.identifier.identify)
    for owner in (*known, *unknown):
        if (probe := gallery.probe(owner, size)) is None:
            continue
        answer = gallery.identifier.identify(probe, grown=False)
        if answer.decision == ATTRIBUTED:
            start = time.process_time()
            found = stressed(answer, pool.images[owner], probe, asking)
            assert found.stress is not None
            yield {
                "pool": pool.name, "sources": count, "size": size, "owner": owner, "enrolled": owner in known,
                "source": answer.source, "stress": plain_values(found.stress), "seconds": time.process_time() - start,
            }  # fmt: skip


def expectations(model: Model, pool: Pool, number: int, seed: int) -> Row:
    """What one larger gallery expects of each answer, and what the answer is."""
    count, size = LARGE[number % len(LARGE)], ASKED[number // len(LARGE) % len(ASKED)]
    gallery = drawn(model, pool, count, ENROLLED, RATE, [seed, 1, number])
    answers: list[Row] = []
    for owner, part in product(gallery.left, range(PARTS)):
        if (probe := gallery.probe(owner, size, part)) is None:
            continue
        start = time.process_time()
        answer = gallery.identifier.identify(probe)
        middle = time.process_time()
        said = expected(gallery.identifier, answer)
        if said and said.enough:
            known = owner in gallery.identifier.known
            answers.append(
                {
                    "enrolled": known, "attributed": answer.source is not None, "right": answer.source == owner,
                    "condition": answer.condition, "answer": middle - start, "expectation": time.process_time() - middle,
                    "expected": said.right / said.sets if known else said.attributed / said.unknown_sets,
                }
            )  # fmt: skip
    return {"pool": pool.name, "sources": count, "size": size, "answers": answers}


def pools(model: Model, wild: Path) -> Iterator[Pool]:
    """The sources of both kinds."""
    made = [
        ImageSet.from_array(sample(load(one)[0], one.name, _DRAWN), one.name)
        for one in shipped() if not describe(one)["parent"]
    ]  # fmt: skip
    for name, sets in (("third-party", read_sources(wild)), ("shipped", made)):
        yield Pool(name, {one.name: one for one in sets}, {one.name: model.fingerprint(one) for one in sets})


def found(model: Model, pool: Pool, number: int, kind: str, seed: int) -> Iterator[Row]:
    """All rows of a kind and number."""
    rows = attributions(model, pool, number, seed) if kind == STRESS else [expectations(model, pool, number, seed)]
    yield from ({"kind": kind, "number": number, **row} for row in rows)


def kind_of(row: Row) -> str:
    """What an attribution was."""
    if not row["enrolled"]:
        return "false: its source is not enrolled"
    return "right" if row["source"] == row["owner"] else "wrong: another source's"


def under_stress(rows: Sequence[Row]) -> str:
    """What became of attributions, by what they were."""
    lines = [
        "| sources | attribution | number | inconclusive | by a delivery | by parts | another source after a delivery, "
        "confirmed or not | would not survive some delivery |",
        "|" + " --- |" * 8,
    ]
    for pool, kind in sorted({(row["pool"], kind_of(row)) for row in rows}):
        own = [row for row in rows if (row["pool"], kind_of(row)) == (pool, kind)]
        counts = [
            len(own),
            sum(turned(row) for row in own),
            sum(any(confirmed(one) for one in others(row)) for row in own),
            sum(bool(row["stress"]["draws"]["attributed"].keys() - {row["source"]}) for row in own),
            sum(bool(others(row)) for row in own),
            sum(any(one["source"] is None for one in row["stress"]["deliveries"]) for row in own),
        ]
        lines.append(f"| {pool} | {kind} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)


def turned(row: Row) -> bool:
    """Whether the answer is inconclusive."""
    parts = row["stress"]["draws"]
    by_parts = bool(parts and parts["attributed"].keys() - {row["source"]})
    return by_parts or any(confirmed(one) for one in others(row))


def others(row: Row) -> list[Row]:
    """Deliveries after which another source is named."""
    return [one for one in row["stress"]["deliveries"] if one["source"] not in (None, row["source"])]


def confirmed(delivery: Row) -> bool:
    """As the answer has it."""
    draws = delivery["draws"]
    return draws is None or draws["attributed"].get(delivery["source"], 0) >= CONFIRMED * draws["count"]


def by_delivery(rows: Sequence[Row]) -> str:
    """How many right attributions come out how after each delivery."""
    lines = [
        "| sources | delivery | right attributions | the same | unknown or inconclusive | another source |",
        "|" + " --- |" * 6,
    ]
    right = [row for row in rows if kind_of(row) == "right"]
    for pool, name in dict.fromkeys((row["pool"], one["name"]) for row in right for one in row["stress"]["deliveries"]):
        came = [
            (one["source"], row["source"])
            for row in right if row["pool"] == pool for one in row["stress"]["deliveries"] if one["name"] == name
        ]  # fmt: skip
        same, none = sum(then == now for then, now in came), sum(then is None for then, _ in came)
        lines.append(f"| {pool} | {name} | {len(came)} | {same} | {none} | {len(came) - same - none} |")
    return "\n".join(lines)


def calibration(rows: Sequence[Row]) -> str:
    """Expected against observed, of all galleries of a kind and size together."""
    lines = [
        "| sources | images in a probe | galleries | probes of enrolled sources | expected right | observed right "
        "| probes of others | expected attributed | observed attributed |",
        "|" + " --- |" * 9,
    ]
    for pool, size in sorted({(row["pool"], row["size"]) for row in rows}):
        own = [row for row in rows if (row["pool"], row["size"]) == (pool, size)]
        cells: list[str] = [str(len(own))]
        for enrolled, what in ((True, "right"), (False, "attributed")):
            asked = [one for row in own for one in row["answers"] if one["enrolled"] == enrolled]
            cells.append(str(len(asked)))
            cells += [f"{sum(one[key] for one in asked) / max(1, len(asked)):.0%}" for key in ("expected", what)]
        lines.append(f"| {pool} | {size} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cost(rows: Sequence[Row]) -> tuple[float, float]:
    """Processor time of answers with an expectation over that without, the first in a condition and all later ones."""
    spent = np.zeros((2, 2))
    for row in rows:
        seen: set[str] = set()
        for one in row["answers"]:
            spent[int(one["condition"] in seen)] += one["answer"], one["expectation"]
            seen.add(one["condition"])
    first, again = 1 + spent[:, 1] / spent[:, 0]
    return float(first), float(again)


def page(rows: Sequence[Row], made: str) -> str:
    """The whole page."""
    stress = [row for row in rows if row["kind"] == STRESS]
    larger = [row for row in rows if row["kind"] == EXPECTED]
    first, again = cost(larger)
    return _PAGE.format(
        made=made, stress=under_stress(stress), deliveries=by_delivery(stress), calibration=calibration(larger), few=FEW,
        generous=GENEROUS, rate=RATE, enrolled=ENROLLED, seconds=float(np.median([row["seconds"] for row in stress if "seconds" in row])),
        first=first, again=again, larger=len(larger), galleries=len({(row["pool"], row["number"]) for row in stress}),
    )  # fmt: skip


def main() -> None:
    """Asks, and writes the page."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--wild", type=Path, required=True)
    options.add_argument("--rows", type=Path, required=True)
    options.add_argument("--why", required=True, help="why the wild set is looked at again")
    options.add_argument("--galleries", type=int, default=30, help="of each kind of sources; 0: only write the page")
    options.add_argument("--cache", type=Path)
    options.add_argument("--seed", type=int, default=0)
    given, start = options.parse_args(), time.monotonic()
    rows = [json.loads(line) for line in given.rows.read_text().splitlines()] if given.rows.exists() else []
    done = {(row["kind"], row["pool"], row["number"]) for row in rows}
    with tempfile.TemporaryDirectory() as folder, given.rows.open("a") as file:
        model = replace(Model.load(), cache=Cache(given.cache or Path(folder) / "features"))
        if given.galleries:
            log_wild_run("cifar10", "survival", given.why)
            every = list(pools(model, given.wild))
            for number, pool, kind in product(range(given.galleries), every, (STRESS, EXPECTED)):
                if (kind, pool.name, number) not in done:
                    fresh = list(found(model, pool, number, kind, given.seed))
                    rows += fresh
                    file.writelines(json.dumps(row) + "\n" for row in fresh)
                    file.flush()
        (ROOT / "docs/survival.md").write_text(page(rows, provenance(given.seed, start, model.identity)))


if __name__ == "__main__":
    main()
