"""Writes docs/sorting.md: piles of images without labels, sorted by source, beside what other features and methods find.

    python benchmarks/sorting.py --work features.sqlite --real clothing32.npz --cifar FOLDER --bed FOLDER --t2i FOLDER --why REASON
    python benchmarks/sorting.py --work features.sqlite --real clothing32.npz --learn --photographs clothing200.zip

Features are kept in the file of --work, and what was found in a JSON beside it: asked again, it goes on where it stopped. A
folder that is not given leaves its rows out. --bed is what benchmarks/testbed.py makes. --learn prints the rules of where to stop, learned
from simulated sources and the shipped generators of the architectures that are no test architectures, as made and after JPEG 80;
for pictures, from simulated sources of photographs as publishers leave them.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from bed import photographs
from common import ROOT, commit, encoder_of, held_out, labels, log_wild_run, provenance
from kept import Kept
from sklearn.cluster import HDBSCAN, KMeans

from genprint.encoder.training.pretraining import simulated_fingerprints
from genprint.encoder.training.publishing import Published
from genprint.evaluation.intervals import over_sources
from genprint.evaluation.methods import METHODS
from genprint.evaluation.sorting import Drawn, Sorting, even, grow, learn, piled, uneven
from genprint.fingerprints.cache import Cache
from genprint.fingerprints.conditions import named
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.base import ByScorer
from genprint.scoring.grouping import group
from genprint.scoring.grouping_rules import RULES, Rules
from genprint.storage.files import write_atomically

PILES, LABELLED, OURS, JPEG = 16, 5, "genprint", "JPEG 80"
PEERS = ("imagenet", "colour", "header")
_SCALE = 20_000
_KIN = {
    "nanobananapro_songguoxs": "gemini3pro_teenbiscuits", "sd14_easydiffusion": "sd14_dcsan",
    "gpt4o_jamezbondos": "gptimage1mini_hvalfangst",
}  # fmt: skip
_PAGE = """# Sorting a pile

Written by `benchmarks/sorting.py`; the encoder has seen none of these sources. {provenance}

A pile is images without labels. `genprint.sort` finds groups of one source each, their number too, and strays. *Even* piles are 30 images of each of 10 sources;
*uneven* ones have 60 % of one source, 20 % of another, sources of three to five images, and one image in ten a stray: the only one of its source (up to 100 images, fewer
where there are too few sources). {piles} piles of each kind; piles share sources and images, so that the 95 % intervals, by bootstrap over piles, are rather narrow.
ARI is the adjusted Rand index, with each stray, true or called so, a group of one. *HDBSCAN* finds the number of groups itself, *k-means* is given the number of sources that have
more than one image; `header` is left out where images are saved alike. *Single images, labelled* is no clustering but what there is to be had: each image of an even pile is attributed alone, by a scorer
that knows whose all the others are ({labelled} piles).

{tables}

## How sure

{reliability}

## Scale

{scale}
"""


@dataclass(frozen=True)
class World:
    """Sources whose images piles are drawn of.

    Attributes:
        name: in the table.
        model: that reads them.
        sets: their images.
        after: a processing that all images go through first; None for as they are.
        kinds: of piles.
        truth: what a source counts as; itself where it is not named.
        files: whether headers differ.
    """

    name: str
    model: Model
    sets: Mapping[str, ImageSet]
    after: str | None
    kinds: Mapping[str, Callable[[Mapping[str, int], np.random.Generator], Drawn]]
    truth: Mapping[str, str]
    files: bool = False

    def read(self, method: str, cache: Cache) -> dict[str, np.ndarray]:
        """Features of each source's images, by a method."""
        every = list(self.sets.values())
        front = METHODS["set_encoder" if method == OURS else method].reader(self.model, None, every)
        processing = named(self.after) if self.after else None
        found = {name: front.extract(own, cache=cache, processing=processing).values for name, own in self.sets.items()}
        print(f"{self.name}: {method} read", file=sys.stderr, flush=True)
        return found


def all_unequal(counts: Mapping[str, int], rng: np.random.Generator) -> Drawn:
    """All sources, of three images up to all there are."""
    sizes = {name: int(np.exp(rng.uniform(np.log(3), np.log(count + 0.99)))) for name, count in counts.items()}
    return [(name, rng.permutation(counts[name])[:size]) for name, size in sizes.items()]


