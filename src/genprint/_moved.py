"""Paths of before 0.2, for one version: they warn and lead to where things are now."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any


def moved(old: str, **homes: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module whose names have moved.

    Args:
        old: path of the module.
        homes: of each name, the module that has it now, and ``:name`` if it has another one there.
    """

    def getter(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {old!r} has no attribute {name!r}")
        home, _, new = homes[name].partition(":")
        new = new or name
        warnings.warn(
            f"{old}.{name} is {home}.{new} now, and leaves {old} with the next version", DeprecationWarning, 2
        )
        return getattr(import_module(home), new)

    return getter
