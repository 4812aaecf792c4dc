"""A case: one attribution with all that is needed to read it, to doubt it and to make it again.

Its seal is a digest that anybody can renew: it shows accidents. Forgeries are shown by making the case again, and by a
log (``casebook``) whose last hash is kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from genprint._version import __version__
from genprint.answers.results import Attribution
from genprint.fingerprints.fingerprint import Features
from genprint.images.manifest import NOT_CHECKED, Manifest, overall
from genprint.images.sets import ImageSet

SCHEMA = 3
_SHOWN = 64  # images of a set that its pictures and file facts are of
_NOT_AT_HAND = "not-checked"  # warnings of known sources whose files were elsewhere
_SIDE = 256  # px of a picture; the middle of larger images is shown
_TOLERANCE = 1e-3  # relative, of numbers that another machine recomputes


class CaseError(ValueError):
    """The file is no case, or was changed."""


@dataclass(frozen=True)
class Look:
    """A first look at a set's files: the middle of some images, how often each file fact and manifest occurs."""

    pixels: tuple[np.ndarray, ...]
    facts: dict[str, int]
    manifests: dict[Manifest, int]

    @classmethod
    def at(cls, images: ImageSet, pictures: bool = True) -> Look:
        """At the first images of a set; without their pixels if so wanted."""
        pixels: list[np.ndarray] = []
        facts: Counter[str] = Counter()
        manifests: Counter[Manifest] = Counter()
        for image in islice(images, _SHOWN):
            facts[_fact(image)] += 1
            manifests[image.facts.manifest if image.facts else Manifest(NOT_CHECKED)] += 1
            if pictures:
                pixels.append(_middle(image.pixels))
        return cls(tuple(pixels), dict(facts), dict(manifests))

    def stack(self) -> np.ndarray | None:
        """The images as one array, if they are of one size."""
        return np.stack(self.pixels) if len({own.shape for own in self.pixels}) == 1 else None


def _middle(pixels: np.ndarray) -> np.ndarray:
    top, left = (max(0, side - _SIDE) // 2 for side in pixels.shape[:2])
    return pixels[top : top + _SIDE, left : left + _SIDE].copy()


def _fact(image: Any) -> str:
    size = f"{image.pixels.shape[1]}x{image.pixels.shape[0]}"
    if image.facts is None:
        return f"array {size}"
    facts = image.facts
    parts = [facts.format, size, facts.mode, facts.quality and f"quality {facts.quality}", facts.subsampling]
    return " ".join(str(part) for part in [*parts, *facts.metadata, *image.conversions] if part)


def confounds(probe: Look, known: Mapping[str, Look]) -> list[str]:
    """What of the probe's files is not found among the known sources' files, or only among some of them."""
    warnings = []
    seen = {fact for look in known.values() for fact in look.facts}
    looked_at = f"the known sources' (the first {_SHOWN} of each)"
    for fact in probe.facts:
        having = [name for name, look in known.items() if fact in look.facts]
        if fact not in seen:
            warnings.append(f"files like the probe's ({fact}) are not among {looked_at}: histories may differ")
        elif len(having) < len(known):
            warnings.append(
                f"files like the probe's ({fact}) are only those of {', '.join(having)} among {looked_at}: "
                "that may be why"
            )
    return warnings


def record(
    result: Attribution,
    probe: Features,
    enrolled: Mapping[str, Features],
    encoder_digest: str,
    inputs: Mapping[str, str | float | bool | None],
    look: Look,
    warnings: Sequence[str] | None,
) -> dict[str, Any]:
    """The case as plain values, sealed by a digest of its own.

    Args:
        inputs: paths and parameters that ``genprint attribute`` was given.
        warnings: of ``confounds``; None where the known sources' files were not at hand.
    """
    evidence = result.evidence
    case = {
        "schema": SCHEMA,
        "genprint": __version__,
        "encoder": encoder_digest,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": dict(inputs),
        "propositions": [evidence.hp, evidence.hd] if evidence else None,
        "channels": {
            "fingerprint": result.answer,
            "C2PA manifest": {
                "state": overall(look.manifests),
                "files": {str(manifest): count for manifest, count in look.manifests.items()},
            },
            "file facts": {"probe": look.facts, "warnings": _NOT_AT_HAND if warnings is None else list(warnings)},
        },
        "attribution": result.to_dict(),
        "probe": [{"image": name, "sha256": digest} for name, digest in zip(probe.names, probe.digests, strict=True)],
        "known": {name: {"images": len(own), "digest": set_digest(own)} for name, own in enrolled.items()},
    }
    case = json.loads(json.dumps(case))  # keys and numbers as they will be read again
    return {**case, "sha256": _seal(case)}


def set_digest(features: Features) -> str:
    """SHA-256 of the images' digests, in the order of these."""
    return hashlib.sha256("".join(sorted(features.digests)).encode()).hexdigest()


def _seal(case: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(case, sort_keys=True).encode()).hexdigest()


def to_json(case: Mapping[str, Any]) -> str:
    """The case as it is kept."""
    return json.dumps(case, indent=2)


def read(path: Path) -> dict[str, Any]:
    """A case that was written and not changed since.

    Raises:
        CaseError: it is something else, or was changed.
    """
    try:
        case = json.loads(path.read_bytes())
        sealed = case.pop("sha256")
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CaseError(f"{path}: not a report of genprint attribute --report: {error}") from None
    if case.get("schema") != SCHEMA:
        raise CaseError(f"{path}: of schema {case.get('schema')}; this version of Genprint reads {SCHEMA}")
    if _seal(case) != sealed:
        raise CaseError(f"{path}: was changed after it was written: its digest does not match")
    return case


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between a case and the same one made again; nothing, if all holds.

    When and by which version they were made, and where the files lay, is not compared; nor are warnings of the known
    sources' files, where these were at hand once only.
    """
    found = [
        f"known source {name}: not the same"
        for name in sorted(then["known"].keys() | now["known"].keys())
        if then["known"].get(name) != now["known"].get(name)
    ]
    digests = [sorted(image["sha256"] for image in case["probe"]) for case in (then, now)]
    if digests[0] != digests[1]:
        found.append("probe: its images are not the same")
    if then["encoder"] != now["encoder"]:
        found.append(f"encoder: {now['encoder'][:12]}... now, {then['encoder'][:12]}... then")
    if found:
        return found
    facts = [case["channels"]["file facts"] for case in (then, now)]
    if any(own["warnings"] == _NOT_AT_HAND for own in facts):
        facts = [{"probe": own["probe"]} for own in facts]
    parts = [
        {
            "propositions": case["propositions"],
            "channels": {**case["channels"], "file facts": own},
            "attribution": {**case["attribution"], "left_out": len(case["attribution"]["left_out"])},
        }
        for case, own in zip((then, now), facts, strict=True)
    ]
    return [line.removeprefix("case.") for line in _unlike("case", *parts)]


def _unlike(where: str, then: Any, now: Any) -> list[str]:
    if isinstance(then, dict) and isinstance(now, dict):
        keys = sorted(then.keys() | now.keys())
        return [line for key in keys for line in _unlike(f"{where}.{key}", then.get(key), now.get(key))]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [line for i, pair in enumerate(zip(then, now, strict=True)) for line in _unlike(f"{where}[{i}]", *pair)]
    if isinstance(then, float) and isinstance(now, float):
        same = math.isclose(then, now, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    else:
        same = then == now
    return [] if same else [f"{where}: {now} now, {then} then"]
