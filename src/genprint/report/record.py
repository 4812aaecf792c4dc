"""The record of an attribution: all that is needed to read it, check it and reproduce it.

Its seal is a digest that anybody can renew: it shows accidents. Forgeries are shown by making the attribution again,
and by a log (``genprint.report.log``) whose last hash is kept elsewhere.
"""

from __future__ import annotations

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
from genprint.answers.results import Attribution, plain_values
from genprint.errors import GenprintError
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.decoding import Image
from genprint.images.sets import ImageSet
from genprint.storage.files import canonical_digest, digest

SCHEMA = 6
_SHOWN = 64  # images of a set that its pictures and file facts are of
_NOT_AT_HAND = "not-checked"  # warnings of known sources whose files were elsewhere
_SIDE = 256  # px of a picture; the middle of larger images is shown
_TOLERANCE = 1e-3  # relative, of numbers that another machine recomputes


class RecordError(GenprintError, ValueError):
    """The file is no record of an attribution, or was changed."""


@dataclass(frozen=True)
class FileSummary:
    """What a set's files are like: the middle of some images, how often each file fact occurs."""

    pixels: tuple[np.ndarray, ...]
    facts: dict[str, int]

    @classmethod
    def of(cls, images: ImageSet, pictures: bool = True) -> FileSummary:
        """Of the first images of a set; without their pixels if so wanted."""
        pixels: list[np.ndarray] = []
        facts: Counter[str] = Counter()
        for image in islice(images, _SHOWN):
            facts[_fact(image)] += 1
            if pictures:
                pixels.append(_middle(image.pixels))
        return cls(tuple(pixels), dict(facts))

    def __add__(self, other: FileSummary) -> FileSummary:
        """Of both sets together."""
        facts = Counter(self.facts) + Counter(other.facts)
        return FileSummary(self.pixels + other.pixels, dict(facts))

    def stack(self) -> np.ndarray | None:
        """The images as one array, if they are of one size."""
        return np.stack(self.pixels) if len({one.shape for one in self.pixels}) == 1 else None


def _middle(pixels: np.ndarray) -> np.ndarray:
    top, left = (max(0, side - _SIDE) // 2 for side in pixels.shape[:2])
    return pixels[top : top + _SIDE, left : left + _SIDE].copy()


def _fact(image: Image) -> str:
    size = f"{image.pixels.shape[1]}x{image.pixels.shape[0]}"
    if image.facts is None:
        return f"array {size}"
    facts = image.facts
    parts = [facts.format, size, facts.mode, facts.quality and f"quality {facts.quality}", facts.subsampling]
    return " ".join(str(part) for part in [*parts, *facts.metadata, *image.conversions] if part)


def confounds(probe: FileSummary, known: Mapping[str, FileSummary]) -> list[str]:
    """What of the probe's files is not found among the known sources' files, or only among some of them."""
    warnings = []
    seen = {fact for summary in known.values() for fact in summary.facts}
    looked_at = f"the known sources' (the first {_SHOWN} of each)"
    for fact in probe.facts:
        having = [name for name, summary in known.items() if fact in summary.facts]
        if fact not in seen:
            warnings.append(f"files like the probe's ({fact}) are not among {looked_at}: conditions may differ")
        elif len(having) < len(known):
            warnings.append(
                f"files like the probe's ({fact}) are only those of {', '.join(having)} among {looked_at}: "
                "that may be why"
            )
    return warnings


def known_files(sources: Sequence[ImageSet]) -> dict[str, FileSummary] | None:
    """What the files of known sources are like, by name; None if they are not at hand."""
    found: dict[str, FileSummary] = {}
    for source in sources:
        own = FileSummary.of(source, pictures=False)
        found[source.name] = found[source.name] + own if source.name in found else own
    return found or None


def record(
    result: Attribution, files: FileSummary | None = None, known: Mapping[str, FileSummary] | None = None
) -> dict[str, Any]:
    """The record as plain values, sealed by a digest.

    Args:
        result: with what it was asked with.
        files: of the probe; looked at if they are not given.
        known: files of the known sources, where these were at hand; see ``known_files``.
    """
    asked = result.asked
    if asked is None:
        raise ValueError("this attribution does not know what it was asked with; ask through genprint.attribute")
    files = files or FileSummary.of(asked.images, pictures=False)
    ratio = result.evidence.ratio if result.evidence else None
    made = {
        "schema": SCHEMA,
        "genprint": __version__,
        "model": asked.model.identity,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": dict(asked.inputs),
        "propositions": [ratio.hp, ratio.hd] if ratio else None,
        "channels": {
            "fingerprint": result.decision,
            "what the files say": plain_values(result.claims),
            "file facts": {
                "probe": files.facts, "warnings": _NOT_AT_HAND if known is None else confounds(files, known),
            },
        },
        "attribution": {name: value for name, value in plain_values(result).items() if name != "claims"},
        "probe": [
            {"image": name, "sha256": sha256}
            for name, sha256 in zip(asked.probe.names or asked.probe.digests, asked.probe.digests, strict=True)
        ],
        "known": {name: {"images": len(one), "digest": set_digest(one)} for name, one in asked.known.items()},
    }  # fmt: skip
    made = json.loads(json.dumps(made))  # keys and numbers as they will be read again
    return {**made, "sha256": canonical_digest(made)}


def set_digest(fingerprint: Fingerprint) -> str:
    """SHA-256 of the images' digests, in the order of these."""
    return digest("".join(sorted(fingerprint.digests)).encode())


def to_json(record: Mapping[str, Any]) -> str:
    """The record as it is kept."""
    return json.dumps(record, indent=2)


def read(path: Path) -> dict[str, Any]:
    """A record that was written and not changed since.

    Raises:
        RecordError: it is something else, or was changed.
    """
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
        sealed = record.pop("sha256")
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise RecordError(f"{path}: not a report of genprint attribute --report: {error}") from None
    if record.get("schema") != SCHEMA:
        raise RecordError(f"{path}: of schema {record.get('schema')}; this version of Genprint reads {SCHEMA}")
    if canonical_digest(record) != sealed:
        raise RecordError(f"{path}: was changed after it was written: its digest does not match")
    return record


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between a record and the same attribution made again; nothing, if all holds.

    When and by which version they were made, and where the files lay, is not compared; nor are warnings of the known
    sources' files, where these were at hand once only.
    """
    found = [
        f"known source {name}: not the same"
        for name in sorted(then["known"].keys() | now["known"].keys())
        if then["known"].get(name) != now["known"].get(name)
    ]
    digests = [sorted(image["sha256"] for image in record["probe"]) for record in (then, now)]
    if digests[0] != digests[1]:
        found.append("probe: its images are not the same")
    if then["model"] != now["model"]:
        found.append(f"model: {now['model']} now, {then['model']} then")
    if found:
        return found
    facts = [record["channels"]["file facts"] for record in (then, now)]
    if any(one["warnings"] == _NOT_AT_HAND for one in facts):
        facts = [{"probe": one["probe"]} for one in facts]
    parts = [
        {
            "propositions": record["propositions"],
            "channels": {**record["channels"], "file facts": fact, "what the files say": _said(record)},
            "attribution": {**record["attribution"], "left_out": len(record["attribution"]["left_out"])},
        }
        for record, fact in zip((then, now), facts, strict=True)
    ]
    return [line.removeprefix("record.") for line in _unlike("record", *parts)]


def _said(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the files say, wherever they lay."""
    said = record["channels"]["what the files say"]
    return said and {**said, "images": {one["sha256"]: one["claims"] for one in said["images"]}}


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
