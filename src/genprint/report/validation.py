"""The validation report of a gallery: a record, sealed as those of answers are, and a page."""

from __future__ import annotations

import math
import platform
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genprint._version import __version__
from genprint.evaluation.validation import ENOUGH_SETS, ENOUGH_SOURCES, Share, Validation
from genprint.fingerprints.conditions import ORIGINAL
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.model import Model
from genprint.report import figures
from genprint.report.record import sealed, set_digest, to_json
from genprint.report.templates import fill
from genprint.storage.files import write_atomically
from genprint.words import counted

#: Of the records of validations; those of answers count for themselves.
SCHEMA = "validation 1"
_FEW = "too few to say"


def record(
    found: Validation, fingerprints: Mapping[str, Fingerprint], model: Model, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The record as plain values, sealed by a digest.

    Args:
        found: what was measured.
        fingerprints: of all sources of the gallery.
        model: of the gallery.
        settings: what it was measured with, and how long that took.
    """
    covered = {
        name: {
            "images": len(source), "originals": len(source.kept()), "px": source.side, "digest": set_digest(source),
            "files": dict(Counter(one.format if one else "not known" for one in source.facts)),
        }
        for name, source in fingerprints.items()
    }  # fmt: skip
    return sealed(
        {
            "schema": SCHEMA, "genprint": __version__, "model": model.identity,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": {**settings, "machine": f"{platform.system()} {platform.machine()}"},
            "covers": covered, "validation": found.to_dict(),
        }
    )  # fmt: skip


def save(path: Path, made: Mapping[str, Any], found: Validation) -> None:
    """Writes the page, and the record beside it as JSON.

    Args:
        path: of the page; the record has its name, ending in ``.json``.
        made: the record.
        found: what it is of.
    """
    write_atomically(path, page(made, found).encode("utf-8", "backslashreplace"))
    write_atomically(path.with_suffix(".json"), to_json(made).encode())


def page(made: Mapping[str, Any], found: Validation) -> str:
    """The page of a validation."""
    rates = {
        f"{f'{one.px} px, ' if one.px else ''}{one.condition}, {one.images}": [
            one.right.mean.sources, one.right.sets, *map(_share, (one.right, one.wrong, one.false)),
            "" if one.enough else _FEW,
        ]
        for one in found.rates
    }  # fmt: skip
    ratios = {
        f"{one.condition}, {one.images}, {which}": [
            kind.cllr.sources, f"{kind.cllr.mean:.2f} [{kind.cllr.low:.2f}, {kind.cllr.high:.2f}]",
            f"{kind.cllr_min:.2f}", f"{kind.ece:.3f}",
            f"{kind.misleading.mean:.0%} [{kind.misleading.low:.0%}, {kind.misleading.high:.0%}]",
            f"{math.exp(kind.cap):.3g}",
        ]
        for one in found.ratios
        for which, kind in (("best other", one.best), ("any other", one.named))
    }  # fmt: skip
    drawn = {
        f"{one.condition}, sets of {one.images}": figures.data_uri(one.best.figure())
        for one in found.ratios
        if one.condition == ORIGINAL
    }
    covers = {
        name: [one["images"], one["originals"], f"{one['px']:g}" if one["px"] else "not kept",
               ", ".join(f"{kind} ({count})" for kind, count in one["files"].items())]
        for name, one in made["covers"].items()
    }  # fmt: skip
    made_with = {
        "written": [made["written"]], "Genprint": [made["genprint"]], "model": [made["model"]],
        **{name: [value] for name, value in made["settings"].items()}, "SHA-256 of the record": [made["sha256"]],
    }  # fmt: skip
    return fill(
        "validation.html", name=Path(made["settings"]["gallery"]).name, found=found, summary=summary(found),
        rates=rates, ratios=ratios, drawn=drawn, covers=covers, made_with=made_with, few=_FEW,
        enough=(ENOUGH_SETS, ENOUGH_SOURCES),
    )  # fmt: skip


def summary(found: Validation) -> list[str]:
    """What was found, in a few sentences: of sets of the most images that there are enough of, by condition."""
    said = []
    for condition in dict.fromkeys(one.condition for one in found.rates):
        among = [one for one in found.rates if one.condition == condition]
        one = max(among, key=lambda one: (one.enough, one.images))
        px = f" of {one.px} px" if one.px else ""
        few = "" if one.enough else f" ({_FEW})"
        said.append(
            f"Condition {condition}, sets of {counted(one.images, 'image')}{px}: "
            f"{one.right.count} of {one.right.sets} were attributed to their source and {one.wrong.count} to another; "
            "with their source left out of the gallery, "
            f"{one.false.count} of {one.false.sets} were attributed falsely{few}."
        )
    return said


def _share(share: Share) -> str:
    mean = share.mean
    return f"{share.count} of {share.sets}, {mean.mean:.0%} [{mean.low:.0%}, {mean.high:.0%}]"
