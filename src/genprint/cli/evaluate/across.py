"""``genprint evaluate attributability --across``: one publisher's images enrolled, another's asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genprint.cli.evaluate.common import Reader, about_sources, interval
from genprint.cli.progress import bar

if TYPE_CHECKING:
    from genprint.evaluation.across import Across, Label, Pair
    from genprint.evaluation.intervals import Mean
    from genprint.images.sets import ImageSet

By = Annotated[
    str | None,
    typer.Option(
        "--across",
        help="Column of DATA/sources.csv that says who published a set (publisher, pipeline): a generator's images as "
        "one publisher left them are enrolled among all other generators, another's are asked; beside controls.",
    ),
]
Same = Annotated[str, typer.Option(help="With --across: the column that says which sets are of one generator.")]
Content = Annotated[
    str | None,
    typer.Option(
        help="With --across: column that is alike where sets show the same under the same file names, as the same "
        "prompts or photographs; no such content is then both enrolled and asked."
    ),
]
Alike = Annotated[
    bool,
    typer.Option(
        help="With --across: other generators are enrolled as the enrolled set's publisher has them, where it does; "
        "else as all publishers have them, the probe's own too."
    ),
]


def with_controls(methods: Sequence[str]) -> list[str]:
    """The methods, and the controls that belong beside them."""
    from genprint.evaluation.methods import CONTROLS

    return [*methods, *(name for name in CONTROLS if name not in methods)]


def labels_of(data: Path, sets: Sequence[ImageSet], by: str, same: str, content: str | None) -> dict[str, Label]:
    """What DATA/sources.csv says of each set.

    Raises:
        ValueError: it lacks a column or a set.
    """
    from genprint.evaluation.across import Label

    columns = ("source", by, same, *([content] if content else []))
    about = about_sources(data, columns, sets)
    return {
        images.name: Label(row[same], row[by], row[content] if content else "")
        for images in sets
        for row in [about[images.name]]
    }


def measured(
    reader: Reader,
    labels: Mapping[str, Label],
    enrolled: int,
    sizes: Sequence[int],
    repeats: int,
    seed: int,
    alike: bool = False,
) -> dict[str, dict[Pair, Across]]:
    """What each method reaches."""
    from genprint.evaluation.across import across, galleries

    found = {}
    for name in reader.methods:
        comparer, fingerprints = reader.read(name)
        with bar(f"asking {name}", total=repeats * galleries(labels)) as advance:
            found[name] = across(fingerprints, comparer, labels, enrolled, sizes, repeats, seed, advance, alike)
    return found


def as_result(found: Mapping[str, Mapping[Pair, Across]], seed: int) -> dict[str, Any]:
    """Each method's rates by pair and of all pairs; those of the first are paired with the others'."""
    from genprint.evaluation.across import less, over_pairs
    from genprint.evaluation.methods import METHODS

    together = {name: over_pairs(pairs, seed) for name, pairs in found.items()}
    first = next(iter(together))
    result: dict[str, Any] = {}
    for name, pairs in found.items():
        result[name] = {
            "role": METHODS[name].role,
            "pairs": [{"enrolled": pair[0], "asked": pair[1], **asdict(one)} for pair, one in pairs.items()],
            "all": asdict(together[name]),
        }
        if name != first:
            paired = less(together[first], together[name], seed)
            result[name]["paired"] = {size: asdict(mean) for size, mean in paired.items()}
    return result


def as_lines(found: Mapping[str, Mapping[Pair, Across]], seed: int) -> list[str]:
    """The same as text, a pair a paragraph."""
    from genprint.evaluation.methods import METHODS

    lines = []
    for title, chance, generators, rates in _rows(found, seed):
        lines.append(f"{title}: {generators} generators, chance {chance:.1%}")
        for name, means in rates.items():
            cells = "  ".join(f"@{size} {interval(mean)}" for size, mean in means.items())
            lines.append(f"  {name:<22} {METHODS[name].role:<8} {cells}")
    return lines


def as_markdown(found: Mapping[str, Mapping[Pair, Across]], seed: int, about: str) -> str:
    """The same as a page: a table for each number of images, a pair a row, a method a column."""
    rows = _rows(found, seed)
    parts = ["# Across publishers", about]
    for size in rows[0][3][next(iter(found))]:
        lines = [
            f"| enrolled from -> asked from | generators | chance | {' | '.join(found)} |",
            "|" + " --- |" * (3 + len(found)),
        ]
        for title, chance, generators, rates in rows:
            cells = [interval(rates[name][size]) for name in found]
            lines.append(f"| {title} | {generators} | {chance:.1%} | {' | '.join(cells)} |")
        parts.append(f"## {size} image{'s' if size > 1 else ''}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _rows(
    found: Mapping[str, Mapping[Pair, Across]], seed: int
) -> list[tuple[str, float, int, dict[str, dict[int, Mean]]]]:
    """Of all pairs of two publishers, then of each pair: title, chance, generators, and rates by method and size."""
    from genprint.evaluation.across import over_pairs

    together = {name: over_pairs(pairs, seed) for name, pairs in found.items()}
    titled = [("all pairs of two", together)]
    for pair in next(iter(found.values())):
        titled.append((" -> ".join(pair), {name: pairs[pair] for name, pairs in found.items()}))
    rows = []
    for title, by_method in titled:
        first = next(iter(by_method.values()))
        generators = next(iter(first.top1.values())).sources
        rows.append((title, first.chance, generators, {name: one.top1 for name, one in by_method.items()}))
    return rows
