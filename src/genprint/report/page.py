"""Pages of results, for people: question, answer, evidence, pictures, what was left out and why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genprint._version import __version__
from genprint.answers.claims import CAUTION
from genprint.answers.families import FamilyTree
from genprint.answers.results import Asked, Attribution, Result
from genprint.report import figures
from genprint.report.record import FileSummary, known_files, record, to_json
from genprint.report.templates import fill
from genprint.storage.files import write_atomically

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
    """The page of any result: its verdict, its picture, its numbers."""
    values = result.to_dict()
    figure = figures.new_figure(7, 4)
    result.plot(figure.subplots())
    left_out = values.pop("left_out", ())
    return fill(
        "result.html", title=type(result).__name__, verdict=values.pop("verdict", result.verdict),
        figure=figures.data_uri(figure), version=__version__,
        values={name: [str(value)] for name, value in _flat(values).items()},
        left_out={left["name"]: [left["reason"]] for left in left_out},
    )  # fmt: skip


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested values by dotted names; lists are left out, for a page is no place for them."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{name}.")
        elif not isinstance(value, list):
            flat[f"{before}{name}"] = value
    return flat


def case(result: Attribution, asked: Asked) -> tuple[str, dict[str, Any]]:
    """The page of an attribution, and its record."""
    summaries = {"probe": FileSummary.of(asked.images)}
    known = known_files(asked.sources)
    made = record(result, summaries["probe"], known)
    if result.evidence:
        best = result.evidence.candidates[0].source
        summaries |= {source.name: FileSummary.of(source) for source in asked.sources if source.name == best}
    tree = tree_with_probe(asked)
    answer, channels = made["attribution"], made["channels"]
    warnings = channels["file facts"]["warnings"]
    page = fill(
        "attribution.html", record=made, answer=answer, ratio=_ratio(result),
        candidates={
            one["source"]: [one["images"], f"{one['raw_llr']:.1f}", f"{one['posterior']:.1%}"]
            for one in answer["evidence"]["candidates"][:20]
        },
        files=_counted(channels["file facts"]["probe"]), warnings=None if isinstance(warnings, str) else warnings,
        condition=_condition(result),
        copies={
            one["image"]: [one["other"], "the probe" if one["source"] is None else one["source"], one["apart"]]
            for one in (answer["copies"] or {"alike": ()})["alike"]
        },
        said=result.claims.said if result.claims else (), caution=CAUTION,
        traces=_traces(summaries), tree=figures.data_uri(figures.tree_figure(tree)) if tree else None,
        newick=tree.newick() if tree else "",
        left_out={left["name"]: [left["reason"]] for left in answer["left_out"]},
        made_with={
            "written": [made["written"]], "Genprint": [made["genprint"]], "model": [made["model"]],
            "compared in condition": [answer["condition"]],
            **{f"input: {name}": [value] for name, value in made["inputs"].items()},
            "images of the probe": [len(made["probe"])],
        },
        known={name: [one["images"], one["digest"]] for name, one in made["known"].items()},
    )  # fmt: skip
    return page, made


def _condition(result: Attribution) -> str:
    """What the page says of the probe's condition."""
    found = result.evidence.condition if result.evidence else None
    return " ".join(found.said) if found else ""


def _counted(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{what} ({count})" for what, count in counts.items())


def _ratio(result: Attribution) -> dict[str, Any] | None:
    """What the page says of the likelihood ratio."""
    ratio = result.evidence.ratio if result.evidence else None
    if ratio is None:
        return None
    figure = figures.new_figure(5, 2.6)
    ax = figure.subplots()
    sizes = list(ratio.by_images)
    # None, of a single image's interval, becomes NaN, which is not drawn.
    values, lows, highs = np.array(list(ratio.by_images.values()), float).T / math.log(10)
    ax.plot(sizes, values, "o-")
    ax.vlines(sizes, lows, highs, alpha=0.4)
    cap = ratio.cap / math.log(10)
    for level in (-cap, cap):
        ax.axhline(level, color="grey", linestyle="--", linewidth=0.8)
    ax.set(xscale="log", xlabel="images", ylabel="log10 likelihood ratio", ylim=(-1.1 * cap, 1.1 * cap))
    interval = None
    if ratio.low is not None and ratio.high is not None:
        interval = f"{math.exp(ratio.low):.2g} to {math.exp(ratio.high):.2g}"
    return {
        "times": f"{math.exp(ratio.llr):.2g}", "interval": interval, "capped": ratio.capped,
        "end": "most" if ratio.llr > 0 else "least", "figure": figures.data_uri(figure),
    }  # fmt: skip


def _traces(summaries: Mapping[str, FileSummary]) -> str | None:
    """Images, average residuals and spectra, where all images are of one size."""
    stacks = {name: stack for name, summary in summaries.items() if (stack := summary.stack()) is not None}
    if not stacks or len({stack.shape[1:] for stack in stacks.values()}) > 1:
        return None
    return figures.data_uri(figures.trace_figure(stacks))


def tree_with_probe(asked: Asked) -> FamilyTree | None:
    """The family tree of known sources with the probe placed in it; None with too few images, or too many sources."""
    if len(asked.probe) < 2 or len(asked.known) > _MOST_SOURCES:
        return None
    tree = FamilyTree.of(asked.model.scorer, [*asked.compared, asked.probe])
    names = (*tree.sources[:-1], f"probe: {asked.probe.source}")
    return FamilyTree(names, tree.distances, tree.linkage, tree.method)


Result.writer = staticmethod(save)
