"""Writes docs/lineage.md: lineage and kinship on one author's models and on shipped generators, and what pairs add.

    python benchmarks/lineage.py --wild FOLDER --work FOLDER --why REASON

The wild folder has the sources of anime64lineage. The other keeps images of shipped generators, features and answers, to go on
from.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import permutations, product
from pathlib import Path

import numpy as np
from common import ROOT, log_wild_run, provenance
from kept import Kept
from lineage_page import RECIPE, SAME, SIBLINGS, TRUE, TURNED, page
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from genprint.answers.lineage import lineage
from genprint.baselines.content import ColourQuantiles, Thumbnail
from genprint.baselines.imagenet import ImageNetFeatures
from genprint.evaluation.intervals import Mean
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.lda import LDA

AUTHORS = re.compile("^gan_dcgan_|_luoge850-lang$")
SIZES, PAIRS, SHIPPED_SIZES, DRAWN, LATENTS = (10, 20), (10, 20, 50), (10, 20, 200), 200, "same latents"
#: The author's scripts: what was trained how. All of the first have one set of weights, each drawn from other latents.
BASE = ("milestone_11_diffaug_ema", "clip_e0", "fp32")
QUANTISED, PERCEPTUAL = ("fp16", "int8"), ("clip_c1_lambda001", "clip_c4_lambda010")
FOREIGN = tuple(f"sdxl_a{share}" for share in (0, 10, 20, 30, 50))
APART = ("b1_formal_clean_unique_17k", "milestone_09_20k", "milestone_10_laplacian", "milestone_03_width3x")
#: Of a third of the width.
NARROW = ("phase1_epoch_200", "phase1_sharpen_aug", "phase2_baseline_no_modules", "phase2_sn_hinge")
CHILDREN = (*QUANTISED, *PERCEPTUAL, *FOREIGN)
SAME_LATENTS = (BASE[0], *FOREIGN, *APART)

Sets = Mapping[str, Fingerprint]


@dataclass(frozen=True)
class Asked:
    """A question, and what came of it."""

    kind: str
    child: str
    parent: str
    size: int
    method: str
    decision: str
    p: float
    margin: tuple[float, float, float]
    relative: float
    rate: float
    follows: tuple[float, float] = (0.0, 0.0)


def ask(kind: str, model: Model, method: str, sets: Sequence[Fingerprint], paired: bool = False) -> Asked:
    """The answer on a child, its alleged parent, and models trained apart."""
    child, parent, *apart = sets
    found = lineage(model, child, parent, apart, paired=paired)
    away = min(found.others.values()) ** 2 + found.distance**2
    follows = (found.followed.parent, max(found.followed.others.values())) if found.followed else (0.0, 0.0)
    return Asked(
        kind, child.source, parent.source, len(child), method, found.decision, found.p, found.margin,
        found.margin[0] / max(away, 1e-9), found.rate, follows,
    )  # fmt: skip


def questions() -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Kind, child, alleged parent and models trained apart, of the author's collection."""
    for child, parent in permutations(BASE, 2):
        yield SAME, child, parent, APART
    for child, parent in product(CHILDREN, BASE):
        yield TRUE, child, parent, APART
    for child in CHILDREN:
        yield TURNED, child, APART[0], (BASE[1], *APART[1:])
    for child, parent in permutations((*PERCEPTUAL, FOREIGN[0], FOREIGN[-1]), 2):
        yield SIBLINGS, child, parent, APART
    for child in APART:
        yield RECIPE, child, BASE[1], tuple(one for one in APART if one != child)


