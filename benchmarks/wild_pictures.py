"""Writes docs/text_to_image.md: text-to-image models and photographs as different publishers left them.

    python benchmarks/wild_pictures.py FOLDER --work features.sqlite --why "the model for pictures learned anew"

FOLDER has a folder of each source and sources.csv. Nothing is chosen here: every run is logged in benchmarks/wild_runs.csv.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
from common import ROOT, log_wild_run, provenance
from picture_sections import head, line
from sklearn.metrics import roc_auc_score

from genprint.answers.attribution import Identifier
from genprint.evaluation.attributability import Rate, named, top1
from genprint.evaluation.methods import CONTROLS, METHODS
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.conditions import named as processing_of
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.storage.files import write_atomically

#: Sets of one generator, or of close kin, by two publishers.
KIN = (
    ("gemini3pro_teenbiscuits", "nanobananapro_songguoxs"),
    ("sd14_dcsan", "sd14_easydiffusion"),
    ("gptimage1mini_hvalfangst", "gpt4o_jamezbondos"),
)
#: Photographs and a generator's images that went through one publisher's pipeline.
ONE_PIPELINE = ("real_teenbiscuits", "gemini3pro_teenbiscuits")
AFTER = ("JPEG 75", "scale 50 %, JPEG 85")
ENROLLED, SIZES, REPEATS = 16, (1, 5, 10), 10
_PEERS = ("set_encoder", "covariance", "self_description", "imagenet", *CONTROLS)
_ASKED, _RATE = (5, 10), 0.1

_PAGE = """# Text-to-image models

Written by `benchmarks/wild_pictures.py`; the encoder has seen none of these models. {sources} sources of {fewest} to {most} images, from 256 to 1440 px, as
their publishers left them: formats, sizes and content differ by source, and `header` says how far these alone go. {about}

## Closed set

Top-1 by the number of images, {enrolled} enrolled, {repeats} divisions, as found and after all images went through one processing. Percent, with 95 %
intervals by bootstrap over sources. Content still differs by source: colour, thumbnail and ImageNet features show how far that goes.

{closed}

## Joined by generator

The same as found, with kin (below) counted as one generator.

{joined}

## Across publishers

All images of a generator as one publisher has them are enrolled among all other generators, without their kin; asked are sets of its kin by another publisher.
How many sets are named right by the best score, and what `genprint attribute` answers at a rate of {rate:.0f} %: right, another source, none.

{across}

## One pipeline

Single images and sets of five of `{real}` against `{made}`: area under the ROC curve by the difference of the scores for both, {enrolled} of each enrolled,
{repeats} divisions; the difference from the set encoder with its 95 % interval by bootstrap over images.

{one}
"""

Read = Mapping[str, Fingerprint]


def main() -> None:
    """Measures, writes the page, logs the look."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--work", type=Path, required=True, help="file that keeps features")
    options.add_argument("--why", required=True, help="why the sources are looked at again")
    options.add_argument("--page", type=Path, default=ROOT / "docs/text_to_image.md")
    options.add_argument("--seed", type=int, default=0)
    given, start = options.parse_args(), time.monotonic()
    model, sets, cache = Model.load("pictures"), read_sources(given.folder), Cache(given.work)
    read = {method: fingerprints(method, model, sets, cache) for method in _PEERS}
    counts = [len(one) for one in read["set_encoder"].values()]
    closed = closed_set(model, sets, read, cache, given.seed)
    page = _PAGE.format(
        closed=closed, joined=joined(model, read, given.seed), across=across(model, read),
        one=one_pipeline(model, read, given.seed), sources=len(sets), fewest=min(counts), most=max(counts),
        enrolled=ENROLLED, repeats=REPEATS, rate=100 * _RATE, real=ONE_PIPELINE[0], made=ONE_PIPELINE[1],
        about=provenance(given.seed, start, model.identity),
    )  # fmt: skip
    write_atomically(given.page, page.encode())
    log_wild_run(given.folder.name, "set_encoder (pictures)", given.why)


def fingerprints(
    method: str, model: Model, sets: Sequence[ImageSet], cache: Cache, after: str | None = None
) -> dict[str, Fingerprint]:
    """Of all sources by a method, as found or after a processing."""
    front = METHODS[method].reader(model, None, sets)
    processing = processing_of(after) if after else None
    found = {images.name: front.extract(images, cache=cache, processing=processing) for images in sets}
    print(f"{method} {after or ''}: read", flush=True)
    return found


def closed_set(model: Model, sets: Sequence[ImageSet], read: Mapping[str, Read], cache: Cache, seed: int) -> str:
    """Top-1 of every method, as found and after each processing."""
    lines = head("", "images", *_PEERS)
    for after in (None, *AFTER):
        asked = [method for method in _PEERS if not (after and method == "header")]
        of = {method: fingerprints(method, model, sets, cache, after) if after else read[method] for method in asked}
        rates = {
            method: top1(own, METHODS[method].comparer(model), ENROLLED, SIZES, REPEATS, seed)
            for method, own in of.items()
        }
        for size in SIZES:
            lines.append(
                line(f"after {after}" if after else "as found", str(size), *(_rate(rates, one, size) for one in _PEERS))
            )
    return "\n".join(lines)


def _rate(rates: Mapping[str, Mapping[int, Rate]], method: str, size: int) -> str:
    rate = rates.get(method, {}).get(size)
    return f"{100 * rate.mean:.0f} [{100 * rate.low:.0f}, {100 * rate.high:.0f}]" if rate else "-"


