"""What answers are worth: likelihood ratios, mixed sets, confounds. Writes docs/evidence.md and its pictures.

python benchmarks/evidence.py --real clothing32.npz --wild FOLDER --why "..."
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import ROOT, held_out, labels, log_wild_run, parser, provenance
from sklearn.metrics import roc_auc_score

from genprint.answers.attribution import Identifier
from genprint.answers.audit import audit
from genprint.answers.lineage import lineage
from genprint.evaluation.answers import answers
from genprint.evaluation.calibration import Calibration, calibration
from genprint.evaluation.intervals import Mean, over_sources
from genprint.evaluation.mixture import Mixtures, mixtures
from genprint.evaluation.open_set import open_set
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.report import figures as plots
from genprint.scoring.cohort import Normalised

SIZES, ENROLLED, IMAGES = (1, 5, 10), 32, 200
RATE = 0.1
DIVISIONS = 3  # the threshold hangs on a few sources, and those on which images are enrolled
_PAGE = """# What answers are worth

Written by `benchmarks/evidence.py`; the encoder has seen no generator. {provenance}

## Likelihood ratios

Each source in its turn is left out of calibration, then probes of it are weighed: for their own source, and, with theirs not enrolled, for the best of
the others, which is the one that an answer tells. {enrolled} images enrolled. Cllr: 0 is perfect, 1 says nothing; Cllr_min is what discrimination alone
leaves; *misleading*: ratios above one for that other source. 95 % intervals by bootstrap over sources.

| sources | images | Cllr | Cllr_min | ECE | misleading | at the cap |
| --- | --- | --- | --- | --- | --- | --- |
{calibration}

![Tippett plot and reliability, third-party sources, 10 images](calibration.png)

## Answers

`genprint attribute` at its own threshold, asked for a rate of {rate:.0f} %: {enrolled} images enrolled, probes of {size}. *Falsely
attributed*: probes of a source that is not enrolled. A source is unknown alone, with its architecture, or with its class; or the gallery is
of the shipped generators and the unknown are third-party sources (another data set). *Right* and *wrong*: probes of enrolled sources
attributed to their own source and to another; the others are unknown or inconclusive. Where a source alone is unknown, the mean of {divisions}
divisions of the images; one division else.

| enrolled | unknown | falsely attributed | right | wrong |
| --- | --- | --- | --- | --- |
{answers}

`genprint verify` is measured in [verification](verification.md).

Rates of both errors by threshold, probes of {size}:

![Known probes not attributed right against unknown ones attributed](open-set.png)

## Mixed sets

Sets of about 100 images of three sources with random shares, and of 50 images of one; 64 enrolled of each source; {draws} draws.

| sources | error of a share | within its interval | images' owners right | one source called mixed | 2 foreign of 50 found | not enrolled: unknown |
| --- | --- | --- | --- | --- | --- | --- |
{mixtures}

## Lineage

Children of shipped generators (`genprint lineage CHILD PARENT --apart OTHER SEED`, {images} images each): *margin* is the squared
distance to the other seed less that to the parent, in within-source variances; *turned*: the answer when the other seed is alleged to be the
parent. With one other seed, half of all models trained apart would come out as derived; more seeds make that less. AUROC of the
margins, children against turned: {auroc}.

| child | answer | p | margin | turned |
| --- | --- | --- | --- | --- |
{lineage}

## Confounds

What tells the third-party sources apart beside a trace (`genprint audit`), share of single images named right:

