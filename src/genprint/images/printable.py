"""Text from files, as it may be shown: whoever made a file chose it."""

from __future__ import annotations

LONGEST = 200  # characters of a value that is shown


def printable(text: str) -> str:
    r"""A text in one line of at most ``LONGEST`` characters, with what is not printed escaped.

    Control characters could move a terminal's cursor, and marks of direction could turn text around.

    Example:
        >>> printable("a\x1b[2Kb")
        'a\\x1b[2Kb'
    """
    text = text.strip(" \0\r\n\t")
    cut = text[:LONGEST] + ("..." if len(text) > LONGEST else "")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in cut)
