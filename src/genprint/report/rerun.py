"""Old cases asked again: does a gallery that has changed since still give the answers that were given?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genprint._version import __version__
from genprint.answers.results import ERROR, plain_values
from genprint.errors import GenprintError
from genprint.images.sets import ImageSet
from genprint.report import log
from genprint.report.record import RecordError, set_digest
from genprint.storage.files import canonical_digest
from genprint.words import counted, first_of

if TYPE_CHECKING:
    from genprint.answering import Gallery

#: What became of a case: its answer is the same, is another, could not be asked for, or ended in an error.
SAME, CHANGED, SKIPPED, FAILED = "same", "changed", "skipped", "error"
# Schemas of records that say all that it takes to ask again.
_READ = (5, 6)


class _Skip(Exception):
    """A case cannot be asked again; says why."""


@dataclass(frozen=True)
class Answer:
    """What matters of an answer: the decision, the source, and the natural log of the likelihood ratio."""

    decision: str
    source: str | None
    llr: float | None

    def __str__(self) -> str:
        ratio = "" if self.llr is None else f" (llr {self.llr:.2f})"
        return f"{self.decision}{f' to {self.source}' if self.source else ''}{ratio}"


@dataclass(frozen=True)
class Case:
    """One old case.

    Attributes:
        probe: its name.
        asked: when its report was written.
        outcome: ``same``, ``changed``, ``skipped`` or ``error``; decision and source count, not the ratio.
        then: the answer of the report.
        now: the answer of the gallery; None if it could not be asked.
        differs: what is not as it was then: gallery, model, version; '' if nothing.
        detail: which sources of the gallery differ, or why there is no answer.
    """

    probe: str
    asked: str
    outcome: str
    then: Answer | None
    now: Answer | None
    differs: str
    detail: str


@dataclass(frozen=True)
class Rerun:
    """All cases, in their order."""

    gallery: str
    cases: tuple[Case, ...]

    @property
    def outcomes(self) -> dict[str, int]:
        """How many cases there are of each outcome."""
        found = Counter(case.outcome for case in self.cases)
        return {outcome: found[outcome] for outcome in (SAME, CHANGED, SKIPPED, FAILED)}

    @property
    def why(self) -> dict[str, int]:
        """Of the changed answers, how many for which reason."""
        return dict(Counter(case.differs or "nothing that is known" for case in self.cases if case.outcome == CHANGED))

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {"outcomes": self.outcomes, "why": self.why, **plain_values(self)}

    def rows(self) -> Iterator[tuple[object, ...]]:
        """A table: what its columns are, then a row for each case."""
        yield ("probe", "asked", "outcome", "then", "llr_then", "now", "llr_now", "differs", "detail")
        for case in self.cases:
            answers = [
                (f"{one.decision}{f' to {one.source}' if one.source else ''}", "" if one.llr is None else one.llr)
                if one
                else ("", "")
                for one in (case.then, case.now)
            ]
            yield (case.probe, case.asked, case.outcome, *answers[0], *answers[1], case.differs, case.detail)

    def __str__(self) -> str:
        lines = [
            f"{case.probe}: {case.then or 'no answer'} -> {case.now or 'no answer'}  [{case.outcome}]"
            + (f"  {'; '.join(filter(None, (case.differs, case.detail)))}" if case.outcome != SAME else "")
            for case in self.cases
        ]
        parts = [f"{count} {outcome}" for outcome, count in self.outcomes.items() if count]
        why = "".join(f"; changed with {reason}: {count}" for reason, count in self.why.items())
        return "\n".join([*lines, f"{counted(len(self.cases), 'case')}: {', '.join(parts)}{why}"])


def read(path: Path) -> list[dict[str, Any]]:
    """The records in a log of cases, in the JSON of a report, or in a list of such.

    Raises:
        LogError: a log that was changed.
        RecordError: it is none of these, there is none, or a record was changed after it was written.
    """
    try:
        content = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: cannot be read: {error}") from None
    try:
        found = json.loads(content)
        entries = found if isinstance(found, list) else [found]
    except ValueError:
        entries = _lines(path, content)
    if entries and all(isinstance(one, dict) and {"entry", "hash"} <= one.keys() for one in entries):
        log.check(path)
        entries = [one["entry"] for one in entries]
    if not entries:
        raise RecordError(f"{path}: there is no case in it")
    for number, record in enumerate(entries, start=1):
        if not isinstance(record, dict) or "attribution" not in record:
            raise RecordError(f"{path}: case {number} is no report of an answer; give a log of attribute --log")
        rest = {name: value for name, value in record.items() if name != "sha256"}
        if record.get("sha256") != canonical_digest(rest):
            raise RecordError(f"{path}: case {number} was changed after it was written: its digest does not match")
    return entries


def _lines(path: Path, content: str) -> list[Any]:
    try:
        return [json.loads(line) for line in content.splitlines()]
    except ValueError:
        raise RecordError(f"{path}: neither a log of genprint attribute --log, nor JSON of reports") from None


def rerun(records: list[dict[str, Any]], gallery: Gallery, progress: Callable[[], None] | None = None) -> Rerun:
    """Asks a gallery about old cases again, with the rate and the conditions that they were asked with.

    Args:
        records: of answers; see ``read``.
        gallery: as it is now.
        progress: called after every case.
    """
    cases = []
    for record in records:
        cases.append(_case(record, gallery))
        if progress:
            progress()
    return Rerun(gallery.path, tuple(cases))


def _case(record: Mapping[str, Any], gallery: Gallery) -> Case:
    old = record["attribution"]
    probe, asked = str(old.get("probe")), str(record.get("written"))
    then = Answer(old["decision"], old.get("source"), old.get("llr")) if "decision" in old else None
    try:
        images = _images(record)
        given = record["inputs"]
        result = gallery.attribute(
            images, probe, given["rate"], given["conditions"], trust="", stress=given.get("stress") or False
        )
    except _Skip as why:
        return Case(probe, asked, SKIPPED, then, None, "", str(why))
    except GenprintError as error:
        return Case(probe, asked, FAILED, then, Answer(ERROR, None, None), "", str(error))
    now = Answer(result.decision, result.source, result.llr)
    assert result.asked is not None
    known = {name: {"images": len(one), "digest": set_digest(one)} for name, one in result.asked.known.items()}
    sources = _sources(record["known"], known)
    differs = [
        what
        for what, changed in (
            ("another gallery", bool(sources)),
            ("another model", record["model"] != gallery.model.identity),
            (f"another version (was {record['genprint']})", record["genprint"] != __version__),
        )
        if changed
    ]
    assert then is not None
    same = (then.decision, then.source) == (now.decision, now.source)
    return Case(probe, asked, SAME if same else CHANGED, then, now, ", ".join(differs), sources)


def _images(record: Mapping[str, Any]) -> ImageSet:
    """The probe of a case, if it is there and as it was."""
    if record.get("schema") not in _READ:
        raise _Skip(f"its report is of schema {record.get('schema')}, which this version cannot ask again")
    path = record["inputs"].get("probe")
    if path is None:
        raise _Skip("it was not asked of one path (an upload, several paths, or a part of an archive): ask anew")
    if not Path(path).exists():
        raise _Skip(f"{path}: not there any more; put it back")
    try:
        images = ImageSet.read(path, str(record["attribution"]["probe"]))
        now = Counter(image.sha256 for image in images)
    except GenprintError as error:
        raise _Skip(f"{path}: cannot be read any more: {error}") from None
    then = Counter(image["sha256"] for image in record["probe"])
    if now != then:
        lost, fresh = (then - now).total(), (now - then).total()
        raise _Skip(f"{path}: not the images of then: {lost} of {then.total()} are gone or changed, {fresh} are new")
    return images


def _sources(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which sources differ, in words; '' if none does."""
    kinds = {
        "new": sorted(now.keys() - then.keys()),
        "gone": sorted(then.keys() - now.keys()),
        "with other images": sorted(name for name in then.keys() & now.keys() if then[name] != now[name]),
    }
    return "; ".join(
        f"{counted(len(names), 'source')} {kind}: {first_of(names)}" for kind, names in kinds.items() if names
    )
