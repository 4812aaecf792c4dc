"""Writes docs/robustness.md: top-1 after processing, of shipped generators and of third-party sources.

    python benchmarks/robustness.py --real REAL.npz --wild FOLDER --why "first table"

The arguments are those of benchmarks/results.py.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
from common import ROOT, held_out, log_wild_run, parser, provenance
from verification import remembered

from genprint.evaluation.attributability import Rate, top1
from genprint.evaluation.methods import METHODS
from genprint.evaluation.robustness import PROCESSINGS
from genprint.fingerprints.conditions import CONDITIONS
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.base import ByScorer, Comparer
from genprint.scoring.matching import Matched

ENROLLED, IMAGES = 32, 132
SIZES = SIZE, LOSS_SIZE = 10, 20
PEERS = ("covariance", "durall", "imagenet", "colour")

_PAGE = """# After processing

Written by `benchmarks/robustness.py`; the encoder has seen no generator. {provenance}

Top-1 in percent with 95 % intervals by bootstrap over sources and repeats; {enrolled} images enrolled, probes of {size}, {repeats} splits.
*Both*: enrolled images and probes went through the processing. *Probe only*: enrolled images are as they were made. *matched* is what
`genprint attribute` does: a probe is compared with the enrolled images in the condition that explains it best, of those that it is
expected to be in ({conditions}); what the probe went through is not told, nor do its files say it. `set_encoder` without that compares
with the enrolled images as they are.
*What {loss_size} images lose*: points of top-1 lost to the processing by probes of {loss_size}, of the set encoder (*matched* where only probes were processed) and of the
peer that is best without any; the ratio of the two losses.

{tables}
"""


def _fingerprints(fingerprinter: Fingerprinter, images: Mapping[str, np.ndarray]) -> dict[str, Fingerprint]:
    return {name: fingerprinter.extract(ImageSet.from_array(pixels, name)) for name, pixels in images.items()}


Rates = dict[int, Rate]


def _row(processing: str, found: Mapping[str, Rates], columns: Sequence[str]) -> str:
    rates = [found[name][SIZE] if name in found else None for name in columns]
    cells = ["-" if r is None else f"{100 * r.mean:.0f} [{100 * r.low:.0f}, {100 * r.high:.0f}]" for r in rates]
    return "| " + " | ".join([processing, *cells]) + " |"


def _tables(images: Mapping[str, np.ndarray], model: Model, repeats: int, seed: int) -> tuple[str, float]:
    """The tables, and the set encoder's top-1 without processing."""
    images = {name: _distinct(pixels) for name, pixels in images.items()}
    methods: dict[str, tuple[Fingerprinter, Comparer]] = {
        "set_encoder": (model.fingerprinter, ByScorer(model.scorer)),
        **{name: (METHODS[name].fingerprinter(model), METHODS[name].comparer(model)) for name in PEERS},
    }
    known = {name: _fingerprints(fingerprinter, images) for name, (fingerprinter, _) in methods.items()}
    with_originals = {name: remembered(own) for name, own in known["set_encoder"].items()}
    matched = Matched(model.scorer, model.population)
    setting = (ENROLLED, SIZES, repeats, seed)
    both: dict[str, dict[str, Rates]] = {}
    probe: dict[str, dict[str, Rates]] = {}
    for what, processing in PROCESSINGS.items():
        processed = {name: processing(pixels) for name, pixels in images.items()}
        both[what], probe[what] = {}, {}
        for name, (fingerprinter, comparer) in methods.items():
            asked = _fingerprints(fingerprinter, processed)
            both[what][name] = top1(asked, comparer, *setting)
            if any(asked[source].values.shape != known[name][source].values.shape for source in images):
                continue  # features of a cropped image may be others
            if name == "set_encoder":
                probe[what]["matched"] = top1(with_originals, matched, *setting, asked)
            probe[what][name] = top1(known[name], comparer, *setting, asked)
        print(_row(what, both[what], list(methods)), _row(what, probe[what], ["matched", *methods]), flush=True)
    parts = []
    for title, rates, columns, ours in (
        ("*Both*", both, list(methods), "set_encoder"),
        ("*Probe only*", probe, ["matched", *methods], "matched"),
    ):
        rows = [_row(what, found, columns) for what, found in rates.items()]
        parts += [title, "", *_head("processing", *columns), *rows, "", *_losses(title, rates, ours), ""]
    return "\n".join(parts[:-1]), both["nothing"]["set_encoder"][SIZE].mean


def _losses(title: str, rates: Mapping[str, Mapping[str, Rates]], ours: str) -> list[str]:
    """What a processing costs larger sets, beside what it costs the best peer."""
    before = {name: by_size[LOSS_SIZE].mean for name, by_size in rates["nothing"].items()}
    best = max((name for name in PEERS if name != "colour"), key=before.__getitem__)
    rows = []
    for what, found in rates.items():
        if what != "nothing" and {ours, best} <= set(found):
            lost, peer = (100 * (before[name] - found[name][LOSS_SIZE].mean) for name in (ours, best))
            ratio = f"{lost / peer:.2f}" if peer > 0 else "-"
            rows.append(f"| {what} | {lost:+.1f} | {peer:+.1f} | {ratio} |")
    return [f"{title}, what {LOSS_SIZE} images lose", "", *_head("processing", ours, best, "ratio"), *rows]


def _distinct(images: np.ndarray) -> np.ndarray:
    """Each image once, also after every processing: the same images are then there in every condition."""
    rows = [
        np.unique(processing(images).reshape(len(images), -1), axis=0, return_index=True)[1]
        for processing in PROCESSINGS.values()
    ]
    return images[sorted(set(range(len(images))).intersection(*map(set, rows)))]


def _head(*cells: str) -> list[str]:
    return ["| " + " | ".join(cells) + " |", "|" + " --- |" * len(cells)]


def main() -> None:
    """Measures and writes."""
    options = parser(__doc__)
    options.add_argument("--repeats", type=int, default=3)
    given = options.parse_args()
    start, model = time.monotonic(), Model.load()
    reference = {
        folder.name: sample(load(folder)[0], folder.name, IMAGES)
        for folder in shipped()
        if not describe(folder)["parent"]
    }
    held = held_out(given.real)
    reference["real"] = held[np.random.default_rng(given.seed).choice(len(held), IMAGES, replace=False)]
    wild = {images.name: images.to_array()[:IMAGES] for images in read_sources(given.wild)}
    parts = []
    for title, images in (
        ("The shipped generators and real images", reference),
        (f"Third-party sources ({given.wild.name})", wild),
    ):
        tables, unchanged = _tables(images, model, given.repeats, given.seed)
        parts.append(f"## {title}\n\n{len(images)} sources, chance {100 / len(images):.1f} %.\n\n{tables}")
    page = _PAGE.format(
        provenance=provenance(given.seed, start, model.identity), enrolled=ENROLLED, size=SIZE, loss_size=LOSS_SIZE, repeats=given.repeats,
        conditions=", ".join(CONDITIONS), tables="\n\n".join(parts),
    )  # fmt: skip
    (ROOT / "docs/robustness.md").write_text(page)
    log_wild_run(given.wild.name, "robustness", given.why, [unchanged])


if __name__ == "__main__":
    main()
