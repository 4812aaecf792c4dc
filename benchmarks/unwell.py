"""What galleries that are not well do to answers, and what is told of them. Writes docs/unwell.md.

python benchmarks/unwell.py --wild FOLDER --why "..."
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
from common import ROOT, log_wild_run, provenance

from genprint.answering import Gallery
from genprint.answers import gallery_audit
from genprint.answers.attribution import Identifier
from genprint.answers.results import ATTRIBUTED
from genprint.evaluation.intervals import Mean, over_sources
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.modes import two_modes
from genprint.scoring.twins import Twins

ENROLLED, SIZE, RATE, MOST, PLANTED, ASKED = 32, 10, 0.1, 3, 1, 12
IMAGES = 128  # of each shipped generator
TWIN, MIXTURE = "twin", "mixture"
# What was published as one source, and by its own documents is several checkpoints.
SEVERAL = ("flow_glow_chrischute", "flow_realnvp_chrischute")
_PAGE = """# Galleries that are not well

Written by `benchmarks/unwell.py`; the encoder has seen no generator.
{provenance}

## What it does to answers

`genprint attribute` asked for a rate of {rate:.0%}: {enrolled} images enrolled of each source, up to {most} probes of {size} images of each.
*Falsely attributed*: of probes whose source is left out of the gallery; so is its twin, and the mixture with its images. *Right*: of probes of
enrolled sources; of a source with a twin, the answer that names both is right, too. *Apart*: each source counts by itself, as it was
before; *joined*: sources that share files, or that no test tells apart, count as one. {planted} of the sources has the twin, or is in the
mixture. {asked} sources are asked about, those among them; of one division of their images, so that rates are for comparing columns and not
those of [what answers are worth](evidence.md). Intervals of 95 % by bootstrap over sources.

| sources | gallery | threshold, apart | joined | falsely attributed, apart | joined | right, apart | joined |
| --- | --- | --- | --- | --- | --- | --- | --- |
{answers}

## Twins

Pairs of sources that count as one though they share no file, of disjoint images of one source (twins) and of two sources; {draws} draws.

| sources | images of each | twins found | two sources joined |
| --- | --- | --- | --- |
{twins}

## Several models under one name

Sources that are said to fall into two groups: of one model each; with half, or a quarter, of their images from another source; of the seeds of one
architecture, half each. Limits of this test and of that for twins were chosen with both collections in view. The third-party sources {several} are of several checkpoints, and apart.

| sources | images | of one model | half of another | a quarter of another | two seeds | of several checkpoints |
| --- | --- | --- | --- | --- | --- | --- |
{modes}

## What the look at an enrollment takes

`Gallery.enroll` of {timed} sources with {each} images each into a file, on one thread: {seconds:.1f} s, of which the look takes {look:.2f} s: {ratio:.3f}
times what enrolling takes without it (medians of {times}).
"""


class Asking:
    """Identifiers of galleries, each made once.

    Args:
        model: of the fingerprints.
    """

    def __init__(self, model: Model):
        self.model = model
        self._white: dict[str, np.ndarray] = {}
        self._made: dict[tuple[frozenset[str], str], Identifier] = {}

    def __call__(self, known: Mapping[str, Fingerprint], joined: bool) -> Identifier:
        """Of a gallery whose sources' names say what is enrolled of each; twins count as one if so wanted."""
        twins = Twins(np.arange(len(known)))
        if joined:
            for name, source in known.items():
                if name not in self._white:
                    self._white[name] = self.model.scorer.whiten(source.ordered().values)
            twins = Twins.of(list(known.values()), [self._white[name] for name in known])
        key = frozenset(known), twins.name
        if key not in self._made:
            made = self._made[key] = Identifier(self.model, known, RATE, conditions=False)
            made.enrolled.original.__dict__["twins"] = twins  # in place of what it would work out itself
        return self._made[key]


def drawn(fingerprints: Mapping[str, Fingerprint], seed: int) -> dict[str, Fingerprint]:
    """Each source's images in a random order."""
    rng = np.random.default_rng(seed)
    return {name: source[rng.permutation(len(source))] for name, source in fingerprints.items()}


def cases(
    known: Mapping[str, Fingerprint], rest: Mapping[str, Fingerprint], name: str, other: str
) -> dict[str, Fingerprint]:
    """What is planted: of a source, or of two."""
    half = ENROLLED // 2
    return {
        "the same files": known[name],
        "other images of one source": rest[name][np.arange(ENROLLED)],
        MIXTURE: rest[name][np.arange(half)] + rest[other][np.arange(half)],
    }


