"""What pages are made of: sections of texts, lists, tables and pictures, as plain values for any renderer.

The report's templates and the page of the service draw the same sections, so that both tell one story.
"""

from __future__ import annotations

from dataclasses import dataclass, field

#: Rows from which on a table has a field to search in it.
MANY = 12


@dataclass(frozen=True)
class Text:
    """A paragraph; ``tone`` is '' or 'warning'."""

    text: str
    tone: str = ""
    kind: str = field(default="text", init=False)


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: tuple[str, ...]
    kind: str = field(default="items", init=False)


@dataclass(frozen=True)
class Terms:
    """Questions with their answers: ``(term, mark, text)``; the mark is a word or two, or ''."""

    terms: tuple[tuple[str, str, str], ...]
    kind: str = field(default="terms", init=False)


@dataclass(frozen=True)
class Table:
    """Rows under columns; the first cell of a row names it. Columns in ``digests`` hold long codes."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    digests: tuple[str, ...] = ()
    searched: bool = field(default=False, init=False)
    kind: str = field(default="table", init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "searched", len(self.rows) > MANY)


@dataclass(frozen=True)
class Picture:
    """A picture that the page holds in itself, and what it shows, in words."""

    uri: str
    description: str
    kind: str = field(default="picture", init=False)


@dataclass(frozen=True)
class Thumbnail:
    """A small picture of an image: its name, a word under it, and the address that holds it; '' where there is none."""

    name: str
    caption: str
    uri: str = ""


@dataclass(frozen=True)
class Sheet:
    """A contact sheet.

    Attributes:
        group: whose images they are; None of strays.
        first: thumbnails, in order.
        more: images between these and the last, which are not shown.
        last: thumbnails after these.
    """

    group: str | None
    first: tuple[Thumbnail, ...]
    more: int = 0
    last: tuple[Thumbnail, ...] = ()
    kind: str = field(default="sheet", init=False)


Block = Text | Items | Terms | Table | Picture | Sheet


@dataclass(frozen=True)
class Section:
    """A heading and what is under it; ``folded``: shown when it is opened."""

    title: str
    blocks: tuple[Block, ...]
    folded: bool = False


@dataclass(frozen=True)
class Verdict:
    """What a page says first.

    Attributes:
        title: the answer in a few words.
        tone: the decision, by which it is coloured.
        lead: the answer in a sentence or two.
        points: ``(question, answer)``: why, how sure, what would change it, what to do next.
    """

    title: str
    tone: str
    lead: str
    points: tuple[tuple[str, str], ...] = ()
