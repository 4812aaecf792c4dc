"""Progress of commands, on stderr: a bar, or a line now and then where that is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from genprint.cli.common import err, tell
from genprint.words import printable

_EVERY = 5.0  # seconds between lines of progress


class Advance:
    """Advances a progress bar by so much, or takes it to a place of a total; told by ``expect`` what is to come.

    Where stderr is no terminal, a line is written every few seconds instead.
    """

    def __init__(self, unit: str, total: float | None, shown: Progress, task: TaskID):
        self._unit, self._total, self._shown, self._task = unit, total, shown, task
        self._done, self._told = 0.0, time.monotonic()
        self._began = self._told

    def __call__(self, by: float = 1, extra: str = "", at: float | None = None, of: float | None = None) -> None:
        self._done = self._done + by if at is None else at
        self._total = of if of is not None else self._total
        extra = printable(extra)
        self._shown.update(self._task, extra=extra, completed=self._done, total=self._total)
        now = time.monotonic()
        if not err.is_terminal and now - self._told >= _EVERY:
            self._told = now
            tell(" ".join(filter(None, [f"{self._unit}:", f"{self._done:.4g}", self._of(now - self._began), extra])))

    def expect(self, more: int | None) -> None:
        """So many are to come, beside those that are done; None: nobody knows."""
        self._total = None if more is None else self._done + more
        self._shown.update(self._task, total=self._total)

    def _of(self, seconds: float) -> str:
        if not self._total:
            return ""
        left = f", about {seconds * (self._total / self._done - 1):.0f} s left" if self._done else ""
        return f"of {self._total:.4g}{left}"


@contextmanager
def bar(unit: str, total: float | None = None) -> Iterator[Advance]:
    """A progress bar on stderr; yields what advances it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[extra]}", markup=False),
    )
    shown = Progress(*columns, TimeRemainingColumn(), console=err, transient=True, disable=not err.is_terminal)
    with shown as progress:
        yield Advance(unit, total, progress, progress.add_task(unit, total=total, extra=""))
