"""One self-contained HTML page: no script, nothing fetched."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .25rem .6rem; border-bottom: 1px solid #d0d7de; }
td { text-align: right; } th { text-align: left; } img { max-width: 100%; } .hit { background: #d7f0dd; }
.miss { background: #fbdad7; } caption { text-align: left; font-weight: 600; padding: .4rem 0; }
"""


def table(
    caption: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]], classes: Mapping[tuple[str, str], str]
) -> str:
    """A table with a row header; ``classes`` marks cells by (row, column)."""
    head = "".join(f"<th scope='col'>{html.escape(column)}</th>" for column in ["", *columns])
    body = "".join(
        f"<tr><th scope='row'>{html.escape(name)}</th>"
        + "".join(
            f"<td class='{classes.get((name, column), '')}'>{html.escape(cell)}</td>"
            for column, cell in zip(columns, cells, strict=True)
        )
        + "</tr>"
        for name, cells in rows.items()
    )
    return (
        f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def picture(uri: str, description: str) -> str:
    """An image held in the page."""
    return f"<img src='{uri}' alt='{html.escape(description, quote=True)}'>"


def page(title: str, parts: Sequence[str]) -> str:
    """The page around its parts (HTML)."""
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{html.escape(title)}</title>"
        f"<meta name='viewport' content='width=device-width'><style>{_STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1>{''.join(parts)}</body></html>"
    )
