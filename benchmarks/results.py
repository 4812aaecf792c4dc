"""Writes docs/results.md: every method on the shipped generators (with real images) and on third-party sources.

    python benchmarks/results.py --real REAL.npz --wild FOLDER --why "first table"

REAL.npz holds real images of which the last tenth was kept from the generators and the encoder; that tenth is used.
FOLDER has one sub-folder for each third-party source, and sources.csv with the class of each; each run on it is noted in
benchmarks/wild_runs.csv.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from common import ROOT, held_out, labels, log_wild_run, parser, provenance

from genprint.answers.families import FamilyTree
from genprint.evaluation.attributability import Rate, paired, top1
from genprint.evaluation.families import RELATIONS, agreement, kinship
from genprint.evaluation.intervals import Mean
from genprint.evaluation.methods import METHODS
from genprint.evaluation.open_set import open_set
from genprint.evaluation.stability import stability
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.generators.collection import describe, load, sample, shipped
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.base import Comparer
from genprint.storage.files import write_atomically

SIZES = (1, 5, 10, 20)
STABLE = ("set_encoder_cosine", "covariance", "marra", "spectrum", "durall", "frank", "imagenet", "colour", "thumbnail")
STABLE_SIZES = (10, 50)
NEEDED_SIZES = (1, 2, 3, 5, 10, 20, 50)
NEEDED = ("set_encoder", "set_encoder_vote", "covariance", "spectrum", "durall", "imagenet", "colour")
OPEN = ("set_encoder_normalised", "set_encoder", "set_encoder_cosine", "covariance", "marra", "frank", "colour")
TREES = ("set_encoder", "set_encoder_cosine", "covariance", "marra", "spectrum", "imagenet", "frechet_imagenet",
         "frechet_residual", "kernel_imagenet", "kernel_residual", "colour")  # fmt: skip
LEARNED = (
    "yu",
    "wang",
    "dnadet",
    "rpa",
    "manifpt_rgb",
    "manifpt_frequency",
)  # they train anew for each gallery, so one split has to do
TESTED = "## Test architectures, 32 enrolled"
LINKAGES = ("average", "complete", "ward")


@dataclass
class Data:
    """Labelled sources, and their fingerprints by each fingerprinter, made once."""

    title: str
    sets: list[ImageSet]
    about: Mapping[str, Mapping[str, str]]
    model: Model
    real: ImageSet
    made: dict[str, dict[str, Fingerprint]] = field(default_factory=dict)

    def fingerprints(self, method: str, names: Sequence[str] | None = None) -> dict[str, Fingerprint]:
        """Fingerprints of the sources named, or of all."""
        made_by = METHODS[method].fingerprinter(self.model).method
        if made_by not in self.made:
            reader = METHODS[method].reader(self.model, self.real, self.sets)
            self.made[made_by] = {images.name: reader.extract(images) for images in self.sets}
        return {name: self.made[made_by][name] for name in names or [images.name for images in self.sets]}

    def comparer(self, method: str) -> Comparer:
        """What compares them."""
        return METHODS[method].comparer(self.model)


def reference(real: Path, images: int, seed: int, model: Model) -> Data:
    """The shipped generators' images, and as many real ones."""
    about = {folder.name: describe(folder) for folder in shipped()}
    sets = [
        ImageSet.from_array(sample(load(folder)[0], folder.name, images, seed), folder.name) for folder in shipped()
    ]
    chosen = np.random.default_rng(seed).choice(len(held := held_out(real)), images, replace=False)
    sets.append(ImageSet.from_array(held[chosen], "real"))
    return Data("the shipped generators and real images", sets, about | {"real": _REAL}, model, trained_on(real))


_REAL = {"class": "real", "architecture": "real", "parent": ""}


def third_party(folder: Path, real: Path, model: Model) -> Data:
    """Sources of others. What they were trained on is not at hand: real images are others too."""
    title = f"third-party sources ({folder.name})"
    return Data(title, read_sources(folder), labels(folder), model, trained_on(real))


