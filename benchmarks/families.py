"""Writes docs/families.md: trees by class, by what writes the pixels last, and by architecture, beside every peer.

    python benchmarks/families.py --real clothing32.npz --wild FOLDER --work FOLDER --why "..."

--wild has the folders cifar10, mnist, t2i and anime64lineage, each with sources.csv. Features and finished suites are
kept in --work: a run that was stopped goes on from there. What writes the pixels last is in final_components.csv.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from common import ROOT, commit, log_wild_run, provenance
from families_suites import CONSENSUS, DEFAULT, LEARNED, Suite, reference, wild
from families_sure import sure
from sklearn.metrics import adjusted_mutual_info_score

from genprint.answers.families import FamilyTree, locally_scaled
from genprint.evaluation.families import agreement
from genprint.fingerprints.cache import Cache
from genprint.storage.files import write_atomically

DRAWS = 300
PEERS = ("spectrum", "covariance", "frechet_residual", "kernel_residual", "imagenet", "frechet_imagenet",
         "kernel_imagenet")  # fmt: skip
CONTROLS = ("colour", "thumbnail")
KINDS = ("class", "final component", "architecture")


def kin(apart: np.ndarray, known: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Whether each source's nearest relative, among those not ``left_out`` for it, has its label; NaN where none can."""
    scaled = np.where(left_out, np.inf, locally_scaled(apart))
    right = (known[scaled.argmin(1)] == known).astype(float)
    right[~((known[:, None] == known) & ~left_out).any(1)] = np.nan
    return right


def drawn(count: int, seed: int) -> list[np.ndarray]:
    """Different sources of bootstrap draws: a tree has no leaf twice."""
    rng = np.random.default_rng(seed)
    return [np.unique(rng.integers(count, size=count)) for _ in range(DRAWS)]


def families_of(names: Sequence[str], apart: np.ndarray, known: np.ndarray, chosen: np.ndarray) -> float:
    """Adjusted mutual information of some of the sources."""
    tree = FamilyTree.build([names[i] for i in chosen], apart[np.ix_(chosen, chosen)])
    cut = list(tree.cut(len(set(known[chosen]))).values())
    return float(adjusted_mutual_info_score(known[chosen], cut))


def measured(suite: Suite, seed: int) -> dict:
    """For each kind of label: every method's numbers, and the default's differences to the best peer, with intervals."""
    apart = {name: suite.distances(name) for name in (DEFAULT, CONSENSUS, LEARNED, *PEERS, *CONTROLS)}
    result: dict = {}
    for kind in KINDS:
        among = [i for i, name in enumerate(suite.names) if suite.about[name].get(kind)]
        known = np.array([suite.about[suite.names[i]][kind] for i in among])
        if len(set(known)) in (0, 1, len(known)):
            continue
        names = [suite.names[i] for i in among]
        of = {name: all_[np.ix_(among, among)] for name, all_ in apart.items() if all_ is not None}
        labelled = dict(zip(names, known, strict=True))
        found = {name: agreement(FamilyTree.build(names, one), labelled, seed) for name, one in of.items()}
        built = np.array([suite.about[name]["architecture"] for name in names])
        itself, same = np.eye(len(names), dtype=bool), built[:, None] == built
        right = {name: {"nearest": kin(one, known, itself), "other": kin(one, known, same)} for name, one in of.items()}
        draws = [one for one in drawn(len(names), seed) if 1 < len(set(known[one])) < len(one)]
        spread = {name: np.array([families_of(names, one, known, some) for some in draws]) for name, one in of.items()}
        counts = {label: int((known == label).sum()) for label in sorted(set(known))}
        result[kind] = {"counts": counts, "kin": [int(np.isfinite(one).sum()) for one in right[DEFAULT].values()], "methods": {
            name: {"ami": one.ami, "purity": one.purity, "p": one.p, **{which: _mean(values) for which, values in right[name].items()}}
            for name, one in found.items()
        }, "against": {
            ours: _against(ours, found, right, spread, seed) for ours in (DEFAULT, CONSENSUS, LEARNED) if ours in of
        }}  # fmt: skip
        print(suite.name, kind, result[kind]["against"][DEFAULT], flush=True)
    return {"images": len(suite.fingerprints(DEFAULT)[0]), "sources": len(suite.names), "kinds": result}