def asked(
    asking: Asking,
    joined: bool,
    known: Mapping[str, Fingerprint],
    probes: Mapping[str, Sequence[Fingerprint]],
    joins: Mapping[str, set[str]],
) -> tuple[float, np.ndarray]:
    """Threshold of the whole gallery; falsely and rightly attributed of each source, ``(2, sources)``.

    Args:
        asking: makes identifiers.
        joined: whether twins count as one.
        known: what is enrolled.
        probes: of sources.
        joins: what else is left out with a source.
    """
    everyone = asking(known, joined)
    found = everyone.threshold(SIZE)
    assert found
    rates = []
    for name, sets in probes.items():
        gone = {name} | joins.get(name, set())
        others = asking({n: f for n, f in known.items() if n not in gone}, joined)
        false = [others.identify(probe, grown=False).decision == ATTRIBUTED for probe in sets]
        right, own = [], gone - {MIXTURE}
        for probe in sets:
            answer = everyone.identify(probe, grown=False)
            both = "the same as far as anybody can tell" in answer.reason and answer.decision != "unknown"
            best = answer.evidence.candidates[0].source if answer.evidence else ""
            right.append(answer.source in own or (both and best in own))
        rates.append((np.mean(false), np.mean(right)))
    return found[0], np.array(rates).T


def answers(model: Model, what: str, fingerprints: Mapping[str, Fingerprint], seed: int) -> list[str]:
    """Rows of answers of sources."""
    sources = drawn(fingerprints, seed)
    planted = [name for name, source in sources.items() if len(source) >= 2 * ENROLLED + MOST * SIZE]
    known = {name: source[np.arange(ENROLLED)] for name, source in sources.items()}
    rest: dict[str, Fingerprint] = {}
    probes: dict[str, list[Fingerprint]] = {}
    for name, source in sources.items():
        rest[name] = source[np.arange(ENROLLED, min(2 * ENROLLED, len(source)))]
        first = 2 * ENROLLED if name in planted else ENROLLED
        starts = range(first, len(source) - SIZE + 1, SIZE)[:MOST]
        probes[name] = [source[np.arange(start, start + SIZE)] for start in starts]
    chosen = [planted[i] for i in np.random.default_rng(seed).permutation(len(planted))[: 2 * PLANTED]]
    pairs = list(zip(chosen[:PLANTED], chosen[PLANTED:], strict=True))
    others = [name for name in sources if name not in chosen]
    kept = [*chosen, *np.random.default_rng(seed).permutation(others)[: ASKED - len(chosen)].tolist()]
    probes = {name: probes[name] for name in kept}
    asking = Asking(model)
    rows = [_row(what, "well", [[asked(asking, joined, known, probes, {}) for joined in (False, True)]])]
    for case in ("the same files", "other images of one source", MIXTURE):
        measured = []
        for name, other in pairs:
            gallery = {**known, case: cases(known, rest, name, other)[case]}
            joins = {name: {case}, other: {case}} if case == MIXTURE else {name: {case}}
            measured.append([asked(asking, joined, gallery, probes, joins) for joined in (False, True)])
            print(what, case, name, [round(found[0], 2) for found in measured[-1]], flush=True)
        rows.append(_row(what, case if case == MIXTURE else f"{TWIN}: {case}", measured))
    return rows


def _row(what: str, case: str, measured: Sequence[Sequence[tuple[float, np.ndarray]]]) -> str:
    thresholds = [", ".join(f"{found[i][0]:.2f}" for found in measured) for i in (0, 1)]
    shares = [over_sources(np.mean([found[i][1][kind] for found in measured], 0)) for kind in (0, 1) for i in (0, 1)]
    row = f"| {what} | {case} | {' | '.join([*thresholds, *map(_percent, shares)])} |"
    print(row, flush=True)
    return row


def twins(model: Model, what: str, fingerprints: Mapping[str, Fingerprint], draws: int) -> list[str]:
    """Rows of twins found and of two sources joined."""
    rows = []
    for images in (24, 32, 64):
        found = pairs = joined = 0
        tried = 0
        for seed in range(draws):
            order = [source for source in drawn(fingerprints, seed).values() if len(source) >= images]
            white = [model.scorer.whiten(source.values) for source in order]
            firsts = [own[:images] for own in white]
            joined += len(Twins.of([source[np.arange(images)] for source in order], firsts).alike)
            pairs += len(order) * (len(order) - 1) // 2
            for source, own in zip(order, white, strict=True):
                if len(own) >= 2 * images:
                    halves = [np.arange(images), np.arange(images, 2 * images)]
                    tried += 1
                    found += len(Twins.of([source[half] for half in halves], [own[half] for half in halves]).alike)
        rows.append(f"| {what} | {images} | {found} of {tried} | {joined} of {pairs} |")
        print(rows[-1], flush=True)
    return rows