def halves(size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Places of the child's images and of all others', so that no latent is on both sides; both ways round."""
    even, odd = np.arange(0, 2 * size, 2), np.arange(1, 2 * size, 2)
    yield from ((even, odd), (odd, even))


def of_author(model: Model, method: str, sets: Sets) -> Iterator[Asked]:
    """Answers on the author's collection."""
    for size, (kind, *names) in product(SIZES, questions()):
        child, parent, apart = names
        for mine, theirs in halves(size):
            others = [sets[one][theirs] for one in (parent, *apart)]
            yield ask(kind, model, method, [sets[child][mine], *others])


def degree(one: str, other: str) -> int | None:
    """How near kin two of the author's models are: 0 the same weights, 1 derived, 2 of one architecture, 3 of another."""
    groups = [BASE, CHILDREN, APART, NARROW]
    near, far = sorted(next(i for i, group in enumerate(groups) if name in group) for name in (one, other))
    if far <= 1:
        return 0 if (near, far) == (0, 0) else 1
    return 3 if far == 3 and near < 3 else 2


def of_shipped(model: Model, method: str, sets: Sets) -> Iterator[Asked]:
    """Answers on descendants of shipped generators, whose parent has another seed."""
    about = {folder.name: describe(folder) for folder in shipped()}
    for size, child in product(SHIPPED_SIZES, about):
        parent = about[child]["parent"]
        if parent and (other := next(iter(seeds(about, parent)), None)):
            parts = {one: sets[one][np.arange(size)] for one in (child, parent, other)}
            yield ask(TRUE, model, method, [parts[child], parts[parent], parts[other]])
            yield ask(TURNED, model, method, [parts[child], parts[other], parts[parent]])


def seeds(about: Mapping[str, Mapping[str, str]], name: str) -> list[str]:
    """Other generators of the same architecture that descend from none."""
    roots = [one for one, said in about.items() if not said["parent"]]
    ordered = sorted(roots, key=lambda one: one.rsplit("-s", 1)[0] != name.rsplit("-s", 1)[0])
    return [one for one in ordered if one != name and about[one]["architecture"] == about[name]["architecture"]]


def pairs_of_shipped(model: Model, method: str, same: Sets, own: Sets | None = None) -> Iterator[Asked]:
    """Answers on shipped generators from the same latents, paired; with ``own``, from other latents and unpaired.

    The alleged parent is the parent, or the other seed where the child was trained apart and all the other models are of
    another architecture: near in architecture alone.
    """
    about = {folder.name: describe(folder) for folder in shipped()}
    asked = [
        (TRUE, child, said["parent"], seeds(about, said["parent"]))
        for child, said in about.items() if said["parent"] and seeds(about, said["parent"])
    ]  # fmt: skip
    for child, said in about.items():
        others = [
            one for one, its in about.items()
            if its["class"] == said["class"] and its["architecture"] != said["architecture"] and not its["parent"]
        ]  # fmt: skip
        if not said["parent"]:
            asked += [(RECIPE, child, alleged, others) for alleged in seeds(about, child)]
    for size, (kind, child, parent, others) in product(PAIRS, asked):
        rows, sets = np.arange(size), own or same
        yield ask(kind, model, method, [sets[one][rows] for one in (child, parent, *others)], paired=own is None)


def pairs_of_author(model: Model, method: str, sets: Sets) -> Iterator[Asked]:
    """Answers on those of the author's models that were given the same latents, paired."""
    for size in (*SIZES, 40):
        own = {one: sets[one][np.arange(size)] for one in SAME_LATENTS}
        for child in FOREIGN:
            yield ask(TRUE, model, method, [own[one] for one in (child, BASE[0], *APART)], paired=True)
        for child in APART:
            others = [one for one in APART if one != child]
            yield ask(RECIPE, model, method, [own[one] for one in (child, BASE[0], *others)], paired=True)


@dataclass
class Worlds:
    """Fingerprints by one model, made when they are asked for."""

    model: Model
    wild: Path
    images: Path

    @cached_property
    def author(self) -> Sets:
        """Of the author's models."""
        sets = [replace(one, name=AUTHORS.sub("", one.name)) for one in read_sources(self.wild)]
        return {one.name: self.model.fingerprint(one) for one in sets}

    @cached_property
    def own(self) -> Sets:
        """Of shipped generators, each from its own latents."""
        return self._of("own")

    @cached_property
    def same(self) -> Sets:
        """Of the same, all from the same latents."""
        return self._of("same")

    def _of(self, latents: str) -> Sets:
        made = {}
        for path in shipped():
            kept = self.images / f"{path.name}.npz"
            if not kept.exists():
                generator, _ = load(path)
                np.savez(kept, own=sample(generator, path.name, DRAWN), same=sample(generator, LATENTS, 64))
            with np.load(kept) as images:
                made[path.name] = self.model.fingerprint(ImageSet.from_array(images[latents], path.name))
        return made


def kinship(worlds: Worlds, size: int, seed: int, draws: int = 500) -> dict[str, Mean]:
    """Rank correlation of degree and distance, and AUROC of nearer pairs; intervals by bootstrap over sources."""
    sets, model = worlds.author, worlds.model
    names = [one for one in sets if one in {*BASE, *CHILDREN, *APART, *NARROW}]
    apart = np.zeros((len(names), len(names)))
    for mine, theirs in halves(size):
        parts = [sets[one][rows] for rows in (mine, theirs) for one in names]
        scorer = model.scorer.adapt(parts)
        white = [scorer.whiten(one.values.astype(np.float64)) for one in parts]
        means = np.stack([values.mean(0) for values in white])
        noise = np.array([values.var(0, ddof=1).sum() / size for values in white])
        one, other = slice(None, len(names)), slice(len(names), None)
        squared = np.square(means[one, None] - means[None, other]).sum(2) - noise[one, None] - noise[None, other]
        apart += (squared + squared.T) / 2
    degrees = np.array([[degree(a, b) for b in names] for a in names])
    made = {
        "order": lambda d, k: float(spearmanr(k, d).statistic),
        "derived": lambda d, k: _auroc(d, k <= 1, k >= 2),
        "architecture": lambda d, k: _auroc(d, k == 2, k == 3),
    }
    rng = np.random.default_rng(seed)
    chosen = [np.arange(len(names)), *rng.integers(len(names), size=(draws, len(names)))]
    values: dict[str, list[float]] = {what: [] for what in made}
    for some in chosen:
        rows, columns = (some[at] for at in np.triu_indices(len(some), 1))
        different = rows != columns
        pairs = rows[different], columns[different]
        for what, measure in made.items():
            values[what].append(measure(apart[pairs], degrees[pairs]))
    return {what: Mean(found[0], *np.nanquantile(found, [0.025, 0.975]), len(names)) for what, found in values.items()}


def _auroc(distances: np.ndarray, near: np.ndarray, far: np.ndarray) -> float:
    if not near.any() or not far.any():
        return float("nan")
    chosen = near | far
    return float(roc_auc_score(far[chosen], distances[chosen]))


def sections(worlds: Worlds, method: str) -> dict[str, Callable[[], Iterator[Asked]]]:
    """What a method is asked."""
    model = worlds.model
    asked: dict[str, Callable[[], Iterator[Asked]]] = {
        "author": lambda: of_author(model, method, worlds.author),
        "author pairs": lambda: pairs_of_author(model, method, worlds.author),
    }
    if method != "ImageNet":  # which takes seconds a question
        asked["shipped"] = lambda: of_shipped(model, method, worlds.own)
        asked["pairs"] = lambda: pairs_of_shipped(model, method, worlds.same)
    if method == "set encoder":
        asked["unpaired"] = lambda: pairs_of_shipped(model, method, worlds.same, worlds.own)
    return asked


def main() -> None:
    """Asks, and writes the page."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--wild", type=Path, required=True)
    options.add_argument("--why", required=True, help="why the wild set is looked at again")
    options.add_argument("--work", type=Path, required=True, help="keeps images, features and answers, to go on from")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    given.work.mkdir(exist_ok=True)
    kept, images = Kept(given.work / "answers.json"), given.work / "samples"
    images.mkdir(exist_ok=True)
    cache = Cache(given.work / "features.sqlite")
    peers = {"thumbnail": Thumbnail(), "colour": ColourQuantiles(), "ImageNet": ImageNetFeatures()}
    models = {"set encoder": Model.load(), **{method: Model(peer, LDA()) for method, peer in peers.items()}}
    found: dict[str, list[Asked]] = {}
    kin: dict[tuple[str, int], dict[str, Mean]] = {}
    for method, model in models.items():
        worlds = Worlds(replace(model, cache=cache), given.wild, images)
        for section, rows in sections(worlds, method).items():
            asked = {"model": worlds.model.identity, "sizes": [SIZES, PAIRS, SHIPPED_SIZES]}
            answers = kept.get(f"{method}, {section}", asked, lambda: [asdict(one) for one in rows()])  # noqa: B023
            found.setdefault(section, []).extend(Asked(**one) for one in answers)
            print(method, section, round(kept.seconds), flush=True)
        for size in SIZES:
            asked = {"model": worlds.model.identity, "size": size, "seed": given.seed}
            order = kept.get(
                f"{method}, kinship of {size}", asked,
                lambda: {what: asdict(one) for what, one in kinship(worlds, size, given.seed).items()},  # noqa: B023
            )  # fmt: skip
            kin[method, size] = {what: Mean(**one) for what, one in order.items()}
    log_wild_run("anime64lineage", "lineage and kinship, paired and not", given.why)
    (ROOT / "docs/lineage.md").write_text(page(found, kin, provenance(given.seed, time.monotonic() - kept.seconds)))


if __name__ == "__main__":
    main()
