"""Writes docs/robustness.md: top-1 after changes, of shipped generators and of third-party sources.

    python benchmarks/robustness.py --real REAL.npz --wild FOLDER --why "first table"

The arguments are those of benchmarks/results.py.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
from common import ROOT, held_out, log_wild_run, parser, provenance

from genprint.cli.common import tune_malloc
from genprint.encoder.encoder import SetEncoder
from genprint.evaluation.attributability import Rate, top1
from genprint.evaluation.methods import METHODS
from genprint.evaluation.robustness import CHANGES
from genprint.fingerprints.fingerprint import Features, Fingerprinter
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.sets import ImageSet, read_sources
from genprint.scoring.base import ByFingerprint, Comparer
from genprint.scoring.conditions import HISTORIES, Matched

ENROLLED, IMAGES = 32, 132
SIZES = SIZE, LOSS_SIZE = 10, 20
PEERS = ("covariance", "durall", "imagenet", "colour")

_PAGE = """# After changes

Written by `benchmarks/robustness.py`; the encoder has seen no generator. {provenance}

Top-1 in percent with 95 % intervals by bootstrap over sources and repeats; {enrolled} images enrolled, probes of {size}, {repeats} splits.
*Both*: enrolled images and probes went through the change. *Probe only*: enrolled images are as they were made. *matched* is what
`genprint attribute` does: it looks at the enrolled images after each of its own histories ({histories}) and compares a probe with the
state of the gallery in which it is likeliest; what the probe went through is not told. `set_encoder` without that compares with the
enrolled images as they are.
*What {loss_size} images lose*: points of top-1 lost to the change by probes of {loss_size}, of the set encoder (*matched* where only probes changed) and of the
peer that is best without a change; the ratio of the two losses.

{tables}
"""


def _features(front: Fingerprinter, images: Mapping[str, np.ndarray], histories: bool = False) -> dict[str, Features]:
    after = HISTORIES if histories else {}
    return {name: front.features(ImageSet.from_array(own, name), histories=after) for name, own in images.items()}


def _changed(images: Mapping[str, np.ndarray], change: str) -> dict[str, np.ndarray]:
    return {name: CHANGES[change](own) for name, own in images.items()}


Rates = dict[int, Rate]


def _row(change: str, found: Mapping[str, Rates], columns: Sequence[str]) -> str:
    rates = [found[name][SIZE] if name in found else None for name in columns]
    cells = ["-" if r is None else f"{100 * r.mean:.0f} [{100 * r.low:.0f}, {100 * r.high:.0f}]" for r in rates]
    return "| " + " | ".join([change, *cells]) + " |"


def _tables(images: Mapping[str, np.ndarray], encoder: SetEncoder, repeats: int, seed: int) -> tuple[str, float]:
    """The tables, and the set encoder's top-1 without a change."""
    images = {name: _distinct(own) for name, own in images.items()}
    plain = ByFingerprint(encoder, encoder.plda_)
    fronts: dict[str, tuple[Fingerprinter, Comparer]] = {"set_encoder": (encoder, plain)}
    fronts |= {name: (METHODS[name].front(encoder), METHODS[name].comparer(encoder)) for name in PEERS}
    known = {name: _features(front, images) for name, (front, _) in fronts.items()}
    with_histories = _features(encoder, images, histories=True)
    both: dict[str, dict[str, Rates]] = {}
    probe: dict[str, dict[str, Rates]] = {}
    for change in CHANGES:
        changed = _changed(images, change)
        both[change], probe[change] = {}, {}
        for name, (front, comparer) in fronts.items():
            own = _features(front, changed)
            alike = all(len(own[source]) == len(known[name][source]) for source in images)
            setting = (ENROLLED, SIZES, repeats, seed)
            both[change][name] = top1(own, comparer, *setting)
            widths = {len(features.values[0]) for features in (*own.values(), *known[name].values())}
            if not alike or len(widths) > 1:
                continue
            if name == "set_encoder":
                matched = Matched(encoder, encoder.plda_)
                probe[change]["matched"] = top1(with_histories, matched, *setting, own)
            probe[change][name] = top1(known[name], comparer, *setting, own)
        print(_row(change, both[change], list(fronts)), _row(change, probe[change], ["matched", *fronts]), flush=True)
    parts = []
    for title, rates, columns, ours in (
        ("*Both*", both, list(fronts), "set_encoder"),
        ("*Probe only*", probe, ["matched", *fronts], "matched"),
    ):
        rows = [_row(change, found, columns) for change, found in rates.items()]
        parts += [title, "", *_head("change", *columns), *rows, "", *_losses(title, rates, ours), ""]
    return "\n".join(parts[:-1]), both["nothing"]["set_encoder"][SIZE].mean


def _losses(title: str, rates: Mapping[str, Mapping[str, Rates]], ours: str) -> list[str]:
    """What a change costs larger sets, beside what it costs the best peer."""
    before = {name: by_size[LOSS_SIZE].mean for name, by_size in rates["nothing"].items()}
    best = max((name for name in PEERS if name != "colour"), key=before.__getitem__)
    rows = []
    for change, found in rates.items():
        if change != "nothing" and {ours, best} <= set(found):
            lost, peer = (100 * (before[name] - found[name][LOSS_SIZE].mean) for name in (ours, best))
            ratio = f"{lost / peer:.2f}" if peer > 0 else "-"
            rows.append(f"| {change} | {lost:+.1f} | {peer:+.1f} | {ratio} |")
    return [f"{title}, what {LOSS_SIZE} images lose", "", *_head("change", ours, best, "ratio"), *rows]


def _distinct(images: np.ndarray) -> np.ndarray:
    """Each image once, also after every change: the same images are then there in every state."""
    rows = [
        np.unique(change(images).reshape(len(images), -1), axis=0, return_index=True)[1] for change in CHANGES.values()
    ]
    return images[sorted(set(range(len(images))).intersection(*map(set, rows)))]


def _head(*cells: str) -> list[str]:
    return ["| " + " | ".join(cells) + " |", "|" + " --- |" * len(cells)]


def main() -> None:
    """Measures and writes."""
    options = parser(__doc__)
    options.add_argument("--repeats", type=int, default=3)
    given = options.parse_args()
    tune_malloc()
    start, encoder = time.monotonic(), SetEncoder.from_pretrained()
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
        tables, unchanged = _tables(images, encoder, given.repeats, given.seed)
        parts.append(f"## {title}\n\n{len(images)} sources, chance {100 / len(images):.1f} %.\n\n{tables}")
    page = _PAGE.format(
        provenance=provenance(given.seed, start), enrolled=ENROLLED, size=SIZE, loss_size=LOSS_SIZE, repeats=given.repeats,
        histories=", ".join(HISTORIES), tables="\n\n".join(parts),
    )  # fmt: skip
    (ROOT / "docs/robustness.md").write_text(page)
    log_wild_run(given.wild.name, "robustness", given.why, [unchanged])


if __name__ == "__main__":
    main()