def trained_on(real: Path) -> ImageSet:
    """All but the last tenth of the real images."""
    pixels = np.load(real)["images"]
    return ImageSet.from_array(pixels[: -(len(pixels) // 10)], "trained on")


def attributability(data: Data, names: Sequence[str], enrolled: int, repeats: int, seed: int) -> tuple[list[str], dict]:
    """Top-1 of every method."""
    rates: dict[str, dict[int, Rate]] = {}
    for name in (name for name in METHODS if name != "set_encoder_matched"):  # nothing was done to these images
        rounds = 1 if name in LEARNED else repeats
        rates[name] = top1(data.fingerprints(name, names), data.comparer(name), enrolled, SIZES, rounds, seed)
        print(name, {size: round(rate.mean, 3) for size, rate in rates[name].items()}, flush=True)
    lines = _head("method", "role", *(f"@{n}" for n in SIZES))
    lines += [_row(name, METHODS[name].role, *map(_percent, by_size.values())) for name, by_size in rates.items()]
    probes = {n: r.probes for n, r in next(iter(rates.values())).items()}
    ours = rates["set_encoder"]
    sizes = [n for n in SIZES if n > 1 and n in ours]
    pairs = _head("set_encoder against", "role", *(f"difference @{n}" for n in sizes), "error ratio @10")
    for name, by_size in rates.items():
        if name != "set_encoder":
            found = {n: paired(ours[n], by_size[n], seed) for n in sizes}
            differences = ("{:+.1f} [{:+.0f}, {:+.0f}]".format(*(100 * x for x in found[n].difference)) for n in sizes)
            pairs.append(_row(name, METHODS[name].role, *differences, _ratio(found[10].error_ratio)))
    return [
        *lines,
        "",
        *pairs,
        "",
        "Disjoint probes in a draw: " + ", ".join(f"{p} of {n}" for n, p in probes.items()) + ". Peers that train "
        f"a network for each gallery ({', '.join(LEARNED)}) were given one split.",
    ], rates


def needed_table(data: Data, names: Sequence[str], repeats: int, seed: int) -> list[str]:
    """Top-1 among the architectures of the test split, and the fewest images that reach 95 %."""
    tested = [name for name in names if data.about[name].get("part", "test") == "test"]
    lines = _head("method", *(f"@{n}" for n in NEEDED_SIZES), "images for 95 %")
    for name in NEEDED:
        rates = top1(data.fingerprints(name, tested), data.comparer(name), 32, NEEDED_SIZES, repeats, seed)
        reached = next((str(n) for n in NEEDED_SIZES if rates[n].mean >= 0.95), f"more than {NEEDED_SIZES[-1]}")
        lines.append(_row(name, *(_percent(rates[n]) for n in NEEDED_SIZES), reached))
    return [f"{len(tested)} sources: " + ", ".join(tested) + ".", "", *lines]


def stability_table(data: Data, names: Sequence[str], size: int, seed: int) -> list[str]:
    """Agreement of fingerprints of disjoint sets of one size."""
    lines = _head("method", "within", "between", "Frechet ratio")
    for name in STABLE:
        found = stability(data.fingerprints(name, names), METHODS[name].fingerprinter(data.model), size, seed)
        lines.append(_row(name, _share(found.within), _share(found.between), f"{found.ratio:.1f}"))
    return lines


def open_set_table(data: Data, names: Sequence[str], levels: Sequence[str], seed: int) -> list[str]:
    """AUROC and OSCR for each kind of unknown, probes of 10, 32 enrolled."""
    lines = _head("method", *(f"{level}: {what}" for level in levels for what in ("AUROC", "OSCR")))
    for name in OPEN:
        cells = []
        for level in levels:
            groups = {source: source if level == "source" else data.about[source][level] for source in names}
            found = open_set(data.fingerprints(name, names), data.comparer(name), groups, 32, 10, seed)
            cells += [_share(found.auroc), _share(found.oscr)]
        lines.append(_row(name, *cells))
    return lines


def families_table(data: Data, names: Sequence[str], kinds: Sequence[str], seed: int) -> list[str]:
    """Agreement of trees with what is known."""
    lines = _head(
        "method",
        "linkage",
        *(f"{label}: {what}" for label in kinds for what in ("AMI", "ARI", "purity", "nearest", "p")),
    )
    rng = np.random.default_rng(seed)
    counts = {name: len(whole) for name, whole in data.fingerprints(TREES[0], names).items()}
    fewest = min(counts.values())
    orders = {name: rng.permutation(count) for name, count in counts.items()}
    # All others from as many images of each source, for most distances depend on that.
    for method, title, images in (
        *((name, name, fewest) for name in TREES),
        (TREES[0], f"{TREES[0]}, all images", None),
    ):
        parts = [whole[orders[name][:images]] for name, whole in data.fingerprints(method, names).items()]
        apart = data.comparer(method).distances(parts)
        for linkage in LINKAGES:
            tree = FamilyTree.build(list(names), apart, linkage)
            cells = []
            for label in kinds:
                found = agreement(tree, {name: data.about[name][label] for name in names}, seed)
                cells += [f"{value:.2f}" for value in (found.ami, found.ari, found.purity, found.nearest)]
                cells.append(f"{found.p:.3f}")
            lines.append(_row(title, linkage, *cells))
    return lines


def kinship_table(data: Data) -> list[str]:
    """Mean distance by kinship, in units of that between classes."""
    names = [images.name for images in data.sets]
    lines = _head("method", *RELATIONS, "rank correlation")
    for method in TREES:
        apart = data.comparer(method).distances(list(data.fingerprints(method).values()))
        found = kinship(names, apart, data.about)
        far = found.mean["class"]
        lines.append(_row(method, *(f"{found.mean.get(r, np.nan) / far:.2f}" for r in RELATIONS), f"{found.order:.2f}"))
    return [*lines, "", "Pairs: " + ", ".join(f"{count} {name}" for name, count in found.pairs.items()) + "."]


def _head(*columns: str) -> list[str]:
    return [_row(*columns), "| --- " * len(columns) + "|"]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _ratio(ratio: Sequence[float | None]) -> str:
    return "{} [{}, {}]".format(*("-" if value is None else f"{value:.2f}" for value in ratio))


def _percent(rate: Rate) -> str:
    return f"{100 * rate.mean:.1f} [{100 * rate.low:.0f}, {100 * rate.high:.0f}]"


def _share(mean: Mean) -> str:
    return f"{mean.mean:.2f} [{mean.low:.2f}, {mean.high:.2f}]"


def sections(page: str, but: str) -> dict[tuple[str, str], list[str]]:
    """Lines below each second heading of the page, by it and the first heading above; not those that begin with ``but``."""
    found: dict[tuple[str, str], list[str]] = {}
    first = second = ""
    for line in page.splitlines():
        if line.startswith("# "):
            first, second = line, ""
        elif line.startswith("## "):
            second = line
        elif second and not second.startswith(f"## {but}"):
            found.setdefault((first, second), []).append(line)
    return {heading: lines[: len(lines) - (lines[-1] == "")] for heading, lines in found.items()}


def main() -> None:
    """Measures and writes."""
    options = parser(__doc__)
    options.add_argument("--repeats", type=int, default=10)
    options.add_argument("--only", help="make only sections whose heading begins so anew, and keep the others")
    arguments = options.parse_args()
    start, seed = time.monotonic(), arguments.seed
    model = Model.load()
    page = ROOT / "docs/results.md"
    old = sections(page.read_text(), arguments.only) if arguments.only else {}
    text: list[str] = []
    for data, sizes, levels, kinds in (
        (
            reference(arguments.real, 200, seed, model),
            (32,),
            ("source", "architecture", "class"),
            ("class", "architecture"),
        ),
        (third_party(arguments.wild, arguments.real, model), (32, 10), ("source", "class"), ("class",)),
    ):
        # Descendants share all but a little with their parents; only kinship is about them.
        names = [images.name for images in data.sets if not data.about[images.name].get("parent")]
        text += [
            "",
            f"# {data.title[0].upper()}{data.title[1:]}",
            "",
            f"{len(names)} sources, chance {100 / len(names):.1f} %.",
        ]
        title = text[-3]
        for enrolled in sizes:
            heading = f"## Attributability, {enrolled} images enrolled"
            if kept := old.get((title, heading)):
                text += ["", heading, *kept]
                continue
            table, rates = attributability(data, names, enrolled, arguments.repeats, seed)
            text += ["", heading, "", *table]
            if data.title.startswith("third") and enrolled == 32:
                log_wild_run(arguments.wild.name, "all", arguments.why, [rates["set_encoder"][n].mean for n in SIZES])
        fewest = min(map(len, data.fingerprints(STABLE[0], names).values()))
        for heading, table_of, given in (
            *(
                (f"## Stability, sets of {n}", stability_table, (data, names, n, seed))
                for n in STABLE_SIZES
                if 4 * n <= fewest
            ),
            (TESTED, needed_table, (data, names, arguments.repeats, seed)),
            ("## Open set, 32 enrolled, probes of 10", open_set_table, (data, names, levels, seed)),
            ("## Families", families_table, (data, names, kinds, seed)),
            ("## Kinship", kinship_table, (data,)),
        ):
            if heading in ("## Kinship", TESTED) and data.title.startswith("third"):
                continue  # no descendants, no split
            text += ["", heading, *(old.get((title, heading)) or ["", *table_of(*given)])]
    if arguments.only:
        log_wild_run(arguments.wild.name, f"all: {arguments.only}", arguments.why)
        intro = page.read_text().split("\n# ")[0]
        intro = (
            intro.rstrip("\n")
            + f"\n\nSections '{arguments.only}' were made anew: {provenance(seed, start, model.identity)}\n"
        )
    else:
        template = (ROOT / "benchmarks/results.template.md").read_text()
        intro = template.format(provenance=provenance(seed, start, model.identity), repeats=arguments.repeats)
    write_atomically(page, (intro + "\n".join(text) + "\n").encode())


if __name__ == "__main__":
    main()
