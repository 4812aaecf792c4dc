"""Pages from templates: one self-contained HTML file each; nothing is fetched, and no script runs but their own.

That one searches in long tables, and is named by its digest in the page's content security policy.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from genprint.words import printable

_FOLDER = Path(__file__).parent / "templates"
#: The look and the script of reports; the page of the service has them, too.
LOOK, FILTER = _FOLDER / "look.css", _FOLDER / "filter.js"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,  # no Markup
    )  # fmt: skip
    made.filters["percent"] = lambda share, digits=1: f"{100 * share:.{digits}f} %"
    script, *_ = made.loader.get_source(made, FILTER.name) if made.loader else ("",)
    digest = hashlib.sha256(script.removesuffix("\n").encode()).digest()  # templates lose their last line's end
    made.globals["script_digest"] = "sha256-" + base64.b64encode(digest).decode()
    return made


def fill(template: str, **values: Any) -> str:
    """The page that a template of this package makes of these values; texts are escaped."""
    return _environment().get_template(template).render(**values)
