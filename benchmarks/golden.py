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
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genprint import FamilyTree, Identifier, ImageSet, SetEncoder, verify
from genprint.answers.families import resampled
from genprint.answers.lineage import lineage
from genprint.answers.mixture import unmix
from genprint.encoder.network import SetNetwork
from genprint.evaluation.methods import METHODS
from genprint.fingerprints.fingerprint import Features
from genprint.gallery.store import Gallery
from genprint.images.processing import blur, chain, jpeg, resize, shift
from genprint.scoring.base import ByFingerprint
from genprint.scoring.conditions import HISTORIES
from genprint.scoring.plda import PLDA
from genprint.scoring.population import Verification

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


def small_encoder(encoder: SetEncoder, images: dict[str, np.ndarray], discriminants: int = 48) -> SetEncoder:
    """The encoder cut to the first discriminants of each tower, with a population of its own."""
    made = SetEncoder().set_params(**encoder.get_params())
    towers, wide = len(encoder.network_.towers), encoder.network_.config["features"]
    made.network_ = SetNetwork(**{**encoder.network_.config, "features": discriminants})
    kept = np.concatenate([np.arange(discriminants) + i * wide for i in range(towers)])
    with torch.no_grad():
        for own, given in zip(made.network_.towers, encoder.network_.towers, strict=True):
            own.layers.load_state_dict(given.layers.state_dict())
            own.project.weight.copy_(given.project.weight[:discriminants])
            own.project.bias.copy_(given.project.bias[:discriminants])
        head = encoder.network_.head[0]
        made.network_.head[0].weight.copy_(head.weight[:, np.concatenate([kept, kept + towers * wide])])
        made.network_.head[0].bias.copy_(head.bias)
        made.network_.head[2].load_state_dict(encoder.network_.head[2].state_dict())
    plda = encoder.plda_
    cut = (own[:, :discriminants, :discriminants] for own in (plda.within, plda.between))
    made.plda_ = PLDA(plda.mean[kept], *cut)
    population = {name: made.features(ImageSet.from_array(own[:20], name), histories=HISTORIES)
                  for name, own in images.items()}  # fmt: skip
    made._calibrate(made.plda_, population, "golden images")
    return made


def attribution(result: Any) -> dict[str, Any]:
    evidence = result.evidence
    return {
        "decision": result.answer, "source": result.source, "images": result.images, "score": result.score,
        "threshold": result.threshold, "rate": result.rate, "size": result.calibrated_at, "p": result.p,
        "condition": result.history.replace("none", "original"),
        "candidates": [[own.source, own.log_ratio, own.share] for own in result.candidates],
        "lr": evidence and [evidence.log10_lr, evidence.low, evidence.high, evidence.cap, evidence.sources,
                            {str(n): list(row) for n, row in evidence.by_images.items()}],
    }  # fmt: skip


def verification(result: Any) -> dict[str, Any]:
    return {
        "decision": result.answer, "similarity": result.likeness, "same": result.same_above,
        "different": result.different_below, "lr": result.log10_lr, "rate": result.rate, "sources": result.sources,
        "conditions": [own.replace("none", "original") for own in result.histories],
        "one_condition": result.one_history, "typical": result.typical,
    }  # fmt: skip


def mixture(result: Any) -> dict[str, Any]:
    return {
        "decision": result.answer, "shares": [[own.source, own.share, own.low, own.high] for own in result.shares],
        "mixed_p": result.mixed_p, "fit_p": result.fit_p, "condition": result.history.replace("none", "original"),
        "members": [[own.image, own.source, own.probability] for own in result.members],
    }  # fmt: skip