def worlds(given: argparse.Namespace) -> Iterator[World]:
    """What piles are drawn of."""
    small, large, both = Model.load(), Model.load("pictures"), {"even": even, "uneven": uneven}
    yield World("shipped generators (test architectures)", small, reference(given.real, ("test",)), None, both, {})
    if given.cifar:
        sets = {images.name: images for images in read_sources(given.cifar)}
        yield World("third-party, CIFAR-10", small, sets, None, both, {})
    if given.bed:
        sources = sorted(labels(given.bed))
        sources = [
            one
            for one in sources
            if (given.bed / "jpeg80" / one).is_dir() and len(list((given.bed / "jpeg80" / one).iterdir())) >= 40
        ]
        names = photographs(given.bed, ("png", "jpeg80"), sources, 40)
        for pipeline, title in (("png", "as made"), ("jpeg80", "after JPEG 80")):
            sets = {
                one: ImageSet.from_files(
                    [next((given.bed / pipeline / one).glob(f"{name}.*")) for name in names], one
                )
                for one in sources
            }  # fmt: skip
            yield World(f"crossed test bed, {title}", large, sets, None, both, {})
    if given.t2i:
        sets = {images.name: images for images in read_sources(given.t2i)}
        for after in (None, "JPEG 75"):
            for by, truth in (("generator and publisher", {}), ("generator", _KIN)):
                title = f"text-to-image, {f'after {after}' if after else 'as found'}, by {by}"
                yield World(title, large, sets, after, {"all, unequal": all_unequal}, truth, after is None)


def reference(real: Path, parts: Sequence[str], images: int = 200) -> dict[str, ImageSet]:
    """Shipped generators of some parts of the split, without descendants; with real images if it is the test part."""
    sets = {}
    for folder in shipped():
        about = describe(folder)
        if not about["parent"] and about["part"] in parts:
            sets[folder.name] = ImageSet.from_array(sample(load(folder)[0], folder.name, images), folder.name)
    if "test" in parts:
        held = held_out(real)
        chosen = np.random.default_rng(0).choice(len(held), images, replace=False)
        sets["real"] = ImageSet.from_array(held[chosen], "real")
    return sets


