"""What long benchmarks have found, kept in a JSON file by what they were asked, so that they go on where they stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from genprint.storage.files import canonical_digest, write_atomically


class Kept:
    """Findings by name, and texts of sections.

    Args:
        path: of the file; made if it is not there.
        anew: nothing that was found before is used; texts are kept.
    """

    def __init__(self, path: Path, anew: bool = False):
        self._path = path
        self._all: dict[str, dict[str, Any]] = {"findings": {}, "texts": {}}
        if path.exists():
            self._all |= json.loads(path.read_text())
        if anew:
            self._all["findings"] = {}
        #: seconds that it took to find what was asked for since this was last set to nothing
        self.seconds = 0.0

    def get(self, name: str, asked: Mapping[str, object], make: Callable[[], Any]) -> Any:
        """What was found under a name when the same was asked, or what is made now; it has to fit into JSON."""
        wanted = json.loads(json.dumps(asked))
        key = f"{name} ({canonical_digest(wanted)[:12]})"
        found = self._all["findings"].get(key)
        if found is None:
            start = time.monotonic()
            made = json.loads(json.dumps(make()))
            found = {"asked": wanted, "seconds": time.monotonic() - start, "found": made}
            self._all["findings"][key] = found
            self._write()
        self.seconds += found["seconds"]
        return found["found"]

    @property
    def texts(self) -> dict[str, str]:
        """Of sections, by their names."""
        return dict(self._all["texts"])

    def put_text(self, section: str, text: str) -> None:
        """Keeps the text of a section."""
        self._all["texts"][section] = text
        self._write()

    def _write(self) -> None:
        write_atomically(self._path, json.dumps(self._all, indent=1).encode())