def _against(ours: str, found: Mapping, right: Mapping, spread: Mapping, seed: int) -> dict:
    """Differences to the best peer by each measure, which is picked by this measure on these sources."""
    best = max(PEERS, key=lambda name: found[name].ami)
    told = {"ami": [best, found[ours].ami - found[best].ami, *np.percentile(spread[ours] - spread[best], (2.5, 97.5))]}
    for which, mine in right[ours].items():
        among = np.isfinite(mine)
        if among.any():
            peer = max(PEERS, key=lambda name, which=which: _mean(right[name][which]))
            apart = (mine - right[peer][which])[among]
            again = np.random.default_rng(seed).integers(len(apart), size=(2000, len(apart)))
            told[which] = [peer, apart.mean(), *np.percentile(apart[again].mean(1), (2.5, 97.5))]
    return told


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def page(found: Mapping[str, dict], sureness: str, said: str) -> str:
    """The Markdown of all suites."""
    text = (ROOT / "benchmarks/families.template.md").read_text()
    parts = []
    for name, suite in found.items():
        parts.append(
            f"## {name[0].upper()}{name[1:]}\n\n{suite['sources']} sources, {suite['images']} images of each; measured at {suite['commit']}."
        )
        for kind, one in suite["kinds"].items():
            counts = ", ".join(f"{label} {count}" for label, count in one["counts"].items() if count > 1)
            alone = sum(count == 1 for count in one["counts"].values())
            lines = [
                f"By {kind}: {counts}; {alone} alone of their label. Nearest relative over {one['kin'][0]} sources, of another architecture over {one['kin'][1]}.", "",
                "| method | AMI | nearest | of another architecture | purity | p |", "| --- " * 6 + "|",
            ]  # fmt: skip
            for method, row in one["methods"].items():
                role = "peer" if method in PEERS else "control" if method in CONTROLS else "method"
                lines.append(
                    f"| {method} ({role}) | {row['ami']:.2f} | {_percent(row['nearest'])} "
                    f"| {_percent(row['other'])} | {row['purity']:.2f} "
                    f"| {row['p']:.3f} |"
                )
            parts.append("\n".join(lines))
    summary = ["| suite | label | ours | AMI: best peer | difference | nearest: best peer | difference "
               "| of another architecture: best peer | difference |", "| --- " * 9 + "|"]  # fmt: skip
    for name, suite in found.items():
        for kind, one in suite["kinds"].items():
            for ours, row in one["against"].items():
                cells = [_difference(row.get(which)) for which in ("ami", "nearest", "other")]
                summary.append(f"| {name} | {kind} | {ours} | {' | '.join(cells)} |")
    return text.format(provenance=said, summary="\n".join(summary), suites="\n\n".join(parts), sure=sureness)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def _difference(row: Sequence | None) -> str:
    return "- | -" if row is None else f"{row[0]} | {row[1]:+.2f} [{row[2]:+.2f}, {row[3]:+.2f}]"


def main() -> None:
    """Measures and writes."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("real", "wild", "work"):
        given.add_argument(f"--{name}", type=Path, required=True)
    given.add_argument("--why", required=True, help="why the wild sets are looked at again")
    given.add_argument("--seed", type=int, default=0)
    options = given.parse_args()
    start, seed = time.monotonic(), options.seed
    options.work.mkdir(parents=True, exist_ok=True)
    cache = Cache(options.work / "features.sqlite")
    known = reference(options.real, cache, options.work, test=False)
    known.reference = known
    tested = reference(options.real, cache, options.work, test=True)
    tested.reference = known
    suites = {"reference": lambda: known, tested.name: lambda: tested}
    for name in ("cifar10", "mnist", "t2i", "anime64lineage"):
        suites[name] = lambda name=name: wild(options.wild / name, cache, known)
    found = {}
    for name, make in suites.items():
        kept = options.work / f"{name.replace(', ', '-').replace(' ', '-')}.json"
        if not kept.exists():
            suite = make()
            write_atomically(kept, json.dumps({"commit": commit()} | measured(suite, seed)).encode())
            if suite not in (known, tested):
                log_wild_run(name, ", ".join((DEFAULT, CONSENSUS, LEARNED, *PEERS, *CONTROLS)), options.why)
        found[name] = json.loads(kept.read_text())
    text = page(found, sure(known, options.work / "sure.json", seed), provenance(seed, start))
    (ROOT / "docs/families.md").write_text(text)


if __name__ == "__main__":
    main()