| fact | kind | right | chance |
| --- | --- | --- | --- |
{audit}
"""


def _answers(
    model: Model, reference: dict[str, Fingerprint], wild: dict[str, Fingerprint], folder: Path
) -> tuple[list[str], dict[str, tuple[tuple[float, float], ...]]]:
    """Rows of answers, and the curves of both error rates."""
    about = {folder.name: describe(folder) for folder in shipped()}
    kinds = {
        "reference": (reference, {n: about.get(n, {"class": "real", "architecture": "real"}) for n in reference}),
        "third-party": (wild, labels(folder)),
    }
    rows, curves = [], {}
    for what, (fingerprints, known) in kinds.items():
        for unknown in ("source", "architecture", "class"):
            if what == "third-party" and unknown == "architecture":
                continue  # each has one of its own
            groups = {name: name if unknown == "source" else known[name][unknown] for name in fingerprints}
            curve = open_set(fingerprints, Normalised(model.scorer), groups, ENROLLED, 10).curve
            curves[f"{what}, unknown {unknown}"] = curve
            row = answers(model, fingerprints, groups, ENROLLED, 10, RATE, 5, DIVISIONS if unknown == "source" else 1)
            rows.append(
                f"| {what} | {unknown} | " + " | ".join(map(_percent, (row.false, row.right, row.wrong))) + " |"
            )
            print(rows[-1], flush=True)
    enrolled = {name: fingerprint[np.arange(ENROLLED)] for name, fingerprint in reference.items()}
    identifier = Identifier(model, enrolled, RATE)
    false = []
    for fingerprint in wild.values():
        probes = [fingerprint[np.arange(at, at + 10)] for at in range(0, 50, 10)]
        false.append(np.mean([identifier.identify(probe, grown=False).source is not None for probe in probes]))
    rows.append(f"| reference | data set (third-party) | {_percent(over_sources(np.array(false)))} | | |")
    return rows, curves


def _calibration_row(what: str, size: int, row: Calibration) -> str:
    cells = [_number(row.cllr), f"{row.cllr_min:.2f}", f"{row.ece:.3f}", _percent(row.misleading)]
    return f"| {what} | {size} | " + " | ".join([*cells, f"{_percent(row.capped)} of {np.exp(row.cap):.0f}"]) + " |"


def _mixture_row(what: str, row: Mixtures) -> str:
    rates = (row.covered, row.owners, row.false_alarm, row.found, row.unknown)
    return f"| {what} | " + " | ".join([_number(row.error, 3), *map(_percent, rates)]) + " |"


def _lineage(model: Model, known: dict[str, Fingerprint]) -> tuple[str, list[str]]:
    """AUROC of relative margins, and a row for each child whose parent has another seed."""
    rows, margins = [], []
    for folder in shipped():
        generator, config = load(folder)
        parent = config["parent"]
        other = parent and next(
            (n for n in known if n != parent and n.rsplit("-s", 1)[0] == parent.rsplit("-s", 1)[0]), None
        )
        if not other:
            continue
        child = model.fingerprint(ImageSet.from_array(sample(generator, folder.name, IMAGES), folder.name))
        found = lineage(model, child, known[parent], [known[other]])
        turned = lineage(model, child, known[other], [known[parent]])
        margin, low, high = found.margin
        margins.append(margin / (found.distance**2 + found.others[other] ** 2))
        rows.append(
            f"| {folder.name} | {found.decision} | {found.p:.3f} | {margin:.1f} [{low:.1f}, {high:.1f}] | "
            f"{turned.decision} |"
        )
    rng = np.random.default_rng(0)
    draws = [rng.choice(margins, len(margins)) for _ in range(1000)]
    low, high = np.quantile([_auroc(draw) for draw in draws], [0.025, 0.975])
    return f"{_auroc(np.array(margins)):.2f} [{low:.2f}, {high:.2f}]", rows


def _auroc(margins: np.ndarray) -> float:
    truth = np.repeat([1, 0], len(margins))
    return float(roc_auc_score(truth, np.concatenate([margins, -margins])))


def _number(mean: Mean, digits: int = 2) -> str:
    return f"{mean.mean:.{digits}f} [{mean.low:.{digits}f}, {mean.high:.{digits}f}]"


def _percent(mean: Mean) -> str:
    return f"{100 * mean.mean:.0f} [{100 * mean.low:.0f}, {100 * mean.high:.0f}]"


def _reference(model: Model, real: Sequence[np.ndarray]) -> dict[str, Fingerprint]:
    """Shipped generators that descend from no other, and real images."""
    fingerprints = {}
    for folder in shipped():
        generator, config = load(folder)
        if not config["parent"]:
            images = sample(generator, folder.name, IMAGES)
            fingerprints[folder.name] = model.fingerprint(ImageSet.from_array(images, folder.name))
            print(folder.name, flush=True)
    rng = np.random.default_rng(0)
    chosen = np.stack(real)[rng.permutation(len(real))[:IMAGES]]
    return {**fingerprints, "real": model.fingerprint(ImageSet.from_array(chosen, "real"))}


def main() -> None:
    """Measures and writes."""
    options = parser(__doc__)
    options.add_argument("--draws", type=int, default=20)
    given = options.parse_args()
    start, model = time.monotonic(), Model.load()
    wild = read_sources(given.wild)
    worlds = {
        "reference": _reference(model, list(held_out(given.real))),
        "third-party": {images.name: model.fingerprint(images) for images in wild},
    }
    ratios, shares = [], []
    for what, fingerprints in worlds.items():
        for size in SIZES:
            row = calibration(model, fingerprints, ENROLLED, size, repeats=1, seed=given.seed)
            ratios.append(_calibration_row(f"{len(fingerprints)} {what}", size, row))
            print(ratios[-1], flush=True)
            if (what, size) == ("third-party", 10):
                (ROOT / "docs/calibration.png").write_bytes(plots.to_bytes(row.figure()))
        shares.append(_mixture_row(what, mixtures(model, fingerprints, 64, draws=given.draws, seed=given.seed)))
        print(shares[-1], flush=True)
    rows, curves = _answers(model, worlds["reference"], worlds["third-party"], given.wild)
    (ROOT / "docs/open-set.png").write_bytes(plots.to_bytes(plots.error_rates_figure(curves)))
    auroc, children = _lineage(model, worlds["reference"])
    found = audit(wild).findings
    page = _PAGE.format(
        provenance=provenance(given.seed, start, model.identity), enrolled=ENROLLED, draws=given.draws, images=IMAGES, auroc=auroc, lineage="\n".join(children),
        rate=100 * RATE, divisions=DIVISIONS, size=10, answers="\n".join(rows),
        calibration="\n".join(ratios), mixtures="\n".join(shares),
        audit="\n".join(f"| {f.fact} | {f.kind} | {100 * f.accuracy:.0f} | {100 * f.chance:.0f} |" for f in found),
    )  # fmt: skip
    (ROOT / "docs/evidence.md").write_text(page)
    log_wild_run(given.wild.name, "likelihood ratios, answers, mixtures, audit", given.why)


if __name__ == "__main__":
    main()
