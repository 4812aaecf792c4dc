"""Seven GAN losses in two frameworks, on MNIST: does the tree find the framework or the loss? Writes docs/mnist.md.

python benchmarks/mnist.py --mnist FOLDER --why "..."
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from common import ROOT, log_wild_run, provenance

from genprint.answers.families import FamilyTree
from genprint.evaluation.attributability import top1
from genprint.evaluation.families import agreement
from genprint.evaluation.methods import METHODS
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.report import figures as plots

SIDE, IMAGES, ENROLLED, SIZES = 28, 64, 32, (1, 10, 20)
COMPARED = ("set_encoder", "set_encoder_cosine", "covariance", "spectrum", "marra", "frechet_residual",
            "kernel_residual", "c2st_residual", "colour", "thumbnail")  # fmt: skip
_PAGE = """# Seven losses in two frameworks

Written by `benchmarks/mnist.py` for {sources} third-party generators of MNIST digits, all brought to {side} x {side} px and grey first;
{images} images of each. {provenance}

Fourteen of them are GANs of two collections, one in TensorFlow and one in PyTorch, with the same seven losses. The tree (average
linkage) is cut into as many families as there are labels; AMI is 0 by chance and 1 at best, p of the dendrogram purity by
permutation. Beside it how often the nearest other source has the same label.

| method | framework: AMI | p | nearest | loss: AMI | p | nearest | top-1 @1 | @10 | @20 |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
{rows}

Chance of the nearest: framework 46 %, loss 8 %. Top-1 is among all {sources} (chance {chance:.0f} %), {enrolled} enrolled of each.

![The tree of all sources by the set encoder](mnist-tree.png)
"""


def read(folder: Path) -> dict[str, ImageSet]:
    """All sources as grey images of one size: larger ones lose their border, colour its differences."""
    sets = {}
    for source in read_sources(folder):
        images = []
        for image in source:
            top, left = ((side - SIDE) // 2 for side in image.pixels.shape[:2])
            grey = image.pixels[top : top + SIDE, left : left + SIDE].mean(2).round().astype(np.uint8)
            images.append(grey)
        sets[source.name] = ImageSet.from_array(np.stack(images), source.name)
    return sets


def _nearest(apart: np.ndarray, labels: list[str]) -> float:
    away = apart + np.diag(np.full(len(apart), np.inf))
    return float(np.mean([labels[i] == labels[j] for i, j in enumerate(away.argmin(1))]))


def main() -> None:
    """Measures and writes."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--mnist", type=Path, required=True)
    given.add_argument("--why", required=True, help="why the wild set is looked at again")
    given.add_argument("--seed", type=int, default=0)
    options = given.parse_args()
    start, model, sets = time.monotonic(), Model.load(), read(options.mnist)
    gans = [name for name in sets if name.startswith("gan_")]
    labels = {
        "framework": {name: name.split("_")[1] for name in gans},
        "loss": {name: name.split("_", 2)[2] for name in gans},
    }
    rows: list[str] = []
    seen: dict[str, dict[str, Fingerprint]] = {}
    for name in COMPARED:
        method = METHODS[name]
        fingerprinter = method.fingerprinter(model)
        if fingerprinter.method not in seen:
            seen[fingerprinter.method] = {source: fingerprinter.extract(images) for source, images in sets.items()}
        fingerprints = seen[fingerprinter.method]
        some = {source: whole[np.arange(min(IMAGES, len(whole)))] for source, whole in fingerprints.items()}
        apart = method.comparer(model).distances(list(some.values()))
        among = [list(some).index(gan) for gan in gans]
        tree = FamilyTree.build(gans, apart[np.ix_(among, among)])
        cells = []
        for known in labels.values():
            found = agreement(tree, known, options.seed)
            near = _nearest(apart[np.ix_(among, among)], [known[gan] for gan in gans])
            cells += [f"{found.ami:.2f}", f"{found.p:.3f}", f"{100 * near:.0f}"]
        rates = top1(fingerprints, method.comparer(model), ENROLLED, SIZES, 5, options.seed)
        cells += [f"{100 * rate.mean:.0f} [{100 * rate.low:.0f}, {100 * rate.high:.0f}]" for rate in rates.values()]
        rows.append(f"| {name} ({method.role}) | " + " | ".join(cells) + " |")
        print(rows[-1], flush=True)
        if name == "set_encoder":
            whole = FamilyTree.build(list(some), apart)
            (ROOT / "docs/mnist-tree.png").write_bytes(plots.to_bytes(plots.tree_figure(whole)))
    page = _PAGE.format(
        sources=len(sets), side=SIDE, images=IMAGES, enrolled=ENROLLED, chance=100 / len(sets), rows="\n".join(rows),
        provenance=provenance(options.seed, start, model.identity),
    )  # fmt: skip
    (ROOT / "docs/mnist.md").write_text(page)
    log_wild_run(options.mnist.name, ", ".join(COMPARED), options.why)


if __name__ == "__main__":
    main()