def sorted_by(method: str, world: World, features: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Labels by a method: features, and what clusters them."""
    if method == OURS:
        return group(world.model.plda, features, RULES[world.model.name or ""]).labels
    scaled = (features - features.mean(0)) / (features.std(0) + 1e-6)
    if method.startswith("imagenet"):
        scaled = features / np.linalg.norm(features, axis=1, keepdims=True)
    if method.endswith("HDBSCAN"):
        return HDBSCAN(min_cluster_size=3, copy=True).fit_predict(scaled)
    many = int((np.bincount(truth) > 1).sum())
    return KMeans(many, n_init=5, random_state=0).fit_predict(scaled)


def drawn(world: World, kind: str, seed: int) -> Iterator[tuple[Drawn, np.ndarray]]:
    """Piles of a kind, and the number of each image's source."""
    counts = {name: 40 if images.count is None else images.count for name, images in world.sets.items()}
    for number in range(PILES):
        chosen = world.kinds[kind](counts, np.random.default_rng([seed, number]))
        owners = [world.truth.get(name, name) for name, rows in chosen for _ in rows]
        yield chosen, np.unique(owners, return_inverse=True)[1]


def measured(world: World, kind: str, cache: Cache, seed: int) -> dict[str, list[dict[str, float]]]:
    """How well each method sorts the same piles."""
    peers = [peer for peer in PEERS if world.files or peer != "header"]
    found: dict[str, list[dict[str, float]]] = {}
    for peer in (OURS, *peers):
        features = world.read(peer, cache)
        methods = (OURS,) if peer == OURS else (f"{peer}, HDBSCAN", f"{peer}, k-means")
        for number, (chosen, truth) in enumerate(drawn(world, kind, seed)):
            rows, _ = piled(features, chosen)
            for method in methods:
                found.setdefault(method, []).append(asdict(Sorting.of(truth, sorted_by(method, world, rows, truth))))
            if peer == OURS and kind == "even" and number < LABELLED:
                labelled = attributed(world.model, rows, truth)
                found.setdefault("single images, labelled", []).append(asdict(Sorting.of(truth, labelled)))
    return found


def attributed(model: Model, features: np.ndarray, truth: np.ndarray, folds: int = 5) -> np.ndarray:
    """Each image's source, by a scorer that knows whose all others but its fold are."""
    parts, labels = len(model.plda.within), np.empty(len(truth), int)
    fold = np.random.default_rng(0).permutation(len(truth)) % folds

    def print_of(rows: np.ndarray) -> Fingerprint:
        return Fingerprint("", features[rows].astype(np.float32), tuple(map(str, np.flatnonzero(rows))), parts=parts)

    for own in range(folds):
        gallery = [print_of((truth == k) & (fold != own)) for k in range(truth.max() + 1)]
        asked = print_of(fold == own)
        scores = ByScorer(model.scorer).score([asked[[i]] for i in range(len(asked))], gallery)
        labels[fold == own] = scores.argmax(1)
    return labels


def table(found: Mapping[str, Sequence[Mapping[str, float]]], seed: int) -> list[str]:
    """A row for each method."""
    lines, ours = [], np.array([one["ari"] for one in found[OURS]])
    for method, piles in found.items():
        columns = {key: np.array([one[key] for one in piles]) for key in piles[0]}
        cells = [said(columns[key], seed) for key in ("ari", "nmi")]
        cells.append(f"{columns['groups'].mean():.1f} of {columns['sources'].mean():.1f}")
        cells += [said(columns[key], seed) for key in ("pure", "strays", "lost")]
        less = "" if method == OURS else said(ours[: len(piles)] - columns["ari"], seed, sign="+")
        lines.append(f"| {method} | " + " | ".join(cells) + f" | {less} |")
    return lines


def said(values: np.ndarray, seed: int, sign: str = "") -> str:
    """A mean over piles and its interval."""
    values = values[~np.isnan(values)]
    if not len(values):
        return "-"
    mean = over_sources(values, seed)
    return f"{mean.mean:{sign}.2f} [{mean.low:{sign}.2f}, {mean.high:{sign}.2f}]"


def reliability(world: World, cache: Cache, seed: int) -> list[list[float]]:
    """Of each image in a group or nearest to one: its probability, and whether the group's commonest source is its own."""
    features, pairs = world.read(OURS, cache), []
    for kind in world.kinds:
        for chosen, truth in drawn(world, kind, seed):
            found = group(world.model.plda, piled(features, chosen)[0], RULES[world.model.name or ""])
            if not found.groups:
                continue
            commonest = np.array([np.bincount(truth[found.labels == k]).argmax() for k in range(found.groups)])
            right = commonest[found.nearest] == truth
            pairs += [[float(p), float(r)] for p, r in zip(found.probability, right, strict=True)]
    return pairs


def reliable(name: str, pairs: Sequence[Sequence[float]]) -> str:
    """Said against true, by the probability."""
    told, right = np.array(pairs).T
    edges = (0.0, 0.35, 0.6, 0.8, 0.9, 1.01)
    cells = []
    for low, high in pairwise(edges):
        some = (told >= low) & (told < high)
        cells.append(f"{told[some].mean():.2f} / {right[some].mean():.2f} ({some.sum()})" if some.any() else "-")
    return f"| {name} | " + " | ".join(cells) + " |"


def scale(seed: int) -> None:
    """Sorts 20,000 images drawn from the scorer's own Gaussians; prints what it took."""
    model, rng = Model.load(), np.random.default_rng(seed)
    plda, sources = model.plda, 400
    of = rng.integers(sources, size=_SCALE)
    values = []
    for within, between in zip(plda.within, plda.between, strict=True):
        roots = [np.linalg.cholesky(matrix + 1e-9 * np.eye(len(matrix))) for matrix in (between, within)]
        centres = rng.normal(size=(sources, len(within))) @ roots[0].T
        values.append(centres[of] + rng.normal(size=(_SCALE, len(within))) @ roots[1].T)
    features = np.concatenate(values, axis=1).astype(np.float32) + plda.mean.astype(np.float32)
    del values
    start = time.monotonic()
    found = group(plda, features)
    seconds = time.monotonic() - start
    cells = Sorting.of(of, found.labels)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "gib": peak, "sources": sources, **asdict(cells)}))


def reading_time(real: Path) -> float:
    """Seconds that reading a thousand thumbnails takes."""
    images = held_out(real)[:500]
    start = time.monotonic()
    Model.load().fingerprint(ImageSet.from_array(images, "real"))
    return (time.monotonic() - start) * 1000 / len(images)


