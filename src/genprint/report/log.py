"""An append-only log of attributions, each line chained to the one before by its hash."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genprint.errors import GenprintError
from genprint.storage.files import canonical_digest

if TYPE_CHECKING:
    from genprint.answers.results import Attribution

_FIRST = "0" * 64


class LogError(GenprintError, ValueError):
    """The log was changed, cut in its middle, or is something else."""


def append_results(path: Path, results: Iterable[Attribution]) -> None:
    """Adds the records of attributions; the files of known sources are looked at once.

    Raises:
        LogError: the log is broken.
    """
    from genprint.report.record import known_files, record

    known: dict[int, Any] = {}
    for result in results:
        if result.asked is not None:
            sources = result.asked.sources
            if id(sources) not in known:
                known[id(sources)] = known_files(sources)
            append(path, record(result, known=known[id(sources)]))


def append(path: Path, entry: Mapping[str, Any]) -> str:
    """Adds an entry and returns its hash; one writer at a time, and none where the log is broken.

    Raises:
        LogError: the log is broken.
    """
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        before = _check(path, file.read())
        line: dict[str, Any] = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "before": before[-1] if before else _FIRST,
        }
        line |= {"entry": dict(entry)}
        line["hash"] = canonical_digest(line)
        file.write(json.dumps(line, sort_keys=True).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return str(line["hash"])


def check(path: Path) -> list[str]:
    """Hashes of all entries. The last one, kept elsewhere, shows later whether entries were cut off the end.

    Raises:
        LogError: the log is broken; says at which line.
    """
    try:
        return _check(path, path.read_bytes())
    except OSError as error:
        raise LogError(f"{path}: cannot be read: {error.strerror}") from None


def _check(path: Path, content: bytes) -> list[str]:
    hashes: list[str] = []
    for number, text in enumerate(content.splitlines(), start=1):
        try:
            line = json.loads(text)
            claimed = line.pop("hash")
            before = line["before"]
        except (ValueError, KeyError, AttributeError, TypeError):
            raise LogError(
                f"{path}: line {number} is no entry of such a log, or cut off; keep the file and begin another"
            ) from None
        if claimed != canonical_digest(line) or before != (hashes[-1] if hashes else _FIRST):
            raise LogError(f"{path}: line {number} was changed, or lines before it were")
        hashes.append(claimed)
    if content and not content.endswith(b"\n"):
        raise LogError(f"{path}: its last line is cut off; keep the file as it is and begin another log")
    return hashes
