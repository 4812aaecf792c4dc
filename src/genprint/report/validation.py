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
from genprint.answers.expected import ENOUGH_SETS, ENOUGH_SOURCES
from genprint.evaluation.validation import Share, Validation
from genprint.fingerprints.conditions import ORIGINAL
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.model import Model
from genprint.report import figures
from genprint.report.blocks import Block, Items, Picture, Section, Table, Text, Verdict
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
    name = Path(made["settings"]["gallery"]).name
    head = Verdict(
        f"Validation of {name}", "", "How far can answers from this gallery be relied on? A part of its own images was "
        "held back and asked about: with all sources enrolled, and with the images' own source left out, so that it "
        "was unknown.",
    )  # fmt: skip
    sections = (
        Section("In short", (Items(tuple(summary(found))), *_limits(found))),
        Section("Answers", tuple(_rates(found))),
        Section("Likelihood ratios", tuple(_ratios(found))),
        Section("What the gallery covers", (_covers(made),)),
        Section("How it was made", tuple(_made(made)), folded=True),
    )
    about = f"{counted(len(made['covers']), 'source')}. Written {made['written'][:16].replace('T', ' ')} UTC."
    return fill("page.html", title=head.title, about=about, verdict=head, sections=sections)


def _limits(found: Validation) -> list[Text]:
    held = (
        "All this holds for sources like the enrolled ones. It says nothing of a kind of source that the gallery does "
        "not have. While images were held back, fewer were enrolled than the gallery has, so that the rates are a "
        "little careful."
    )
    return [Text(held), *(Text(f"Not measured: {one}", "warning") for one in found.lacking)]


def _rates(found: Validation) -> list[Block]:
    asked = (
        f"At most {found.rate:.1%} false attributions were asked for, or that is the least that so many sources "
        "support. Each cell: how many sets of how many, then the mean over sources with its 95 % interval (bootstrap "
        f"over sources). Fewer than {ENOUGH_SETS} sets or {ENOUGH_SOURCES} sources are {_FEW}."
    )
    columns = "size, condition, images in a set", "sources", "sets", "right", "wrong", "false (source unknown)", ""
    rows = tuple(
        (f"{f'{one.px} px, ' if one.px else ''}{one.condition}, {one.images}", str(one.right.mean.sources),
         str(one.right.sets), *map(_share, (one.right, one.wrong, one.false)), "" if one.enough else _FEW)
        for one in found.rates
    )  # fmt: skip
    return [Text(asked), Table(columns, rows)]


def _ratios(found: Validation) -> list[Block]:
    if not found.ratios:
        return [Text("Likelihood ratios are not given by so small a gallery, so that none was measured.")]
    meant = (
        "Cllr is the cost of the ratios: 0 is perfect, and 1 or more is no better than saying nothing. Cllr_min is "
        "what would be left if they were recalibrated perfectly. ECE is how far the posterior at even prior is from "
        "the truth on average. Misleading: of sets whose source is not enrolled, how many have a ratio above 1 for "
        "the best other source, which is the one that an answer tells. No ratio is above the cap. ELUB: the least and "
        "the largest ratio that so many sets bear out (Vergeer et al., 2016)."
    )
    columns = "condition, images in a set", "sources", "Cllr", "Cllr_min", "ECE", "misleading", "cap", "ELUB"
    of = [(f"{one.condition}, {one.images}", one.found) for one in found.ratios]
    rows = tuple(
        (name, str(one.cllr.sources),
         f"{one.cllr.mean:.2f} [{one.cllr.low:.2f}, {one.cllr.high:.2f}]", f"{one.cllr_min:.2f}",
         f"{one.ece:.3f}",
         f"{one.misleading.mean:.0%} [{one.misleading.low:.0%}, {one.misleading.high:.0%}]",
         f"{math.exp(one.cap):.3g}", _bounds(one.elub))
        for name, one in of
    )  # fmt: skip
    drawn = [
        Picture(
            figures.themed(one.found.figure()), f"Sets of {one.images}: Tippett plot, and reliability at even prior"
        )
        for one in found.ratios
        if one.condition == ORIGINAL
    ]
    return [Text(meant), Table(columns, rows), *drawn]


def _bounds(elub: tuple[float, float] | None) -> str:
    return "not worked out (extra evaluation)" if elub is None else " to ".join(f"{math.exp(one):.2g}" for one in elub)


def _covers(made: Mapping[str, Any]) -> Table:
    rows = tuple(
        (name, str(one["images"]), str(one["originals"]), f"{one['px']:g}" if one["px"] else "not kept",
         ", ".join(f"{kind} ({count})" for kind, count in one["files"].items()))
        for name, one in made["covers"].items()
    )  # fmt: skip
    return Table(("source", "images", "originals kept", "longer side, px", "files"), rows)


def _made(made: Mapping[str, Any]) -> list[Block]:
    rows = {
        "written": made["written"], "Genprint": made["genprint"], "model": made["model"],
        **{name: str(value) for name, value in made["settings"].items()}, "SHA-256 of the record": made["sha256"],
    }  # fmt: skip
    said = (
        "The JSON beside this page holds every number, and digests of each source's images. Its digest is the SHA-256 "
        "of all the rest of it, as JSON with sorted keys. Reports of answers from this gallery name it, and say so "
        "when the gallery has changed since."
    )
    return [Text(said), Table(("what", "value"), tuple(rows.items()))]


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