def joined(model: Model, read: Mapping[str, Read], seed: int) -> str:
    """Top-1 where naming a source's kin is right, too."""
    kin = {one: other for pair in KIN for one, other in permutations(pair)}
    lines = head("images", *_PEERS)
    rights: dict[int, list[str]] = {size: [] for size in SIZES}
    for method in _PEERS:
        hits: dict[int, list[float]] = {size: [] for size in SIZES}
        names = list(read[method])
        for repeat in range(REPEATS):
            rng = np.random.default_rng([seed, repeat])
            orders = {name: rng.permutation(len(read[method][name])) for name in names}
            gallery = [read[method][name][orders[name][:ENROLLED]] for name in names]
            for size in SIZES:
                probes, owners = [], []
                for name in names:
                    for at in range(ENROLLED, len(orders[name]) - size + 1, size):
                        probes.append(read[method][name][orders[name][at : at + size]])
                        owners.append(name)
                best = METHODS[method].comparer(model).score(probes, gallery).argmax(1)
                right = [names[i] in (owner, kin.get(owner)) for i, owner in zip(best, owners, strict=True)]
                hits[size].append(
                    float(
                        np.mean(
                            [np.mean([r for r, o in zip(right, owners, strict=True) if o == name]) for name in names]
                        )
                    )
                )
        for size in SIZES:
            rights[size].append(f"{100 * np.mean(hits[size]):.0f}")
    return "\n".join([*lines, *(line(str(size), *own) for size, own in rights.items())])


def across(model: Model, read: Mapping[str, Read]) -> str:
    """Each ordered pair of kin: top-1 by several methods, and answers."""
    methods = ("set_encoder_matched", "set_encoder", "imagenet", *CONTROLS)
    lines = head("enrolled", "asked", "images", "sets", *methods, "right", "another", "none", "p does not count in")
    for enrolled, asked in (pair for kin in KIN for pair in permutations(kin)):
        for size in _ASKED:
            order = np.random.default_rng(0).permutation(len(read["set_encoder"][asked]))
            rows = [order[at : at + size] for at in range(0, len(order) - size + 1, size)]
            cells = []
            for method in methods:
                own = read["set_encoder" if method == "set_encoder_matched" else method]
                gallery = [own[enrolled], *(one for name, one in own.items() if name not in (enrolled, asked))]
                scores = METHODS[method].comparer(model).score([own[asked][row] for row in rows], gallery)
                cells.append(f"{named(scores, [0] * len(rows)).sum():.0f}")
            known = {name: one for name, one in read["set_encoder"].items() if name != asked}
            identifier = Identifier(model, known, _RATE)
            answers = [identifier.identify(read["set_encoder"][asked][row], grown=False) for row in rows]
            right = sum(answer.source == enrolled for answer in answers)
            another = sum(answer.source not in (enrolled, None) for answer in answers)
            told = sum(not answer.evidence.p_counts for answer in answers)
            lines.append(
                line(
                    enrolled,
                    asked,
                    str(size),
                    str(len(rows)),
                    *cells,
                    str(right),
                    str(another),
                    str(len(rows) - right - another),
                    str(told),
                )
            )
            print(lines[-1], flush=True)
    return "\n".join(lines)


def one_pipeline(model: Model, read: Mapping[str, Read], seed: int) -> str:
    """AUROC of photographs against a generator's images that share a publisher's pipeline."""
    methods = ("set_encoder", "covariance", "self_description", "imagenet", *CONTROLS)
    lines = head(
        "images", *(cell for method in methods for cell in ((method,) if method == "set_encoder" else (method, "less")))
    )
    for size in (1, 5):
        found = {method: _scored(model, method, read[method], size, seed) for method in methods}
        cells = []
        for method in methods:
            cells.append(f"{100 * _auroc(found[method]):.0f}")
            if method != "set_encoder":
                low, high = _difference(found["set_encoder"], found[method], seed)
                cells.append(
                    f"{100 * (_auroc(found['set_encoder']) - _auroc(found[method])):+.0f} [{100 * low:+.0f}, {100 * high:+.0f}]"
                )
        lines.append(line(str(size), *cells))
    return "\n".join(lines)


def _scored(model: Model, method: str, read: Read, size: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each division: whose each probe is, and its score for the second less that for the first."""
    found = []
    for repeat in range(REPEATS):
        rng = np.random.default_rng([seed, repeat])
        gallery, probes, owners = [], [], []
        for i, name in enumerate(ONE_PIPELINE):
            order = rng.permutation(len(read[name]))
            gallery.append(read[name][order[:ENROLLED]])
            for at in range(ENROLLED, len(order) - size + 1, size):
                probes.append(read[name][order[at : at + size]])
                owners.append(i)
        scores = METHODS[method].comparer(model).score(probes, gallery)
        found.append((np.array(owners), scores[:, 1] - scores[:, 0]))
    return found


def _auroc(divisions: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    return float(np.mean([roc_auc_score(*one) for one in divisions]))


def _difference(ours: Sequence, theirs: Sequence, seed: int, draws: int = 500) -> tuple[float, float]:
    """95 % interval of the difference of two areas, by bootstrap over each division's probes."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(draws):
        mine, other = [], []
        for (owners, one), (_, two) in zip(ours, theirs, strict=True):
            rows = np.concatenate([rng.choice(np.flatnonzero(owners == i), (owners == i).sum()) for i in (0, 1)])
            mine.append(roc_auc_score(owners[rows], one[rows]))
            other.append(roc_auc_score(owners[rows], two[rows]))
        found.append(np.mean(mine) - np.mean(other))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