def learned(given: argparse.Namespace, cache: Cache) -> None:
    """Prints the rules."""
    model = Model.load()
    encoder, sets = encoder_of(model), reference(given.real, ("train", "calibration"))
    simulated = simulated_fingerprints(encoder, held_out(given.real), 200, given.seed + 777, 64)
    made = [
        {name: encoder.extract(images, cache=cache, processing=after).values for name, images in sets.items()}
        for after in (None, named(JPEG))
    ]
    collections = [{name: one.values for name, one in simulated.items()}, *made]
    tell(model, learn(list(grow(model.plda, collections, 10, given.seed + 5, lambda: None))))
    if given.photographs:
        model = Model.load("pictures")
        pixels = [image.pixels for image in ImageSet.read(given.photographs)]
        groups = Published(pixels, side=192, sources=20, images=50, siblings=0.3, seed=given.seed + 77).groups(6)
        collections = [
            {str(i): model.fingerprint(ImageSet.from_array(own, str(i))).values for i, own in enumerate(sources)}
            for sources in groups
        ]
        tell(model, learn(list(grow(model.plda, collections, 6, given.seed + 5, lambda: None))))


def tell(model: Model, rules: Rules) -> None:
    """Prints a model's rules."""
    for name in ("split", "belongs", "member"):
        rule = getattr(rules, name)
        print(f"{model.name}: {name}=({', '.join(f'{value:.3f}' for value in rule)})", flush=True)


def main() -> None:
    """Measures, writes the page, logs looks at wild sets."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--work", type=Path, help="file that keeps features")
    options.add_argument("--real", type=Path, help="clothing32.npz")
    for name in ("cifar", "bed", "t2i"):
        options.add_argument(f"--{name}", type=Path)
    options.add_argument("--why", default="", help="why wild sets are looked at again")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--learn", action="store_true")
    options.add_argument("--photographs", type=Path, help="to learn with, for pictures: clothing200.zip")
    options.add_argument("--scale", action="store_true", help="only the 20,000 images, in this process")
    given, start = options.parse_args(), time.monotonic()
    if given.scale:
        return scale(given.seed)
    cache = Cache(given.work)
    if given.learn:
        return learned(given, cache)
    kept = Kept(given.work.with_suffix(".json"))
    asked = {"commit": commit(of=("src/genprint", "benchmarks/sorting.py")), "seed": given.seed, "piles": PILES}
    tables, sure = [], []
    heads = ["", "ARI", "NMI", "groups", "of one source", "strays found", "others lost", "ARI of genprint less this"]
    for world in worlds(given):
        for kind in world.kinds:
            found = kept.get(f"{world.name}: {kind}", asked, lambda: measured(world, kind, cache, given.seed))  # noqa: B023
            lines = [f"## {world.name[0].upper()}{world.name[1:]}: {kind} piles", "", "| " + " | ".join(heads) + " |"]
            lines += ["| --- " * len(heads) + "|", *table(found, given.seed), ""]
            print("\n".join(lines), flush=True)
            tables += lines
        pairs = kept.get(f"{world.name}: reliability", asked, lambda: reliability(world, cache, given.seed))  # noqa: B023
        sure.append(reliable(world.name, pairs))
        print(sure[-1], flush=True)
    again = [sys.executable, __file__, "--scale", "--seed", str(given.seed)]
    took = kept.get(
        "scale", asked, lambda: json.loads(subprocess.run(again, capture_output=True, text=True, check=True).stdout)
    )
    reading = kept.get("reading", asked, lambda: reading_time(given.real))
    page = _PAGE.format(
        provenance=provenance(given.seed, start), piles=PILES, labelled=LABELLED, tables="\n".join(tables),
        reliability="Probability that an image is of its group's source, mean of those that were said / share that was so (images).\n\n"
        "| | below 0.35 | to 0.6 | to 0.8 | to 0.9 | above |\n" + "| --- " * 6 + "|\n" + "\n".join(sure),
        scale=f"{_SCALE:,} images of {took['sources']} sources, drawn from the scorer's own Gaussians: {took['seconds']:.0f} s and {took['gib']:.1f} GiB at the "
        f"peak, one thread; ARI {took['ari']:.2f}, {took['groups']:.0f} groups. Reading takes {reading:.1f} s a thousand thumbnails before that.",
    )  # fmt: skip
    write_atomically(ROOT / "docs/sorting.md", page.encode())
    for folder in (given.cifar, given.t2i):
        if folder:
            log_wild_run(folder.name, "sorting", given.why)


if __name__ == "__main__":
    main()
