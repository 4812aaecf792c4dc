"""The demo: sets of images of real generators in, named sources and a family tree out."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from genprint._version import __version__
from genprint.answers.attribution import Identifier
from genprint.answers.families import FamilyTree
from genprint.answers.results import ATTRIBUTED, UNKNOWN, Attribution
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.generators.collection import demonstrated, load, sample
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.report import figures
from genprint.report.templates import fill
from genprint.storage.files import write_atomically

ENROLLED, PROBES, SIZES = 32, 20, (1, 5, 20)
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
    images: dict[str, np.ndarray] = {}
    folders = demonstrated()
    known: dict[str, str] = {}  # the first of each class is left out, so that there is something unknown
    for i, folder in enumerate(folders):
        progress(0.7 * i / len(folders), f"sampling {folder.name}")
        generator, config = load(folder)
        images[folder.name] = sample(generator, folder.name, ENROLLED + PROBES * max(SIZES), seed)
        known.setdefault(config["class"], folder.name)
    unknown = set(known.values())
    fingerprints: dict[str, Fingerprint] = {}
    for i, (name, pixels) in enumerate(images.items()):
        progress(0.7 + 0.2 * i / len(images), f"fingerprinting {name}")
        fingerprints[name] = model.fingerprint(ImageSet.from_array(pixels, name))
    identifier = Identifier(model, {n: f[np.arange(ENROLLED)] for n, f in fingerprints.items() if n not in unknown})
    answers: dict[int, dict[str, list[Attribution]]] = {size: {} for size in SIZES}
    for size in SIZES:
        for name, seen in fingerprints.items():
            # A generator may repeat itself to the byte; such images count once, and may leave fewer probes.
            starts = range(ENROLLED, min(len(seen), ENROLLED + PROBES * size) - size + 1, size)
            answers[size][name] = [identifier.identify(seen[np.arange(at, at + size)]) for at in starts]
    progress(0.95, "drawing")
    tree = FamilyTree.of(model.scorer, list(fingerprints.values()))
    tables = {size: _count(answers[size], unknown) for size in SIZES}
    output.mkdir(parents=True, exist_ok=True)
    figures.save_tree(tree, output)
    write_atomically(output / "traces.png", figures.to_bytes(figures.trace_figure(images)))
    seconds = time.monotonic() - start
    write_atomically(output / "attributions.json", json.dumps({
        "genprint": __version__, "seed": seed, "seconds": seconds, "enrolled_images": ENROLLED,
        "enrolled": list(identifier.known), "not_enrolled": sorted(unknown),
        "rate": identifier.rate, "by_size": {str(size): table for size, table in tables.items()},
        "attributions": [a.to_dict() for size in SIZES for given in answers[size].values() for a in given],
    }, indent=1).encode())  # fmt: skip
    write_atomically(output / "report.html", _page(images, tables, tree, identifier, unknown).encode())
    return _summary(tables, identifier, output, seconds, tree)


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
    lines = [
        f"{len(identifier.known)} sources enrolled with {ENROLLED} images each; false-attribution rate asked of the "
        f"threshold: {identifier.rate:.0%}, the least that {len(identifier.known)} sources support"
    ]
    for size, t in tables.items():
        lines.append(
            f"probes of {size:>2}: best candidate right {t['best_candidate_right']}/{t['enrolled_probes']}; "
            f"attributed right {t['attributed_right']}, wrong {t['attributed_wrong']}; "
            f"sources not enrolled: unknown {t['unknown_found']}/{t['unknown_probes']}, "
            f"falsely attributed {t['unknown_attributed']}"
        )
    lines.append("(the sources not enrolled are other seeds of enrolled architectures: the hardest unknowns there are)")
    lines.append(f"family tree: {tree.newick()}")
    lines.append(f"report: {output / 'report.html'}   ({seconds:.0f} s)")
    return "\n".join(lines)


def _page(
    images: dict[str, np.ndarray],
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
        caption = f"Probes of {size} image{'s' * (size > 1)}: answers"
        shown.append({"caption": caption, "columns": columns, "rows": rows, "classes": classes})
    return fill(
        "demo.html", generators=len(images), enrolled=len(identifier.known), images_each=ENROLLED,
        rate=identifier.rate, tables=shown, tree=figures.data_uri(figures.tree_figure(tree)), newick=tree.newick(),
        traces=figures.data_uri(figures.trace_figure(images)),
    )  # fmt: skip
