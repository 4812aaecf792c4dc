"""Pages from templates: one self-contained HTML file each, no script, nothing fetched."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from genprint.words import printable


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
        finalize=lambda value: printable(value, keep="\t\n") if type(value) is str else value,  # no Markup
    )  # fmt: skip
    made.filters["percent"] = lambda share, digits=1: f"{100 * share:.{digits}f} %"
    made.filters["fixed"] = lambda value, digits=2: f"{value:.{digits}f}"
    return made


def fill(template: str, **values: Any) -> str:
    """The page that a template of this package makes of these values; texts are escaped."""
    return _environment().get_template(template).render(**values)
