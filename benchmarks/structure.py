"""Writes docs/structure.md: what can be read of how a source is built, and how often that is right.

    python benchmarks/structure.py --real clothing32.npz --wild FOLDER --components FILE --why REASON [--fit] [--cache FILE]

FOLDER holds third-party sets, each with sources.csv; FILE says what their sources end in (benchmarks/final_components.csv). With --fit the reader is
learned anew first, from decoders trained on real images (--made FILE keeps what they make), and written into the package. No generator takes part in that.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from common import ROOT, encoder_of, held_out, log_wild_run, provenance

from genprint.answers.structure import read_structure
from genprint.baselines.content import ColourQuantiles, Thumbnail
from genprint.baselines.durall import RadialSpectrum
from genprint.encoder.training.decoders import DecoderStructure
from genprint.encoder.training.structures import Simulated, learn, simulated_decoders
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.fingerprints.fingerprinter import Fingerprinter
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.known import read_sources
from genprint.images.processing import Jpeg
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.structure import ANSWERS, DOUBLING, JPEG, SHIPPED, STATED, Known, StructureReader

SIZES, MOST, IMAGES, KNOWN_AT = (1, 5, 10, 32), 6, 96, 10
OWN, SHARED = ANSWERS[DOUBLING]
NO_DOUBLING, UNKNOWN = "neither", "unknown"
_TRUTH = {
    "transposed convolution": OWN, "inverse squeeze": OWN, "nearest + convolution": SHARED, "bilinear + convolution": SHARED,
    "KL-f8 autoencoder of 4 channels (nearest + convolution)": SHARED, "autoencoder of 16 channels (nearest + convolution)": SHARED,
    "convolution at full resolution": NO_DOUBLING, "checkerboard coupling at full resolution": NO_DOUBLING,
    "sampling of each pixel": NO_DOUBLING, "none": NO_DOUBLING,
}  # fmt: skip
_CARD = """# What a source is built like

Reads two things of a fingerprint by the shipped model for thumbnails: whether the last doubling of the side was made by filters of their own for each pixel
(transposed convolution, sub-pixel) or by enlarging and a convolution; and whether the images were saved as JPEG before. Learned from small decoders
trained on CC0 photographs of clothing, by `benchmarks/structure.py`. How far it can be trusted: `docs/structure.md`.
"""


@dataclass(frozen=True)
class Asked:
    """A source with what is known of it.

    Attributes:
        group: that it is counted in.
        truth: of its last doubling.
        prints: its fingerprints, as it is and after JPEG, by the JPEG's name ('' for none).
    """

    name: str
    group: str
    truth: str
    prints: Mapping[str, Fingerprint]


@dataclass(frozen=True)
class Row:
    """An answer about one set."""

    source: str
    group: str
    question: str
    condition: str
    size: int
    truth: str
    answer: str
    stated: bool
    probability: float
    likelier: str


def made_by(file: Path | None, real: np.ndarray) -> list[Simulated]:
    """The simulated decoders' images, from the file if it is there."""
    if file and file.exists():
        saved = np.load(file)
        said = [json.loads(str(one)) for one in saved["structures"]]
        return [Simulated(im, one and DecoderStructure(**one)) for im, one in zip(saved["images"], said, strict=True)]
    sources = simulated_decoders(real, progress=lambda _: print(".", end="", flush=True))
    if file:
        said = [json.dumps(one.structure and one.structure.to_dict()) for one in sources]
        np.savez(file, images=np.stack([one.images for one in sources]), structures=said)
    return sources


def reference(real: Path, file: Path | None) -> list[tuple[ImageSet, str, str]]:
    """Shipped generators without descendants and held-out real images, with part and truth; samples are kept in the file."""
    found = []
    kept = dict(np.load(file)) if file and file.exists() else {}
    for folder in shipped():
        about = describe(folder)
        if not about["parent"]:
            own = not about["upsampling"].endswith("3x3 convolution")
            if folder.name not in kept:
                kept[folder.name] = sample(load(folder)[0], folder.name, IMAGES)
            images = ImageSet.from_array(kept[folder.name], folder.name)
            part = "shipped, test" if about["part"] == "test" else "shipped, train and calibration"
            found.append((images, part, OWN if own else SHARED))
    if file and not file.exists():
        np.savez(file, **kept)
    held = held_out(real)
    chosen = np.random.default_rng(0).choice(len(held), IMAGES, replace=False)
    return [*found, (ImageSet.from_array(held[chosen], "real"), "shipped, test", NO_DOUBLING)]