def some(white: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """So many rows, as they are drawn."""
    return white[rng.permutation(len(white))[:count]]


def mixed(
    white: Mapping[str, np.ndarray], pairs: Sequence[tuple[str, str]], part: int, images: int, rng: np.random.Generator
) -> list[bool]:
    """Whether sets of the first of two sources, one in ``part`` of whose images are of the other, look like two."""
    sets = [
        np.concatenate([some(white[a], images - images // part, rng), some(white[b], images // part, rng)])
        for a, b in pairs
    ]
    return [two_modes(rows) is not None for rows in sets]


def modes(model: Model, what: str, fingerprints: Mapping[str, Fingerprint], draws: int) -> list[str]:
    """Rows of sources that look like two."""
    rows, rng = [], np.random.default_rng(0)
    white = {name: model.scorer.whiten(source.values) for name, source in fingerprints.items()}
    for images in (48, 64):
        single: dict[bool, list[bool]] = {True: [], False: []}
        enough = [name for name, own in white.items() if len(own) >= images]

        for name in enough:
            for _ in range(draws if len(white[name]) > images else 1):
                single[name in SEVERAL].append(two_modes(some(white[name], images, rng)) is not None)
        one = [name for name in enough if name not in SEVERAL]
        pairs = [(str(a), str(b)) for a, b in (rng.choice(one, 2, replace=False) for _ in range(100))]
        seeds = [(name, f"{name[:-1]}1") for name in enough if name.endswith("-s0") and f"{name[:-1]}1" in enough]
        columns = [single[False]]
        columns += [mixed(white, *given, images, rng) for given in ((pairs, 2), (pairs, 4), (seeds, 2))]
        rows.append(f"| {what} | {images} | {' | '.join(map(_count, [*columns, single[True]]))} |")
        print(rows[-1], flush=True)
    return rows


def looked(model: Model, pixels: Mapping[str, np.ndarray], times: int) -> tuple[float, float]:
    """Seconds that enrolling takes, and that the look takes of these; medians."""
    whole: list[float] = []
    parts: list[float] = []
    real = gallery_audit.look

    def timed(*given: object) -> object:
        start = time.perf_counter()
        found = real(*given)  # type: ignore[arg-type]
        parts.append(time.perf_counter() - start)
        return found

    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder, patch.object(gallery_audit, "look", timed):
            start = time.perf_counter()
            gallery = Gallery(Path(folder) / "g.sqlite", model)
            gallery.enroll(pixels)
            whole.append(time.perf_counter() - start)
            start = time.perf_counter()
            gallery.fingerprints()  # which is read for the look alone
            parts[-1] += time.perf_counter() - start
    return float(np.median(whole)), float(np.median(parts))


def _percent(mean: Mean) -> str:
    return f"{100 * mean.mean:.0f} [{100 * mean.low:.0f}, {100 * mean.high:.0f}]"


def _count(found: Sequence[bool]) -> str:
    return f"{sum(found)} of {len(found)}" if found else "-"


def main() -> None:
    """Measures and writes."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--wild", type=Path, required=True)
    options.add_argument("--why", required=True, help="why the wild set is looked at again")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    start, model = time.monotonic(), Model.load()
    pixels = {
        folder.name: sample(load(folder)[0], folder.name, IMAGES)
        for folder in shipped() if not describe(folder)["parent"]
    }  # fmt: skip
    worlds = {
        "third-party": {images.name: model.fingerprint(images) for images in read_sources(given.wild)},
        "shipped": {name: model.fingerprint(ImageSet.from_array(own, name)) for name, own in pixels.items()},
    }
    print(f"read in {time.monotonic() - start:.0f} s", flush=True)
    draws = 3
    rows: dict[str, list[str]] = {"twins": [], "modes": [], "answers": []}
    sources, each, times = 20, 64, 3
    seconds, look = looked(model, {name: own[:each] for name, own in list(pixels.items())[:sources]}, times)
    print(seconds, look, flush=True)
    for what, fingerprints in worlds.items():
        named = f"{len(fingerprints)} {what}"
        rows["twins"] += twins(model, named, fingerprints, draws)
        rows["modes"] += modes(model, named, fingerprints, draws)
    for what, fingerprints in worlds.items():
        with patch("genprint.scoring.cohort.SIZES", ()):  # other sizes are for likelihood ratios
            rows["answers"] += answers(model, f"{len(fingerprints)} {what}", fingerprints, given.seed)
    page = _PAGE.format(
        provenance=provenance(given.seed, start, model.identity), rate=RATE, enrolled=ENROLLED, most=MOST, size=SIZE,
        planted=PLANTED, asked=ASKED, draws=draws, several=" and ".join(f"`{name}`" for name in SEVERAL), timed=sources, each=each,
        seconds=seconds, look=look, ratio=seconds / (seconds - look), times=times,
        **{name: "\n".join(own) for name, own in rows.items()},
    )  # fmt: skip
    (ROOT / "docs/unwell.md").write_text(page)
    log_wild_run(given.wild.name, "answers of galleries that are not well", given.why)


if __name__ == "__main__":
    main()
