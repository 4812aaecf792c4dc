"""Writes docs/recipe.md: the shipped model beside the plain recipe that the work on it started from.

    python benchmarks/recipe.py --real clothing32.npz --more tinyimagenet32.npz --wild FOLDER --why "..." --work FOLDER

The arguments are those of benchmarks/trained_ablations.py. The training, about an hour of one core, is kept in the work folder:
called again, it goes on.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from common import ROOT, collections, log_wild_run, parser, provenance
from torch import Tensor, nn
from trained_ablations import Cell

from genprint.encoder.encoder import SetEncoder
from genprint.encoder.network import SetNetwork, Tower
from genprint.evaluation.attributability import paired, top1
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.scoring.base import ByScorer
from genprint.scoring.lda import LDA

SIZES, ENROLLED, REPEATS = (1, 5, 10, 20), (32, 10), 3
_CHANNELS = (24, 24, 48, 48, 96, 96)
_KINDS = ("autoencode", "residual_block", "filter", "noise", "smooth", "saturate", "mix_colours")
_PAGE = """# The shipped encoder beside a plain recipe

Written by `benchmarks/recipe.py`. {provenance}

*Recipe*: one tower of six convolutions on pixels and high-pass residuals, spatial mean and deviation of the last alone, 96 features; {steps} steps on
sets of 1 to 8 images of ever new simulated sources ({kinds}), none a sibling of another, 24 sources a step; enrolled images alone say how images vary (shrunk
covariance, mean log-posterior). The step of best validation loss is kept. Top-1 in percent by images in the probe; {repeats} splits, the same for both;
95 % intervals by bootstrap over sources, differences paired, source by source.

| sources | enrolled | | @1 | @5 | @10 | @20 |
| --- | --- | --- | --- | --- | --- | --- |
{rows}
"""


class LastLayer(Tower):
    """The statistics are the moments of the last layer's maps."""

    def statistics(self, pixels: Tensor) -> Tensor:
        return super().statistics(pixels)[:, -2 * _CHANNELS[-1] :]


class Recipe(SetNetwork):
    """The recipe's tower and head."""

    def __init__(self, front_ends: list[tuple[str, ...]]):
        super().__init__(_CHANNELS, features=96, front_ends=front_ends)
        tower = LastLayer(_CHANNELS, 96, 0, front_ends[0], relative=False, phases=False)
        tower.project = nn.Linear(2 * _CHANNELS[-1], 96)
        self.towers = nn.ModuleList([tower])  # type: ignore[assignment]


def rows(title: str, sets: list[ImageSet], recipe: SetEncoder, seed: int) -> list[str]:
    """Both encoders and their difference, by the number enrolled."""
    models = {"recipe": Model(recipe, LDA()), "shipped": Model.load()}
    seen = {what: {images.name: model.fingerprint(images) for images in sets} for what, model in models.items()}
    made = []
    for enrolled in ENROLLED:
        rates = {
            what: top1(seen[what], ByScorer(model.scorer), enrolled, SIZES, REPEATS, seed)
            for what, model in models.items()
        }
        cells = {
            what: [f"{100 * rate.mean:.1f} [{100 * rate.low:.0f}, {100 * rate.high:.0f}]" for rate in by_size.values()]
            for what, by_size in rates.items()
        }
        both = [paired(rates["shipped"][size], rates["recipe"][size]).difference for size in SIZES]
        cells["paired"] = ["{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * x for x in difference)) for difference in both]
        made += [f"| {title} | {enrolled} | {what} | " + " | ".join(line) + " |" for what, line in cells.items()]
    return made


def main() -> None:
    """Trains what is missing, measures and writes."""
    options = parser(__doc__)
    options.add_argument("--more", type=Path, required=True, help="other real images to train on")
    options.add_argument("--work", type=Path, required=True, help="folder that keeps the training")
    options.add_argument("--steps", type=int, default=4400)
    given = options.parse_args()
    start = time.monotonic()
    given.work.mkdir(parents=True, exist_ok=True)
    log_wild_run(given.wild.name, "recipe", given.why)
    real = [np.load(path)["images"] for path in (given.real, given.more)]
    recipe = SetEncoder()
    network = Cell(network=Recipe, kinds=_KINDS, siblings=0.0, seed=given.seed).train(
        real, given.steps, given.work, "recipe"
    )
    recipe.network_ = network.eval()
    titles = {"reference": "shipped generators and real images", "wild": f"third-party ({given.wild.name})"}
    world = collections(given.real, given.wild)
    made = [row for name, sets in world.items() for row in rows(titles[name], sets, recipe, given.seed)]
    page = _PAGE.format(
        provenance=provenance(given.seed, start), steps=given.steps, kinds=", ".join(_KINDS).replace("_", " "), repeats=REPEATS,
        rows="\n".join(made),
    )  # fmt: skip
    (ROOT / "docs/recipe.md").write_text(page)


if __name__ == "__main__":
    main()
