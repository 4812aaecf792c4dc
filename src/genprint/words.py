"""How things are said: counts, and names that hold what a terminal would obey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

Value = TypeVar("Value")

LONGEST = 200  # characters of a value that is shown
_NAMED = 3  # names in a sentence


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


def shortened(text: str) -> str:
    r"""A value that somebody else chose, in one printable line of at most ``LONGEST`` of its characters.

    Example:
        >>> shortened(" a\x1b[2Kb\n")
        'a\\x1b[2Kb'
    """
    text = text.strip(" \0\r\n\t")
    return printable(text[:LONGEST]) + ("..." if len(text) > LONGEST else "")


def first_of(names: Sequence[str]) -> str:
    """The first few names.

    Example:
        >>> first_of("abc"), first_of("abcd")
        ('a, b, c', 'a, b, c, ...')
    """
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def in_words(names: Iterable[str], most: int = _NAMED) -> str:
    """Names in a sentence; of many, the first: so many, or all if that leaves out only one.

    Example:
        >>> in_words("ab"), in_words("abcd"), in_words("abcde"), in_words("abcde", 5)
        ('a and b', 'a, b, c and d', 'a, b, c and 2 others', 'a, b, c, d and e')
    """
    every = list(names)
    if len(every) > most + 1:
        return f"{', '.join(every[:most])} and {len(every) - most} others"
    return " and ".join([", ".join(every[:-1]), every[-1]] if every[1:] else every)


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
