"""Golden answers: what the library answers to fixed images, so that a refactoring can show that it changes nothing.

    python benchmarks/golden.py sample              # once: images of shipped generators, as arrays, golden/images.npz
    python benchmarks/golden.py record              # golden/answers.json
    python benchmarks/golden.py check               # makes all answers again; exit code 1 if one differs

Decisions, names and p are compared exactly, numbers to a relative 1e-6: on one machine, with one number of threads.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genprint.answers.attribution import Identifier
from genprint.answers.families import FamilyTree
from genprint.answers.lineage import lineage
from genprint.answers.mixture import unmix
from genprint.answers.verification import verify
from genprint.encoder.encoder import SetEncoder
from genprint.encoder.network import SetNetwork
from genprint.evaluation.methods import METHODS
from genprint.fingerprints.conditions import CONDITIONS
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.gallery.store import GalleryStore
from genprint.images.processing import Blur, Chain, Jpeg, Resize, Shift
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.plda import PLDA
from genprint.scoring.population import ReferencePopulation

FOLDER = Path(__file__).parent / "golden"
IMAGES, ANSWERS = FOLDER / "images.npz", FOLDER / "answers.json"
SOURCES = (
    "vae-conv-s0", "vae-conv-s1", "gan-dcgan-s0", "gan-dcgan-s1", "flow-wavelet-s0", "flow-wavelet-s1",
    "score-ddim-s0", "score-ddim-s1", "vae-conv-s0-tuned",
)  # fmt: skip
EACH, ENROLLED = 40, 16
# The others are not enrolled: siblings of enrolled seeds, and a descendant.
KNOWN = ("vae-conv-s0", "gan-dcgan-s0", "flow-wavelet-s0", "score-ddim-s0", "gan-dcgan-s1")
TOLERANCE = 1e-6


def sample_images() -> None:
    from genprint.generators.collection import find, load, sample

    drawn = {name: sample(load(find(name))[0], name, EACH, seed=7) for name in SOURCES}
    np.savez_compressed(IMAGES, **drawn)


def small_model(model: Model, images: dict[str, np.ndarray], discriminants: int = 48) -> Model:
    """The model cut to the first discriminants of each tower, with a population of its own."""
    encoder = model.fingerprinter
    assert isinstance(encoder, SetEncoder)
    made = SetEncoder(**encoder.get_params())
    towers, wide = len(encoder.network.towers), encoder.network.config["features"]
    made.network_ = SetNetwork(**{**encoder.network.config, "features": discriminants})
    kept = np.concatenate([np.arange(discriminants) + i * wide for i in range(towers)])
    with torch.no_grad():
        for tower, given in zip(made.network.towers, encoder.network.towers, strict=True):
            tower.layers.load_state_dict(given.layers.state_dict())
            tower.project.weight.copy_(given.project.weight[:discriminants])
            tower.project.bias.copy_(given.project.bias[:discriminants])
        head = encoder.network.head[0]
        made.network.head[0].weight.copy_(head.weight[:, np.concatenate([kept, kept + towers * wide])])
        made.network.head[0].bias.copy_(head.bias)
        made.network.head[2].load_state_dict(encoder.network.head[2].state_dict())
    within, between = (
        covariances[:, :discriminants, :discriminants] for covariances in (model.plda.within, model.plda.between)
    )
    small = Model(made, PLDA(model.plda.mean[kept], within, between))
    population = {name: small.fingerprint(ImageSet.from_array(pixels[:20], name)) for name, pixels in images.items()}
    return small.calibrated(small.plda, population, "golden images")


def log10(llr: float | None) -> float | None:
    return None if llr is None else llr / math.log(10)


def attribution(result: Any) -> dict[str, Any]:
    evidence = result.evidence
    ratio = evidence.ratio
    return {
        "decision": result.decision, "source": result.source, "images": result.images, "score": evidence.score,
        "threshold": evidence.threshold, "rate": evidence.rate, "size": evidence.calibrated_at, "p": evidence.p,
        "condition": result.condition,
        "candidates": [[found.source, found.raw_llr, found.posterior] for found in evidence.candidates],
        "lr": ratio and [log10(ratio.llr), log10(ratio.low), log10(ratio.high), log10(ratio.cap), ratio.sources,
                         {str(n): list(map(log10, row)) for n, row in ratio.by_images.items()}],
    }  # fmt: skip


def verification(result: Any) -> dict[str, Any]:
    evidence = result.evidence
    return {
        "decision": result.decision, "similarity": evidence.similarity, "same": evidence.same_above,
        "different": evidence.different_below, "lr": log10(result.llr), "rate": result.rate,
        "sources": result.sources, "conditions": list(evidence.conditions), "one_condition": evidence.one_condition,
        "typical": evidence.typical,
    }  # fmt: skip


def mixture(result: Any) -> dict[str, Any]:
    return {
        "decision": result.decision, "mixed_p": result.mixed_p, "fit_p": result.fit_p, "condition": result.condition,
        "shares": [[share.source, share.share, share.low, share.high] for share in result.shares],
        "members": [[member.image, member.source, member.probability] for member in result.members],
    }  # fmt: skip


def descent(result: Any) -> dict[str, Any]:
    return {
        "decision": result.decision, "rate": result.rate, "p": result.p, "distance": result.distance,
        "others": result.others, "margin": list(result.margin),
    }  # fmt: skip


def tree(result: FamilyTree) -> dict[str, Any]:
    return {
        "newick": result.newick(), "distances": result.distances.tolist(),
        "support": result.support and list(result.support),
    }  # fmt: skip


def answers(quick: bool) -> Iterator[tuple[str, Any]]:
    """Every answer and its name, one at a time; the quick ones by the small encoder alone."""
    with np.load(IMAGES) as file:
        images = {name: file[name] for name in SOURCES}
    shipped = Model.load()
    small = small_model(shipped, images)
    for label, model in ({"small": small} if quick else {"small": small, "shipped": shipped}).items():
        for name, answer in by_model(model, images, label == "small"):
            yield f"{label}: {name}", answer


def by_model(model: Model, images: dict[str, np.ndarray], every: bool) -> Iterator[tuple[str, Any]]:
    def read(pixels: np.ndarray, name: str) -> Fingerprint:
        return model.fingerprint(ImageSet.from_array(pixels, name))

    plain = {name: read(pixels, name) for name, pixels in images.items()}
    known = {name: plain[name][np.arange(ENROLLED)] for name in KNOWN}
    identifier = Identifier(model, known, conditions=False)
    for size in (1, 4, 12) if every else (1, 12):
        for name in SOURCES:
            probe = plain[name][np.arange(ENROLLED, ENROLLED + size)]
            yield f"attribute {size} of {name}", attribution(identifier.identify(probe, grown=size > 1))
    overlap = plain["gan-dcgan-s0"][np.arange(ENROLLED - 4, ENROLLED + 6)]
    yield "attribute, enrolled images among it", attribution(identifier.identify(overlap))
    two = Identifier(model, dict(list(known.items())[:2]), conditions=False)
    yield "attribute, two enrolled", attribution(two.identify(plain["vae-conv-s0"][np.arange(20, 26)]))

    in_conditions = {name: read(images[name][:12], name) for name in KNOWN}
    gallery = GalleryStore(None, model)
    gallery.add_all(in_conditions.items())
    matched = Identifier(model, gallery.fingerprints())
    processings = {
        "nothing": Chain(()), "JPEG 90": Jpeg(90), "blur": Blur(1.0), "shift": Shift(1, 1),
        "resize, JPEG": Chain((Resize(0.75), Jpeg(80))),
    }  # fmt: skip
    for processing, apply in processings.items() if every else list(processings.items())[:2]:
        for name in ("vae-conv-s0", "gan-dcgan-s1", "score-ddim-s1")[: 3 if every else 2]:
            probe = read(apply(images[name][20:30]), name)
            yield f"attribute {name} after {processing}, conditions", attribution(matched.identify(probe))
    yield "nearest of the gallery", gallery.index().nearest(model.fingerprinter.embed(plain["vae-conv-s1"]), 3)

    pairs = (("vae-conv-s0", "vae-conv-s0"), ("vae-conv-s0", "vae-conv-s1"), ("gan-dcgan-s0", "score-ddim-s0"))
    population = ReferencePopulation.fit(model.plda, in_conditions, "golden", conditions=tuple(CONDITIONS.values()))
    for a, b in pairs:
        left, right = read(images[a][20:30], a), read(Jpeg(90)(images[b][30:40]), b)
        unprocessed = plain[a][np.arange(20, 30)], plain[b][np.arange(30, 40)]
        yield f"verify {a}, {b}", verification(verify(model, *unprocessed))
        yield f"verify {a}, {b} after JPEG, own population", verification(verify(model, left, right, population))

    mixed = np.concatenate([images["vae-conv-s0"][20:32], images["gan-dcgan-s0"][20:26]])
    yield "mixture of two", mixture(unmix(model, known, read(mixed, "mixed"), draws=100, conditions=False))
    yield (
        "mixture of one",
        mixture(unmix(model, known, plain["flow-wavelet-s0"][np.arange(20, 36)], draws=100, conditions=False)),
    )
    yield "mixture after JPEG", mixture(unmix(model, in_conditions, read(Jpeg(82)(mixed), "mixed"), draws=100))
    for child in ("vae-conv-s0-tuned", "vae-conv-s1"):
        apart = [plain["gan-dcgan-s0"], plain["score-ddim-s0"]]
        yield f"lineage of {child}", descent(lineage(model, plain[child], plain["vae-conv-s0"], apart))
    yield "families", tree(FamilyTree.of(model.scorer, list(plain.values()), support=10))
    probes = [plain[name][np.arange(20, 26)] for name in SOURCES]
    for method in (
        "set_encoder",
        "set_encoder_normalised",
        "set_encoder_lda",
        "set_encoder_cosine",
        "set_encoder_vote",
    ):
        yield f"scores of {method}", METHODS[method].comparer(model).score(probes, list(known.values())).tolist()


def differences(where: str, then: Any, now: Any) -> Iterator[tuple[str, float]]:
    """Places where two answers differ, with the relative difference of numbers (infinite for anything else)."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted(then.keys() | now.keys()):
            yield from differences(f"{where}.{key}", then.get(key), now.get(key))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for i, pair in enumerate(zip(then, now, strict=True)):
            yield from differences(f"{where}[{i}]", *pair)
    elif isinstance(then, float) and isinstance(now, float) and not where.endswith((".p", "_p")):
        if math.isfinite(then) or math.isfinite(now):
            # Where a number is next to nothing beside one (a share, a log density of hundreds), so is its difference.
            yield where, abs(then - now) / max(1.0, abs(then), abs(now))
    elif then != now:
        yield where, math.inf


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("what", choices=("sample", "record", "check"))
    asked.add_argument("--quick", action="store_true", help="check only the small encoder's")
    options = asked.parse_args()
    if options.what == "sample":
        sample_images()
        return
    start = time.monotonic()
    found = {}
    for name, answer in answers(options.quick):
        found[name] = json.loads(json.dumps(answer))
        print(f"{time.monotonic() - start:6.0f} s  {name}", file=sys.stderr)
    if options.what == "record":
        ANSWERS.write_text(json.dumps(found, indent=0) + "\n")
        return
    recorded = json.loads(ANSWERS.read_text())
    if options.quick:
        recorded = {name: own for name, own in recorded.items() if name.startswith("small")}
    places = list(differences("", recorded, found))
    worst = max((difference for _, difference in places), default=0.0)
    wrong = [f"{where}: {difference:.3g}" for where, difference in places if difference > TOLERANCE]
    print("\n".join(wrong[:50]))
    print(f"{len(recorded)} answers; largest relative difference {worst:.3g}; {len(wrong)} places differ by more")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
