"""How things are said: counts, and names that hold what a terminal would obey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

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
    return cast(Value, _all_printable(value))


def _all_printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if is_dataclass(value) and not isinstance(value, type):
        shown = [field.name for field in fields(value) if field.init and not field.metadata.get("aside")]
        return replace(value, **{name: _all_printable(getattr(value, name)) for name in shown})
    if isinstance(value, Mapping):
        return {_all_printable(key): _all_printable(one) for key, one in value.items()}
    return type(value)(map(_all_printable, value)) if isinstance(value, list | tuple) else value
