"""Pages of results, for people: verdict, evidence, pictures, what was left out and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genprint._version import __version__
from genprint.answers.families import FamilyTree
from genprint.answers.results import Asked, Attribution, Result
from genprint.answers.sorting import Sorting
from genprint.report import figures, sorting
from genprint.report.blocks import Block, Items, Picture, Section, Table, Verdict
from genprint.report.case import Case
from genprint.report.family_tree import tree_page
from genprint.report.record import FileSummary, known_files, record, to_json
from genprint.report.sections import sections
from genprint.report.templates import fill
from genprint.report.verdict import verdict
from genprint.storage.files import write_atomically
from genprint.words import counted

# Sources of a tree that is shown with a probe in it.
_MOST_SOURCES = 60


def save(result: Result, path: Path) -> None:
    """Writes a result as a page (``.html``) or whole as JSON (``.json``); of an attribution, its record beside a page.

    Raises:
        ValueError: the file ends in something else.
    """
    if path.suffix not in (".html", ".json"):
        raise ValueError(f"{path}: results are saved as .html or .json")
    if path.suffix == ".json":
        write_atomically(path, (result.to_json() + "\n").encode())
    elif isinstance(result, Attribution) and result.asked:
        page, made = case(result, result.asked)
        write_atomically(path, page.encode("utf-8", "backslashreplace"))
        write_atomically(path.with_suffix(".json"), to_json(made).encode())
    else:
        write_atomically(path, render(result).encode("utf-8", "backslashreplace"))


def render(result: Result) -> str:
    """The page of any result: its verdict, its picture, what is said of it, its numbers."""
    if isinstance(result, Sorting):
        return of_pile(result, sorting.sections(result, sorting.small_pictures(result)))
    if isinstance(result, FamilyTree):
        return tree_page(result)
    values = result.to_dict()
    drawn = "Raw scores" if isinstance(result, Attribution) else "The evidence"
    left_out = values.pop("left_out", ())
    said = tuple(values.pop("said", ()))
    claims = (values.pop("claims", None) or {}).get("said", ())
    told = values.pop("verdict", result.verdict)
    numbers = tuple((name, str(value)) for name, value in _flat(values).items())
    every: list[tuple[str, Block | None, bool]] = [
        ("What else is to be known", Items(said) if said else None, False),
        (drawn, _drawn(result, told), False),
        ("What the files say", Items(tuple(claims)) if claims else None, False),
        ("Left out", _reasons(left_out), False),
        ("All numbers, as the JSON names them", Table(("name", "value"), numbers), isinstance(result, Attribution)),
    ]
    head = Verdict(told, values.get("decision") or "", "")
    if isinstance(result, Attribution):
        head = verdict(result)
    shown = [Section(title, (block,), folded) for title, block, folded in every if block]
    about = f"{type(result).__name__}, by Genprint {__version__}"
    return fill("page.html", title=told, about=about, verdict=head, sections=shown)


def of_pile(result: Sorting, shown: tuple[Section, ...]) -> str:
    """The page of a sorted pile, with these sections."""
    about = f"Images of {result.pile} by source. Genprint {__version__}"
    head = sorting.verdict(result)
    return fill("page.html", title=f"{result.pile}: {head.title}", about=about, verdict=head, sections=shown)


def _drawn(result: Result, told: str) -> Picture | None:
    """The result's own picture; none of an attribution without evidence."""
    if isinstance(result, Attribution) and result.evidence is None:
        return None
    figure = figures.new_figure(5, 3)
    result.plot(figure.subplots())
    return Picture(figures.themed(figure), told)


def _reasons(left_out: Any) -> Table | None:
    rows = tuple((left["name"], left["reason"]) for left in left_out)
    return Table(("file", "reason"), rows) if rows else None


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested values by dotted names; lists are left out, for a page is no place for them."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{name}.")
        elif not isinstance(value, list):
            flat[f"{before}{name}"] = value
    return flat


def explained(result: Attribution, asked: Asked) -> tuple[dict[str, Any], Verdict, tuple[Section, ...]]:
    """The record of an attribution, and what a page says of it: its verdict, then its sections."""
    summaries = {"probe": FileSummary.of(asked.images)}
    made = record(result, summaries["probe"], known_files(asked.sources))
    head = verdict(result)
    if result.evidence is None:
        return made, head, ()
    best = result.evidence.candidates[0].source
    summaries |= {source.name: FileSummary.of(source) for source in asked.sources if source.name == best}
    case = Case(result, result.evidence, asked, made, summaries, tree_with_probe(asked))
    return made, head, sections(case)


def page_of(made: Mapping[str, Any], head: Verdict, shown: tuple[Section, ...]) -> str:
    """The page of what ``explained`` says."""
    answer = made["attribution"]
    used, left = counted(answer["images"], "image"), len(answer["left_out"])
    written = made["written"][:16].replace("T", " ")
    about = f"Report on {answer['probe']}: {used} used, {left} left out. Written {written} UTC."
    return fill("page.html", title=f"{answer['probe']}: {head.title}", about=about, verdict=head, sections=shown)


def case(result: Attribution, asked: Asked) -> tuple[str, dict[str, Any]]:
    """The page of an attribution, and its record."""
    made, head, shown = explained(result, asked)
    return page_of(made, head, shown), made


def tree_with_probe(asked: Asked) -> FamilyTree | None:
    """The family tree of known sources with the probe placed in it; None with too few images, or too many sources."""
    if len(asked.probe) < 2 or len(asked.known) > _MOST_SOURCES:
        return None
    tree = FamilyTree.of(asked.model.scorer, [*asked.compared, asked.probe])
    names = (*tree.sources[:-1], f"probe: {asked.probe.source}")
    return FamilyTree(names, tree.distances, tree.linkage, tree.method)


Result.writer = staticmethod(save)
