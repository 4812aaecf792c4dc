"""How things are said: counts, and names that hold what a terminal would obey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

Value = TypeVar("Value")


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number of things.

    Example:
        >>> counted(1, "image"), counted(2, "image"), counted(0, "entry", "entries")
        ('1 image', '2 images', '0 entries')
    """
    return f"{count} {one if count == 1 else many or one + 's'}"


def printable(text: str, keep: str = "") -> str:
    r"""A text in which nothing acts: what is no visible character becomes an escape, other than those to keep.

    Names of files and sources may hold codes that a terminal obeys, new lines that forge messages, marks that turn the
    direction of writing, and bytes that are no text.

    Example:
        >>> print(printable("red\x1b[31m\n"))
        red\x1b[31m\n
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in keep else one.encode("unicode_escape").decode("ascii") for one in text
    )


def all_printable(value: Value) -> Value:
    """The same of all texts in a dataclass, mapping or sequence; of a dataclass, without fields marked ``aside``."""
    made: Any = value
    if isinstance(value, str):
        made = printable(value)
    elif is_dataclass(value) and not isinstance(value, type):
        changed = {
            field.name: all_printable(getattr(value, field.name))
            for field in fields(value)
            if field.init and not field.metadata.get("aside")
        }
        made = replace(value, **changed)
    elif isinstance(value, Mapping):
        made = {all_printable(key): all_printable(one) for key, one in value.items()}
    elif isinstance(value, list | tuple):
        made = type(value)(all_printable(one) for one in value)
    return made
