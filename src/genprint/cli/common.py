"""How all commands speak: results, messages, errors, exit codes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.text import Text

from genprint.errors import GenprintError
from genprint.words import printable

if TYPE_CHECKING:
    from genprint.images.sets import LeftOut

err = Console(stderr=True)

#: What `genprint` ends with: by the decision of a command that answers one question.
EXIT_CODES = {
    "attributed": 0, "same": 0, "single": 0, "mixed": 0, "derived": 0,
    "unknown": 3, "different": 3, "apart": 3, "inconclusive": 4, "error": 1,
}  # fmt: skip


@contextmanager
def errors(as_json: bool = False) -> Iterator[None]:
    """Turns what users can mend into one line and exit code 1."""
    try:
        yield
    except (GenprintError, ValueError, KeyError, ModuleNotFoundError, OSError) as error:
        message = str(error.args[0] if isinstance(error, KeyError) else error)
        if isinstance(error, ModuleNotFoundError):
            message += "; this command needs an extra: pip install 'genprint[train,generators,service]'"
        if as_json:
            print(json.dumps({"decision": "error", "reason": message}))
        tell(message, "error: ")
        raise typer.Exit(1) from None


def tell(message: str, label: str = "") -> None:
    """A message on stderr, in one line: names may hold what would be taken for markup. The label stands out."""
    err.print(Text.assemble((label, "bold red"), printable(message)), highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A text on stdout; tabs and new lines are its own, for names in it have none."""
    print(printable(text, keep="\t\n"))


def show(result: Any, as_json: bool, text: str) -> None:
    """A result on stdout, whole as JSON or as text."""
    say(json.dumps(result, indent=2) if as_json else text)


def tell_source_left_out(name: str, reason: str) -> None:
    """That a source was left out, and why."""
    tell(f"left out the source {name}: {reason}", "warning: ")


def tell_left_out(name: str, left_out: Sequence[LeftOut]) -> None:
    """Which images of a set were left out, and why."""
    for left in left_out[:10]:
        tell(f"left out {left.name}: {left.reason}")
    if len(left_out) > 10:
        tell(f"... and {len(left_out) - 10} more of {name} (all are in --json)")


def csv_bytes(rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file; of names, what is no visible character is escaped."""
    text = io.StringIO()
    shown = ([printable(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    csv.writer(text, lineterminator="\n").writerows(shown)
    return text.getvalue().encode()
