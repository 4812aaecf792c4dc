"""Which model a gallery is enrolled with: from the first source on, no other will do."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genprint.model import Model

_EXTRACTOR, _WEIGHTS, _NAME = "extractor", "weights", "model"  # before 0.2, weights alone were noted


@dataclass(frozen=True)
class Maker:
    """What a gallery's file says of the model that enrolled; read when it is made.

    Attributes:
        bound: whether something was enrolled, now or once.
        name: of the model, if it is a shipped one; galleries of before there were two do not say.
    """

    bound: bool
    name: str | None
    _about: dict[str, str]
    _connection: sqlite3.Connection

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> Maker:
        """What that gallery says."""
        about = dict(connection.execute("SELECT key, value FROM about"))
        bound = _EXTRACTOR in about or _WEIGHTS in about
        bound = bound or connection.execute("SELECT 1 FROM source LIMIT 1").fetchone() is not None
        return cls(bound, about.get(_NAME), about, connection)

    @property
    def features(self) -> str:
        """Identity of the extractor of its features."""
        return self._about.get(_EXTRACTOR) or f"a model with weights {self._about.get(_WEIGHTS)}"

    def fits(self, model: Model) -> bool:
        """Whether the model's features are like those enrolled; any are, before the first."""
        if _EXTRACTOR in self._about:
            return self._about[_EXTRACTOR] == model.fingerprinter.extractor_id
        return self._about.get(_WEIGHTS) in (None, model.weights_digest)

    def bind(self, model: Model) -> None:
        """Notes the model, if none is."""
        if _EXTRACTOR not in self._about:
            rows = [(_EXTRACTOR, model.fingerprinter.extractor_id), *([(_NAME, model.name)] if model.name else [])]
            self._connection.executemany("INSERT OR IGNORE INTO about VALUES (?, ?)", rows)
