"""Writes docs/unequal.md: galleries in which some sources have many images and others few.

    python benchmarks/unequal.py --real REAL.npz --wild FOLDER --why "..."

The arguments are those of benchmarks/results.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from common import ROOT, collections, log_wild_run, parser, provenance

from genprint.baselines.covariance import NeighbourhoodCovariance
from genprint.evaluation.intervals import over_sources
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.base import ByScorer, Comparer
from genprint.scoring.lda import LDA
from genprint.scoring.plda import PLDA
from genprint.scoring.posterior import Posterior

SIZES, REPEATS, ASKED = (1, 10), 4, 100
# Which half of the sources gets few images, and who gets which number, is drawn anew in each repeat.
GALLERIES: dict[str, Callable[[int, int], int]] = {
    "32 of each": lambda place, images: 32,
    "half of what there is": lambda place, images: images // 2,
    "8 or 64": lambda place, images: 8 if place % 2 else min(64, images // 2),
    "4 to 50": lambda place, images: (4, 6, 10, 15, 25, 50)[place % 6],
    "1 to 50": lambda place, images: (1, 2, 5, 10, 25, 50)[place % 6],
}
_FEW = 32  # images, up to which a source has few
_PAGE = """# Galleries of unequal size

Written by `benchmarks/unequal.py`. {provenance}

Top-1 in percent by images in the probe, of sources with {few} enrolled images or less and of those with more; {repeats} splits, in which the sources change
places; 95 % intervals by bootstrap over sources. *Not corrected*: squared distances to means of few images are not made less by what so few add to them.
*LDA*: covariance from the enrolled images alone.

| sources | enrolled | | @1, few | @1, many | @10, few | @10, many |
| --- | --- | --- | --- | --- | --- | --- |
{rows}
"""


class Uncorrected(PLDA):
    """Takes means of few images for as far from a probe as they look."""

    def enroll(self, gallery: Sequence[Fingerprint]) -> Posterior:
        posterior = super().enroll(gallery)
        gaussians = posterior.gaussians
        return replace(posterior, gaussians=replace(gaussians, noise=np.zeros_like(gaussians.noise)))


def attributed(
    comparer: Comparer, fingerprints: list[Fingerprint], enrolled: Callable[[int, int], int], seed: int
) -> Iterator[dict[str, np.ndarray]]:
    """For each probe size: of sources with few and with many images, the share of probes that is named right."""
    for size in SIZES:
        shares: dict[str, list[list[float]]] = {kind: [[] for _ in fingerprints] for kind in ("few", "many")}
        for repeat in range(REPEATS):
            rng = np.random.default_rng([seed, repeat])
            gallery: list[Fingerprint] = []
            probes: list[Fingerprint] = []
            owners: list[int] = []
            for i, place in enumerate(rng.permutation(len(fingerprints))):
                images = fingerprints[i][rng.permutation(len(fingerprints[i]))]
                cut = enrolled(int(place), len(images))
                gallery.append(images[np.arange(cut)])
                asked = np.arange(cut, min(len(images), cut + ASKED))
                probes += [images[asked[at : at + size]] for at in range(0, len(asked) - size + 1, size)]
                owners += [i] * (len(probes) - len(owners))
            right = comparer.score(probes, gallery).argmax(1) == np.array(owners)
            for i, known in enumerate(gallery):
                if (mine := np.array(owners) == i).any():
                    shares["few" if len(known) <= _FEW else "many"][i].append(float(right[mine].mean()))
        yield {kind: np.array([np.mean(rates) for rates in found if rates]) for kind, found in shares.items()}


def rows(title: str, sets: list[ImageSet], seed: int) -> list[str]:
    """Each gallery by each method."""
    model = Model.load()
    plda = model.plda
    encoded, residual = (
        [fingerprinter.extract(images) for images in sets]
        for fingerprinter in (model.fingerprinter, NeighbourhoodCovariance())
    )
    methods = {
        "set encoder": (encoded, ByScorer(plda)),
        "not corrected": (encoded, ByScorer(Uncorrected(plda.mean, plda.within, plda.between, plda.prior_images))),
        "LDA": (encoded, ByScorer(LDA())),
        "residual covariance, LDA": (residual, ByScorer(LDA())),
    }
    made = []
    for gallery, enrolled in GALLERIES.items():
        for what, (fingerprints, comparer) in methods.items():
            cells = []
            for found in attributed(comparer, fingerprints, enrolled, seed):
                for shares in found.values():
                    mean = over_sources(100 * shares, seed) if len(shares) else None
                    cells.append(f"{mean.mean:.1f} [{mean.low:.0f}, {mean.high:.0f}]" if mean else "")
            made.append(f"| {title} | {gallery} | {what} | " + " | ".join(cells) + " |")
            print(made[-1], flush=True)
    return made


def main() -> None:
    """Measures and writes."""
    given = parser(__doc__).parse_args()
    start = time.monotonic()
    log_wild_run(given.wild.name, "unequal", given.why)
    titles = {"reference": "shipped generators and real images", "wild": f"third-party ({given.wild.name})"}
    world = collections(given.real, given.wild)
    made = [row for name, sets in world.items() for row in rows(titles[name], sets, given.seed)]
    page = _PAGE.format(provenance=provenance(given.seed, start), few=_FEW, repeats=REPEATS, rows="\n".join(made))
    (ROOT / "docs/unequal.md").write_text(page)


if __name__ == "__main__":
    main()
