"""How many threads matrices are worked on with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

Given = ParamSpec("Given")
Found = TypeVar("Found")


def one_thread(work: Callable[Given, Found]) -> Callable[Given, Found]:
    """Does work on small matrices with one thread.

    Matrices as small as a scorer's take several threads no less time, and most of that they wait for each other,
    busily: on a machine with other work, answers took three times the CPU seconds.
    """

    @wraps(work)
    def alone(*args: Given.args, **kwargs: Given.kwargs) -> Found:
        with _controller().limit(limits=1, user_api="blas"):
            return work(*args, **kwargs)

    return alone


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks through all loaded libraries