def third_party(wild: Path, components: Path, folders: Sequence[str]) -> list[tuple[ImageSet, str, str]]:
    """Sources of third-party sets whose last step is known."""
    with components.open(newline="") as file:
        known = {(row["set"], row["source"]): _TRUTH.get(row["final_component"]) for row in csv.DictReader(file)}
    return [
        (images, f"third party, {folder}", truth)
        for folder in folders for images in read_sources(wild / folder) if (truth := known.get((folder, images.name)))
    ]  # fmt: skip


def asked(
    sources: Sequence[tuple[ImageSet, str, str]], method: Fingerprinter, cache: Cache | None, conditions: Sequence[Jpeg]
) -> list[Asked]:
    """Their fingerprints."""
    found = []
    for images, group, truth in sources:
        prints = {"": method.extract(images, cache=cache)}
        if not any(one and one.format == "JPEG" for one in prints[""].facts):
            prints |= {one.name: method.extract(images, cache=cache, processing=one) for one in conditions}
        found.append(Asked(images.name, group, truth, prints))
    return found


def answers(reader: StructureReader, sources: Sequence[Asked]) -> list[Row]:
    """The answer about up to six disjoint sets of each source, size and condition."""
    rows = []
    for one in sources:
        for condition, whole in one.prints.items():
            order = np.random.default_rng(0).permutation(len(whole))
            jpeg = bool(condition) or any(f and f.format == "JPEG" for f in whole.facts)
            truths = {DOUBLING: one.truth, JPEG: ANSWERS[JPEG][jpeg]}
            for size in SIZES:
                for part in range(min(MOST, len(whole) // size)):
                    own = whole[order[part * size :][:size]]
                    for trait in read_structure(own, reader).traits:
                        out = reader.classifiers[trait.question].excluded(own.mean, size)
                        left = [name for name, not_it in zip(ANSWERS[trait.question], out, strict=True) if not not_it]
                        likelier, probability = max(trait.probabilities.items(), key=lambda item: item[1])
                        rows.append(
                            Row(one.name, one.group, trait.question, condition, size, truths[trait.question], left[0] if len(left) == 1 else UNKNOWN,
                                trait.answer != UNKNOWN, probability, likelier)
                        )  # fmt: skip
    return rows


def confusion(rows: Sequence[Row], question: str) -> str:
    """Counts of answers by group, condition, truth and size."""
    lines = [
        f"| sources | in the condition | truth | number of sources | {' | '.join(f'{n} images' for n in SIZES)} |",
        "|" + " --- |" * (4 + len(SIZES)),
    ]
    own = [row for row in rows if row.question == question]
    names = (*ANSWERS[question], UNKNOWN)
    for group, condition, truth in dict.fromkeys((r.group, r.condition, r.truth) for r in own):
        alike = [r for r in own if (r.group, r.condition, r.truth) == (group, condition, truth)]
        cells = []
        for size in SIZES:
            counts = Counter(r.answer for r in alike if r.size == size)
            cells.append(" / ".join(str(counts[name]) for name in names) if counts else "")
        sources = len({r.source for r in alike})
        lines.append(f"| {group} | {condition or 'as they are'} | {truth} | {sources} | {' | '.join(cells)} |")
    return "\n".join(lines)


def precision(rows: Sequence[Row], size: int, rng: np.random.Generator) -> str:
    """Right among stated, with its interval by bootstrap over sources, and the share of unknown."""
    sources = sorted({(r.group, r.source) for r in rows})
    counts = np.array(
        [
            [
                sum(r.stated and r.truth == STATED[r.question] for r in own), sum(r.stated for r in own), len(own),
            ]
            for one in sources
            if (own := [r for r in rows if (r.group, r.source) == one and r.size == size])
        ]
    )  # fmt: skip
    if not len(counts) or not counts[:, 1].sum():
        return "none stated"
    again = counts[rng.integers(len(counts), size=(2000, len(counts)))].sum(1)
    low, high = np.quantile(again[again[:, 1] > 0, 0] / again[again[:, 1] > 0, 1], [0.025, 0.975])
    right, stated, total = counts.sum(0)
    return f"{right} of {stated} = {right / stated:.0%} [{low:.0%}, {high:.0%}], unknown {1 - stated / total:.0%}"


def by_method(rows: Mapping[str, Sequence[Row]], question: str) -> str:
    """Precision of what each method states, by group; of the last doubling, of sets as they are."""
    lines = [f"| sources | method | {' | '.join(f'{n} images' for n in SIZES)} |", "|" + " --- |" * (2 + len(SIZES))]
    rng = np.random.default_rng(0)
    for group in dict.fromkeys(r.group for r in rows["set_encoder"]):
        for method, every in rows.items():
            own = [
                r for r in every if r.group == group and r.question == question
                and (question == JPEG or not r.condition)
            ]  # fmt: skip
            if own:
                lines.append(f"| {group} | {method} | {' | '.join(precision(own, n, rng) for n in SIZES)} |")
    return "\n".join(lines)


def reliability(rows: Sequence[Row], question: str) -> str:
    """How often the likelier answer is right, by its probability, at ten images."""
    edges = (0.5, 0.7, 0.9, 0.97, 1.001)
    lines = ["| sources | " + " | ".join(f"{a:g} to {min(1, b):g}" for a, b in pairwise(edges)) + " |",
             "|" + " --- |" * len(edges)]  # fmt: skip
    kept = [r for r in rows if r.question == question and r.truth != NO_DOUBLING and r.size == 10]
    kept = [r for r in kept if question == JPEG or not r.condition]
    for group in dict.fromkeys(r.group for r in kept):
        cells = []
        for low, high in pairwise(edges):
            own = [r for r in kept if r.group == group and low <= r.probability < high]
            cells.append(f"{sum(r.likelier == r.truth for r in own)} of {len(own)}" if own else "")
        lines.append(f"| {group} | {' | '.join(cells)} |")
    return "\n".join(lines)


def known(rows: Sequence[Row], question: str, third: bool) -> Known:
    """What is shipped with the reader: how it did on shipped generators and real images, or on third-party sources."""
    rows = [r for r in rows if r.group.startswith("third party") == third]
    own = [r for r in rows if r.question == question and r.size == KNOWN_AT and (question == JPEG or not r.condition)]
    counts = Counter((r.stated, r.truth == STATED[question]) for r in own)
    right, wrong, missed, unknown = (
        counts[kind] for kind in ((True, True), (True, False), (False, True), (False, False))
    )
    where = "third-party sources" if third else "shipped generators and photographs"
    return Known(where, right, wrong, missed, unknown, len({r.source for r in own}), KNOWN_AT)


def main() -> None:
    """Learns if asked to, measures, writes."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("real", "wild", "components"):
        options.add_argument(f"--{name}", type=Path, required=True)
    options.add_argument("--why", required=True, help="why the wild sets are looked at again")
    options.add_argument("--fit", action="store_true")
    options.add_argument("--made", type=Path, help="keeps what simulated decoders make")
    options.add_argument("--sampled", type=Path, help="keeps what shipped generators make")
    options.add_argument("--cache", type=Path)
    options.add_argument("--folders", nargs="*", default=["cifar10", "anime64lineage", "mnist", "t2i"])
    given, start = options.parse_args(), time.monotonic()
    model, cache = Model.load(), Cache(given.cache) if given.cache else None
    encoder = encoder_of(model)
    everything = np.load(given.real)["images"]
    simulated = made_by(given.made, everything[: len(everything) - len(everything) // 10])
    print("simulated", round(time.monotonic() - start), flush=True)
    sets, conditions = reference(given.real, given.sampled), [Jpeg(90), Jpeg(75)]
    generators = asked(sets, encoder, cache, conditions)
    reader = learn(encoder, simulated) if given.fit else StructureReader.load()
    rows = {"set_encoder": answers(reader, generators)}
    print("reference", round(time.monotonic() - start), flush=True)
    for line in ("", confusion(rows["set_encoder"], DOUBLING), confusion(rows["set_encoder"], JPEG)):
        print(line, flush=True)
    found = third_party(given.wild, given.components, given.folders)
    log_wild_run("+".join(given.folders), "structure", given.why)
    rows["set_encoder"] += answers(reader, asked(found, encoder, cache, conditions[1:]))
    if given.fit:
        classifiers = {
            name: replace(one, known=tuple(known(rows["set_encoder"], name, third) for third in (False, True)))
            for name, one in reader.classifiers.items()
        }
        replace(reader, classifiers=classifiers).save(SHIPPED, _CARD)
    print("third party", round(time.monotonic() - start), flush=True)
    small = [one for one in found if one[1].endswith("cifar10")]
    for peer in (RadialSpectrum(), ColourQuantiles(), Thumbnail()):
        of_peer = learn(peer, simulated)
        rows[peer.method] = answers(of_peer, asked(sets + small, peer, None, conditions[1:]))
        print(peer.method, round(time.monotonic() - start), flush=True)
    texts = {
        f"{name}_{kind}": write(rows["set_encoder"] if kind != "methods" else rows, question)
        for name, question in (("doubling", DOUBLING), ("jpeg", JPEG))
        for kind, write in (("confusion", confusion), ("reliability", reliability), ("methods", by_method))
    }
    template = (ROOT / "benchmarks/structure.template.md").read_text()
    made = provenance(0, start, model.identity)
    (ROOT / "docs/structure.md").write_text(template.format(provenance=made, **texts))
    if given.cache:
        Path(given.cache).with_suffix(".rows.json").write_text(
            json.dumps([asdict(row) for every in rows.values() for row in every])
        )


if __name__ == "__main__":
    main()
