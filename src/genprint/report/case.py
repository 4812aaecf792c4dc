"""A case: an attribution with all that the sections of a page about it are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genprint.answers.families import FamilyTree
from genprint.answers.results import Asked, Attribution, Evidence
from genprint.report.record import FileSummary


@dataclass(frozen=True)
class Case:
    """What the sections are made of.

    Attributes:
        result: the attribution.
        found: its evidence.
        asked: what it was asked with.
        record: of it; see ``genprint.report.record``.
        summaries: files and pictures of the probe and, where these are at hand, of the best candidate.
        tree: of the known sources with the probe in it, if there is one.
    """

    result: Attribution
    found: Evidence
    asked: Asked
    record: Mapping[str, Any]
    summaries: Mapping[str, FileSummary]
    tree: FamilyTree | None

    @property
    def best(self) -> str:
        """Name of the best candidate."""
        return self.found.candidates[0].source
