"""The demo: sets of images of real generators in, named sources and a family tree out."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

import genprint
from genprint.answers.attribution import Identifier
from genprint.answers.families import FamilyTree
from genprint.answers.results import ATTRIBUTED, UNKNOWN, Attribution
from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints.fingerprint import Features
from genprint.generators.collection import demonstrated, load, sample
from genprint.images.sets import ImageSet
from genprint.report import figures as plots
from genprint.report import html as report
from genprint.storage.files import write_atomically

ENROLLED, PROBES, SIZES = 32, 20, (1, 5, 20)
NEXT = """
Now on your own folders (one sub-folder of images for each model):
  genprint attribute SUSPICIOUS_IMAGES --known MODELS
  genprint verify SOME_IMAGES OTHER_IMAGES --known MODELS
  genprint families MODELS"""

# share done, what is being done
Progress = Callable[[float, str], None]


def run(encoder: SetEncoder, output: Path, seed: int, progress: Progress) -> str:
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
    features: dict[str, Features] = {}
    for i, (name, own) in enumerate(images.items()):
        progress(0.7 + 0.2 * i / len(images), f"fingerprinting {name}")
        features[name] = encoder.features(ImageSet.from_array(own, name))
    identifier = Identifier(encoder, {n: f[np.arange(ENROLLED)] for n, f in features.items() if n not in unknown})
    answers: dict[int, dict[str, list[Attribution]]] = {size: {} for size in SIZES}
    for size in SIZES:
        for name, seen in features.items():
            # A generator may repeat itself to the byte; such images count once, and may leave fewer probes.
            starts = range(ENROLLED, min(len(seen), ENROLLED + PROBES * size) - size + 1, size)
            answers[size][name] = [identifier.identify(name, seen[np.arange(at, at + size)]) for at in starts]
    progress(0.95, "drawing")
    whole = [encoder.summarise(seen, name) for name, seen in features.items()]
    tree = FamilyTree.build(list(features), encoder.plda_.distances(whole))
    tables = {size: _count(answers[size], unknown) for size in SIZES}
    output.mkdir(parents=True, exist_ok=True)
    plots.save_tree(tree, output)
    write_atomically(output / "traces.png", plots.to_bytes(plots.trace_figure(images)))
    seconds = time.monotonic() - start
    write_atomically(output / "attributions.json", json.dumps({
        "genprint": genprint.__version__, "seed": seed, "seconds": seconds, "enrolled_images": ENROLLED,
        "enrolled": [n for n in features if n not in unknown], "not_enrolled": sorted(unknown),
        "rate": identifier.rate, "by_size": {str(size): table for size, table in tables.items()},
        "attributions": [a.to_dict() for size in SIZES for own in answers[size].values() for a in own],
    }, indent=1).encode())  # fmt: skip
    write_atomically(output / "report.html", _page(images, tables, tree, identifier, unknown).encode())
    return _summary(tables, identifier, output, seconds, tree)


def _count(answers: dict[str, list[Attribution]], unknown: set[str]) -> dict:
    """Confusion and rates of one probe size."""
    confusion = {name: dict(Counter(a.source or a.answer for a in own)) for name, own in answers.items()}
    inside = [(n, a) for n, own in answers.items() if n not in unknown for a in own]
    outside = [a for n in unknown for a in answers[n]]
    wrong = sum(a.answer == ATTRIBUTED and a.source != n for n, a in inside)
    return {
        "confusion": confusion,
        "enrolled_probes": len(inside),
        "best_candidate_right": sum(a.candidates[0].source == n for n, a in inside),
        "attributed_right": sum(a.source == n for n, a in inside),
        "attributed_wrong": wrong,
        "unknown_probes": len(outside),
        "unknown_found": sum(a.answer == UNKNOWN for a in outside),
        "unknown_attributed": sum(a.answer == ATTRIBUTED for a in outside),
    }


def _summary(tables: dict[int, dict], identifier: Identifier, output: Path, seconds: float, tree: FamilyTree) -> str:
    lines = [
        f"{len(identifier.gallery)} sources enrolled with {ENROLLED} images each; false-attribution rate asked of the "
        f"threshold: {identifier.rate:.0%}, the least that {len(identifier.gallery)} sources support"
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
    images: dict[str, np.ndarray], tables: dict[int, dict], tree: FamilyTree, identifier: Identifier, unknown: set[str]
) -> str:
    columns = [*identifier.features, "unknown", "inconclusive"]
    parts = [
        f"<p>{len(images)} generators, none of which the encoder has seen in training. {len(identifier.features)} are "
        f"enrolled with {ENROLLED} images each; one of each class is not, and should come out as <em>unknown</em>. It "
        f"is another seed of an enrolled architecture: the hardest unknown there is. The threshold is set on the "
        f"enrolled sources at a false-attribution rate of {identifier.rate:.0%}, the least that so few support.</p>"
    ]
    for size, t in tables.items():
        rows, classes = {}, {}
        for name, row in t["confusion"].items():
            label = f"{name} (not enrolled)" if name in unknown else name
            rows[label] = [str(row.get(column, 0)) for column in columns]
            right = "unknown" if name in unknown else name
            for column in columns:
                if row.get(column):
                    classes[label, column] = "hit" if column == right else "" if column == "inconclusive" else "miss"
        parts.append(report.table(f"Probes of {size} image{'s' * (size > 1)}: answers", columns, rows, classes))
    parts += [
        "<h2>Family tree</h2>", report.picture(plots.data_uri(plots.tree_figure(tree)), tree.newick()),
        "<h2>Images and traces</h2>",
        report.picture(plots.data_uri(plots.trace_figure(images)), "samples, mean residual and spectrum"),
    ]  # fmt: skip
    return report.page("Genprint demo", parts)
