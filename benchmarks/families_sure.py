"""How sure trees are: what support says of a branch, families by support, sources that are added. For families.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score, roc_auc_score

from genprint.answers.families import FamilyTree
from genprint.answers.resampling import RESAMPLINGS
from genprint.storage.files import write_atomically

if TYPE_CHECKING:
    from families_suites import Suite

    from genprint.fingerprints.fingerprint import Fingerprint

SIZES, DRAWS, RESAMPLED, BOUNDS = (8, 32, 64), 4, 50, (0.5, 0.8, 0.95)
ADDED = 32
LABELS = ("class", "architecture")


def sure(suite: Suite, kept: Path, seed: int) -> str:
    """The section as Markdown; what was measured is kept in a file."""
    if not kept.exists():
        write_atomically(kept, json.dumps({"support": _support(suite, seed), "added": _added(suite)}).encode())
    found = json.loads(kept.read_text())
    lines = [
        "| images | resampled by | branches | mean support | come again | Brier score | AUROC: comes again | class | architecture |",
        "| --- " * 9 + "|",
    ]
    for row in found["support"]:
        lines.append("| " + " | ".join(str(cell) for cell in row["said"]) + " |")
    lines += ["", "| images | support from | families of two or more | sources in them | pure by class | pure by architecture "
              "| AMI class | AMI, cut into as many by height |", "| --- " * 8 + "|"]  # fmt: skip
    lines += ["| " + " | ".join(row) + " |" for one in found["support"] for row in one["families"]]
    added = found["added"]
    lines += ["", f"Sources left out of the tree of the reference ({ADDED} images each) and added to it again: {added['same']} "
              f"of {added['sources']} joined the same others as in the tree of all; {added['class']} joined a branch with "
              f"one of their class, {added['architecture']} of {added['kin']} with one of their architecture."]  # fmt: skip
    return "\n".join(lines)


def _support(suite: Suite, seed: int) -> list[dict]:
    """Branches of trees of few images: their support, whether they are in trees of as many others, whether labels agree."""
    scorer, about = suite.model.scorer, suite.about
    whole = suite.whole()
    rows = []
    for size in SIZES:
        told: dict[str, list[np.ndarray]] = {kind: [] for kind in RESAMPLINGS}
        cuts: dict[float, list[tuple]] = {bound: [] for bound in BOUNDS}
        for draw in range(DRAWS):
            rng = np.random.default_rng((seed, size, draw))
            orders = [rng.permutation(len(one)) for one in whole]
            some, other = ([one[order[part]] for one, order in zip(whole, orders, strict=True)]
                           for part in (slice(size), slice(size, 2 * size)))  # fmt: skip
            again = set(FamilyTree.of(scorer, other).branches())
            for kind in RESAMPLINGS:
                tree = FamilyTree.of(scorer, some, support=RESAMPLED, seed=draw, resampling=kind)
                branches = tree.branches()[:-1]  # all trees have the root
                assert tree.support is not None
                pure = [[_pure(tree, leaves, about, label) for leaves in branches] for label in LABELS]
                told[kind].append(np.array([tree.support[:-1], [one in again for one in branches], *pure], float))
                if kind == "bootstrap":
                    for bound in BOUNDS:
                        cuts[bound].append(_families(tree, bound, about))
        for kind, parts in told.items():
            support, true, *labels = np.concatenate(parts, axis=1)
            said = [size, kind, len(support), f"{support.mean():.2f}", f"{true.mean():.2f}",
                    f"{np.square(support - true).mean():.3f} [{', '.join(f'{x:.3f}' for x in _range(parts))}]",
                    *(f"{roc_auc_score(one, support):.2f}" for one in (true, *labels))]  # fmt: skip
            rows.append({"said": said, "families": []})
            print(*said, flush=True)
        rows[-1]["families"] = [
            [str(size), f"{bound:g}", *(f"{value:.2f}" for value in np.mean(of, axis=0))] for bound, of in cuts.items()
        ]
    return rows


def _range(parts: list[np.ndarray]) -> tuple[float, float]:
    each = [float(np.square(part[0] - part[1]).mean()) for part in parts]
    return min(each), max(each)


def _pure(tree: FamilyTree, leaves: frozenset[int], about: dict, label: str) -> bool:
    return len({about[tree.sources[i]][label] for i in leaves}) == 1


def _families(tree: FamilyTree, bound: float, about: dict) -> tuple[float, ...]:
    members: dict[int, list[str]] = {}
    families = tree.families(bound)
    for name, family in families.items():
        members.setdefault(family, []).append(name)
    related = [names for names in members.values() if len(names) > 1]
    pure = [np.mean([len({about[name][label] for name in names}) == 1 for names in related] or [0]) for label in LABELS]
    known = [about[name]["class"] for name in tree.sources]
    by_height = list(tree.cut(len(members)).values())
    return (len(related), sum(map(len, related)), *pure, adjusted_mutual_info_score(known, list(families.values())),
            adjusted_mutual_info_score(known, by_height))  # fmt: skip


def _added(suite: Suite) -> dict[str, int]:
    """Each source left out of the tree and added again."""
    some: list[Fingerprint] = [one[np.arange(ADDED)] for one in suite.whole()]
    scorer, about = suite.model.scorer, suite.about
    at = _sibling(FamilyTree.of(scorer, some))
    found = {"sources": len(some), "same": 0, "class": 0, "architecture": 0, "kin": 0}
    for i, left in enumerate(some):
        others = some[:i] + some[i + 1 :]
        beside = _sibling(FamilyTree.of(scorer, others, add=[left]))[left.source]
        found["same"] += beside == at[left.source]
        for label in LABELS:
            found[label] += about[left.source][label] in {about[name][label] for name in beside}
        built = [about[one.source]["architecture"] for one in others]
        found["kin"] += about[left.source]["architecture"] in built
    return found


def _sibling(tree: FamilyTree) -> dict[str, frozenset[str]]:
    """Whom each source joins first."""
    nodes = [frozenset([i]) for i in range(len(tree.sources))] + tree.branches()
    found = {}
    for left, right, *_ in tree.linkage:
        for one, other in ((int(left), int(right)), (int(right), int(left))):
            if one < len(tree.sources):
                found[tree.sources[one]] = frozenset(tree.sources[i] for i in nodes[other])
    return found
