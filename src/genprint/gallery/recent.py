"""What takes long to make, kept for as long as it is asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Recent(Generic[Made]):
    """The few things that were asked for last. Threads may share it; none makes what another is making.

    Args:
        most: how many are kept.

    Example:
        >>> recent = Recent[str](most=1)
        >>> recent.get("a", lambda: "made"), recent.get("a", lambda: "made again")
        ('made', 'made')
    """

    def __init__(self, most: int):
        self._most, self._lock = most, threading.RLock()
        self._made: OrderedDict[Hashable, Made] = OrderedDict()

    def get(self, what: Hashable, make: Callable[[], Made]) -> Made:
        """The thing of that name, made now if it is not there."""
        with self._lock:
            if what not in self._made:
                self._made[what] = make()
            self._made.move_to_end(what)
            while len(self._made) > self._most:
                self._made.popitem(last=False)
            return self._made[what]

    def __iter__(self) -> Iterator[Made]:
        """From the one asked for last to the one not asked for longest."""
        with self._lock:
            return iter(list(reversed(self._made.values())))