def descent(result: Any) -> dict[str, Any]:
    return {
        "decision": result.answer, "rate": result.rate, "p": result.p, "distance": result.distance,
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
    shipped = SetEncoder.from_pretrained()
    small = small_encoder(shipped, images)
    for label, encoder in {"small": small} if quick else {"small": small, "shipped": shipped}.items():
        for name, answer in by_encoder(encoder, images, label == "small"):
            yield f"{label}: {name}", answer


def by_encoder(encoder: SetEncoder, images: dict[str, np.ndarray], every: bool) -> Iterator[tuple[str, Any]]:
    def read(pixels: np.ndarray, name: str, histories: bool = False) -> Features:
        return encoder.features(ImageSet.from_array(pixels, name), histories=HISTORIES if histories else {})

    plain = {name: read(own, name) for name, own in images.items()}
    known = {name: plain[name][np.arange(ENROLLED)] for name in KNOWN}
    identifier = Identifier(encoder, known)
    for size in (1, 4, 12) if every else (1, 12):
        for name in SOURCES:
            probe = plain[name][np.arange(ENROLLED, ENROLLED + size)]
            yield f"attribute {size} of {name}", attribution(identifier.identify(name, probe, weigh=size > 1))
    overlap = plain["gan-dcgan-s0"][np.arange(ENROLLED - 4, ENROLLED + 6)]
    yield "attribute, enrolled images among it", attribution(identifier.identify("overlap", overlap))
    two = Identifier(encoder, dict(list(known.items())[:2]))
    yield "attribute, two enrolled", attribution(two.identify("two", plain["vae-conv-s0"][np.arange(20, 26)]))

    with_histories = {name: read(images[name][:12], name, True) for name in KNOWN}
    gallery = Gallery(None, encoder)
    gallery.enroll_all(with_histories.items())
    matched = Identifier(encoder, gallery.features())
    changes = {
        "nothing": lambda own: own, "JPEG 90": jpeg(90), "blur": blur(1.0), "shift": shift(1, 1),
        "resize, JPEG": chain(resize(0.75), jpeg(80)),
    }  # fmt: skip
    for change, apply in changes.items() if every else list(changes.items())[:2]:
        for name in ("vae-conv-s0", "gan-dcgan-s1", "score-ddim-s1")[: 3 if every else 2]:
            probe = read(apply(images[name][20:30]), name)
            yield f"attribute {name} after {change}, conditions", attribution(matched.identify(name, probe))
    nearest = gallery.index().nearest(encoder.summarise(plain["vae-conv-s1"], "", scatter=False).vector, 3)
    yield "nearest of the gallery", nearest

    pairs = (("vae-conv-s0", "vae-conv-s0"), ("vae-conv-s0", "vae-conv-s1"), ("gan-dcgan-s0", "score-ddim-s0"))
    own = Verification.fit(encoder, with_histories, "golden")
    for a, b in pairs:
        left, right = read(images[a][20:30], "left"), read(jpeg(90)(images[b][30:40]), "right")
        yield f"verify {a}, {b}", verification(verify(encoder, a, plain[a][np.arange(20, 30)], b,
                                                      plain[b][np.arange(30, 40)]))  # fmt: skip
        yield f"verify {a}, {b} after JPEG, own population", verification(verify(encoder, a, left, b, right, own))

    mixed = np.concatenate([images["vae-conv-s0"][20:32], images["gan-dcgan-s0"][20:26]])
    yield "mixture of two", mixture(unmix(encoder, known, "mixed", read(mixed, "mixed"), draws=100))
    yield (
        "mixture of one",
        mixture(unmix(encoder, known, "one", plain["flow-wavelet-s0"][np.arange(20, 36)], draws=100)),
    )
    yield (
        "mixture after JPEG",
        mixture(unmix(encoder, with_histories, "mixed", read(jpeg(82)(mixed), "mixed"), draws=100)),
    )
    for child in ("vae-conv-s0-tuned", "vae-conv-s1"):
        apart = {"gan-dcgan-s0": plain["gan-dcgan-s0"], "score-ddim-s0": plain["score-ddim-s0"]}
        yield (
            f"lineage of {child}",
            descent(lineage(encoder, (child, plain[child]), ("vae-conv-s0", plain["vae-conv-s0"]), apart)),
        )
    comparer = ByFingerprint(encoder, encoder.plda_)
    distances = partial(comparer.apart, comparer.adapted(plain.values()))
    family = FamilyTree.build(list(plain), distances(list(plain.values())))
    yield "families", tree(family.with_support(resampled(list(plain.values()), distances, 10)))
    probes = [plain[name][np.arange(20, 26)] for name in SOURCES]
    for method in (
        "set_encoder",
        "set_encoder_normalised",
        "set_encoder_lda",
        "set_encoder_cosine",
        "set_encoder_vote",
    ):
        yield f"scores of {method}", METHODS[method].comparer(encoder).score(probes, list(known.values())).tolist()


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
