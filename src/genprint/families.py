"""Moved: see ``genprint._moved``. The name is that of a function now, which the module stands in for."""

import inspect
import sys
from types import ModuleType
from typing import Any

from genprint._moved import moved

__getattr__ = moved(
    __name__,
    FamilyTree="genprint.answers.families",
)


class _Callable(ModuleType):
    """Importing ``genprint.families`` puts the module where the function was."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from genprint.api import families

        return families(*arguments, **options)

    @property
    def __signature__(self) -> inspect.Signature:
        from genprint.api import families

        return inspect.signature(families)


sys.modules[__name__].__class__ = _Callable
