"""The demo: sets of images of real generators in, named sources and a family tree out."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genprint._version import __version__
from genprint.answers.attribution import Identifier
from genprint.answers.families import FamilyTree
from genprint.answers.results import ATTRIBUTED, UNKNOWN, Attribution
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.generators.collection import demonstrated, describe, sample_each
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.report import figures
from genprint.report.templates import fill
from genprint.storage.files import write_atomically

# Images of each generator, and how many of them are enrolled. The others are asked about in disjoint sets of each of
# some sizes, so many of a size at most: of sets of twenty, there are eleven.
IMAGES, ENROLLED, PROBES, SIZES = 256, 32, 20, (1, 5, 20)
NEXT = """
Now on your own folders (one sub-folder of images for each model):
  genprint attribute SUSPICIOUS_IMAGES --known MODELS
  genprint verify SOME_IMAGES OTHER_IMAGES --known MODELS
  genprint families MODELS"""

# share done, what is being done
Progress = Callable[[float, str], None]


def run(model: Model, output: Path, seed: int, progress: Progress) -> str:
    """Runs it all, writes the folder, and returns the summary for people."""
    start = time.monotonic()
    folders = demonstrated()
    known: dict[str, str] = {}  # the first of each class is left out, so that there is something unknown
    for folder in folders:
        known.setdefault(describe(folder)["class"], folder.name)
    unknown = set(known.values())
    images: dict[str, np.ndarray] = {}
    fingerprints: dict[str, Fingerprint] = {}
    for name, pixels in _sampled(folders, seed, progress):
        images[name] = pixels
        fingerprints[name] = model.fingerprint(ImageSet.from_array(pixels, name))
    enrolled = {n: f[np.arange(ENROLLED)] for n, f in fingerprints.items() if n not in unknown}
    identifier = Identifier(model, enrolled, conditions=False)  # none is looked for: all are as generated
    answers = _answered(identifier, fingerprints, progress)
    progress(0.95, "drawing")
    tree = FamilyTree.of(model.scorer, list(fingerprints.values()))
    tables = {size: _count(answers[size], unknown) for size in SIZES}
    output.mkdir(parents=True, exist_ok=True)
    figures.save_tree(tree, output)
    write_atomically(output / "traces.png", figures.to_bytes(figures.trace_figure(images)))
    seconds = time.monotonic() - start
    write_atomically(output / "attributions.json", json.dumps({
        "genprint": __version__, "seed": seed, "seconds": seconds,
        "images": {name: len(pixels) for name, pixels in images.items()}, "enrolled_images": ENROLLED,
        "enrolled": list(identifier.known), "not_enrolled": sorted(unknown),
        "rate": identifier.rate, "by_size": {str(size): table for size, table in tables.items()},
        "attributions": [a.to_dict() for size in SIZES for given in answers[size].values() for a in given],
    }, indent=1).encode())  # fmt: skip
    write_atomically(output / "report.html", _page(images, tables, tree, identifier, unknown).encode())
    return _summary(tables, identifier, output, seconds, tree)


def _sampled(folders: Sequence[Path], seed: int, progress: Progress) -> Iterator[tuple[str, np.ndarray]]:
    """Names and images of the generators, the first ones while the others are being sampled."""
    each = min(IMAGES, ENROLLED + PROBES * max(SIZES))
    made, total = 0, each * len(folders)

    def tell(images: int) -> None:
        nonlocal made
        made += images
        progress(0.6 * made / total, f"sampled {made:,} of {total:,} images")

    return sample_each(folders, each, seed, tell)


def _answered(
    identifier: Identifier, fingerprints: Mapping[str, Fingerprint], progress: Progress
) -> dict[int, dict[str, list[Attribution]]]:
    """The answers to sets of each size of each generator's images, those that are enrolled apart."""
    # A generator may repeat itself to the byte; such images count once, and may leave fewer probes.
    probes = [
        (size, name, seen[np.arange(at, at + size)])
        for size in SIZES
        for name, seen in fingerprints.items()
        for at in range(ENROLLED, min(len(seen), ENROLLED + PROBES * size) - size + 1, size)
    ]
    answers: dict[int, dict[str, list[Attribution]]] = {size: {name: [] for name in fingerprints} for size in SIZES}
    for i, (size, name, probe) in enumerate(probes):
        progress(0.6 + 0.35 * i / len(probes), f"attributed {i:,} of {len(probes):,} sets of images")
        answers[size][name].append(identifier.identify(probe))
    return answers


