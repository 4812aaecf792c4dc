"""What was worked out from a gallery, for as long as it stays as it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

Made = TypeVar("Made")


class Derived:
    """What was worked out from a gallery, kept until the gallery changes. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state, self._made = "", dict[str, Any]()

    def keep(self, state: str, what: str, make: Callable[[], Made]) -> Made:
        """What was made under that name, made now if the gallery's state is another than it was."""
        with self._lock:
            if self._state != state:
                self._state, self._made = state, {}
            if what not in self._made:
                self._made[what] = make()
            made: Made = self._made[what]
            return made