def _count(answers: dict[str, list[Attribution]], unknown: set[str]) -> dict[str, Any]:
    """Confusion and rates of one probe size."""
    confusion = {name: dict(Counter(a.source or a.decision for a in given)) for name, given in answers.items()}
    inside = [(n, a) for n, given in answers.items() if n not in unknown for a in given]
    outside = [a for n in unknown for a in answers[n]]
    wrong = sum(a.decision == ATTRIBUTED and a.source != n for n, a in inside)
    return {
        "confusion": confusion,
        "enrolled_probes": len(inside),
        "best_candidate_right": sum(a.evidence is not None and a.evidence.candidates[0].source == n for n, a in inside),
        "attributed_right": sum(a.source == n for n, a in inside),
        "attributed_wrong": wrong,
        "unknown_probes": len(outside),
        "unknown_found": sum(a.decision == UNKNOWN for a in outside),
        "unknown_attributed": sum(a.decision == ATTRIBUTED for a in outside),
    }


def _summary(
    tables: dict[int, dict[str, Any]], identifier: Identifier, output: Path, seconds: float, tree: FamilyTree
) -> str:
    inside = [
        (size, t["enrolled_probes"], t["best_candidate_right"], t["attributed_right"], t["attributed_wrong"],
         t["enrolled_probes"] - t["attributed_right"] - t["attributed_wrong"])
        for size, t in tables.items()
    ]  # fmt: skip
    outside = [
        (size, t["unknown_probes"], t["unknown_found"], t["unknown_attributed"],
         t["unknown_probes"] - t["unknown_found"] - t["unknown_attributed"])
        for size, t in tables.items()
    ]  # fmt: skip
    enrolled = len(identifier.known)
    return "\n".join([
        f"{enrolled} sources enrolled with {ENROLLED} images each; false-attribution rate asked of the threshold: "
        f"{identifier.rate:.0%},",
        f"the least that {enrolled} sources support",
        "",
        f"Answers to disjoint sets of other images of the {enrolled} enrolled sources:",
        *_aligned("images a set", "sets", "best candidate right", "attributed right", "wrong",
                  "unknown or inconclusive", rows=inside),
        "(best candidate: the enrolled source that explains a set best; attributed: it passes all tests, too)",
        "",
        f"Answers to sets of {len(tree.sources) - enrolled} sources that are not enrolled, and should come out as "
        "unknown:",
        *_aligned("images a set", "sets", "unknown", "falsely attributed", "inconclusive", rows=outside),
        "(these are other seeds of enrolled architectures, the hardest unknowns there are: the rate asked for holds",
        "only for unknown sources that lie as far from the enrolled ones as those from each other)",
        "",
        "Family tree in Newick format; the numbers are lengths of branches, in distance between fingerprints:",
        tree.newick(),
        "",
        f"report: {output / 'report.html'}   ({seconds:.0f} s)",
    ])  # fmt: skip


def _aligned(*columns: str, rows: Iterable[Sequence[int]]) -> list[str]:
    """Lines of a table of numbers."""
    return [
        "   ".join(f"{cell:>{len(column)}}" for cell, column in zip(row, columns, strict=True))
        for row in (columns, *rows)
    ]


def _page(
    images: Mapping[str, np.ndarray],
    tables: dict[int, dict[str, Any]],
    tree: FamilyTree,
    identifier: Identifier,
    unknown: set[str],
) -> str:
    columns = [*identifier.known, "unknown", "inconclusive"]
    shown = []
    for size, table in tables.items():
        rows, classes = {}, {}
        for name, row in table["confusion"].items():
            label = f"{name} (not enrolled)" if name in unknown else name
            rows[label] = [str(row.get(column, 0)) for column in columns]
            right = "unknown" if name in unknown else name
            for column in columns:
                if row.get(column):
                    classes[label, column] = "hit" if column == right else "" if column == "inconclusive" else "miss"
        caption = (
            f"Probes of {size} image{'s' * (size > 1)}: answers (columns) to disjoint sets of each generator (rows)"
        )
        shown.append({"caption": caption, "columns": columns, "rows": rows, "classes": classes})
    return fill(
        "demo.html", generators=len(tree.sources), enrolled=len(identifier.known), images_each=ENROLLED,
        rate=identifier.rate, tables=shown, newick=tree.newick(),
        tree=figures.themed(figures.tree_figure(tree, narrow=True)),
        traces=figures.themed(figures.trace_figure(images, shown=4, narrow=True)),
    )  # fmt: skip
