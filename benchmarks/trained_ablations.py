"""Writes docs/trained-ablations.md: encoders trained anew, one thing changed in each.

    python benchmarks/trained_ablations.py --real clothing32.npz --more tinyimagenet32.npz --wild FOLDER --why "..." --work FOLDER

Every cell is trained for the same number of steps, far fewer than the shipped encoder, and kept in the work folder: called again, it
goes on. The page has the cells that are there. Choices are made on the shipped generators; the third-party sources are only looked at.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from common import ROOT, collections, commit, log_wild_run, parser, provenance
from pytorch_metric_learning.losses import NormalizedSoftmaxLoss, ProxyAnchorLoss, TripletMarginLoss
from torch import Tensor, nn

from genprint.encoder.encoder import SetEncoder
from genprint.encoder.network import SetNetwork
from genprint.encoder.training.episodes import SetSizes, SimulatedEpisodes
from genprint.encoder.training.loop import TrainingConfig, train
from genprint.encoder.training.pretraining import (
    SINGLE,
    first_layers,
    refit_projection,
    simulated_fingerprints,
    split,
)
from genprint.encoder.training.simulator import KINDS, draw_sources
from genprint.evaluation.attributability import Rate, paired, top1
from genprint.fingerprints.fingerprint import Fingerprint
from genprint.images.sets import ImageSet
from genprint.scoring.base import ByScorer, Comparer
from genprint.scoring.plda import PLDA
from genprint.storage.files import write_atomically

SIZES, ENROLLED, REPEATS = (1, 10), 32, 3
PROJECTION, CALIBRATION = 400, 300
_PAGE = """# What the training is worth

Written by `benchmarks/trained_ablations.py`. {provenance}

Encoders trained from random weights (at {commits}), {steps} steps of 24 sources each ({minutes} CPU minutes; the shipped encoder had 8,000), one thing changed in each
row. Top-1 in percent, {enrolled} images enrolled, probes of 10 (and of 1 where the column says so), {reference} shipped generators and real images, and {wild} third-party
sources; 95 % intervals by bootstrap over sources. *Features*: as the product uses them, statistics of the first layers projected and compared by PLDA.
*Embedding*: the network as it was trained, its set embeddings compared by cosine, which is where loss and pooling act directly.
*Paired*: the difference to the first row, features, source by source.

| | features @1 | features | paired | embedding | third-party, features @1 | features | paired | embedding |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{rows}

*Single images*: sets of one image only, as many images a step: the control that never sees a set. *Pool of n*: training sources drawn from
n fixed ones in place of ever new ones, which is what a loss with proxies needs; proxy losses are to be compared with contrast on the same pool.
*Their single images beside*: the same loss of single images is added. *Second seed*: what chance does; intervals do not have that. Rows that name
stages of simulated sources (deformations bend, scramble, blend, paint, compress or zoom what images show) use these for tower, projection and scorer.
"""


class MeanPooling(SetNetwork):
    """The head sees no spread."""

    def embed(self, mean: Tensor, variance: Tensor) -> Tensor:
        return super().embed(mean, torch.zeros_like(variance))


class AttentionPooling(SetNetwork):
    """Images are weighed by a learned score before the moments are taken (Ilse et al., 2018, equation 8)."""

    def __init__(self, **config: object):
        super().__init__(**config)  # type: ignore[arg-type]
        self.attention = nn.Sequential(nn.Linear(self.config["features"], 64), nn.Tanh(), nn.Linear(64, 1))

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        score = self.attention(features).masked_fill(~mask.unsqueeze(-1), -torch.inf)
        weights = score.softmax(1)
        mean = (weights * features).sum(1)
        return self.embed(mean, (weights * (features - mean.unsqueeze(1)).square()).sum(1))


class MaxPooling(SetNetwork):
    """The head sees each feature's largest value over the set."""

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        largest = features.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(1)
        return self.embed(largest, torch.zeros_like(largest))


@dataclass(frozen=True)
class Cell:
    """One training.

    Attributes:
        image_loss: weight of the loss of single images beside that of sets.
        kinds: of the stages of simulated sources, also of those that projection and scorer are learned from.
        loss: from the number of fixed sources to what is minimised; None: supervised contrast.
        pool: fixed sources in place of ever new ones; 0: ever new.
    """

    network: type[SetNetwork] = SetNetwork
    front_ends: tuple[str, ...] = ("raw", "high_pass")
    set_sizes: SetSizes = SetSizes()
    siblings: float = 0.5
    sources: int = 24
    pool: int = 0
    loss: Callable[[int], nn.Module] | None = None
    image_loss: float = 0.0
    kinds: Sequence[str] = KINDS
    seed: int = 0

    def train(self, real: list[np.ndarray], steps: int, folder: Path, name: str) -> SetNetwork:
        """The network as it was trained; a later call goes on."""
        training, validation = split(real)
        rng = np.random.default_rng([self.seed, 7])
        fixed = tuple(draw_sources(self.pool, rng, self.siblings)) if self.pool else ()
        # Siblings from early on: there is no time for the long warm-up of a full training.
        episodes = SimulatedEpisodes(
            training,
            self.sources,
            self.set_sizes,
            self.siblings,
            steps // 4,
            seed=self.seed,
            kinds=self.kinds,
            pool=fixed,
        )
        checks = SimulatedEpisodes(validation, warmup=0, seed=self.seed + 1)
        torch.manual_seed(self.seed)
        network = self.network(front_ends=[self.front_ends])
        config = TrainingConfig(steps, precision="bfloat16", validate_every=100, image_loss=self.image_loss)
        criterion = self.loss(self.pool) if self.loss else None
        train(
            network, episodes, [checks(i) for i in range(4)], config, folder / f"{name}.safetensors", criterion=criterion,
            progress=lambda step, _, loss, val: print(name, step, f"{loss:.3f} {val:.3f}", flush=True) if step % 100 == 0 else None,
        )  # fmt: skip
        return network


_DEFORMATIONS = ("warp", "scramble", "blend", "paint", "compress", "zoom")


def _proxies(loss: type[nn.Module]) -> Callable[[int], nn.Module]:
    return lambda sources: loss(num_classes=sources, embedding_size=96)


CELLS: dict[str, Cell] = {
    "sets, contrast, ever new sources": Cell(),
    "single images": Cell(set_sizes=SINGLE),
    "sets of 8 alone": Cell(set_sizes=SetSizes((8,), (2, 2))),
    "sets of 2 alone": Cell(set_sizes=SetSizes((2,), (5, 6))),
    "triplet loss": Cell(loss=lambda _: TripletMarginLoss(margin=0.2)),
    "pool of 400": Cell(pool=400),
    "pool of 400, cross-entropy": Cell(pool=400, loss=_proxies(NormalizedSoftmaxLoss)),
    "pool of 400, ProxyAnchor": Cell(pool=400, loss=_proxies(ProxyAnchorLoss)),
    "pool of 50": Cell(pool=50),
    "no siblings": Cell(siblings=0.0),
    "mean pooling": Cell(network=MeanPooling),
    "max pooling": Cell(network=MaxPooling),
    "attention pooling": Cell(network=AttentionPooling),
    "raw pixels alone": Cell(front_ends=("raw",)),
    "high-pass residual alone": Cell(front_ends=("high_pass",)),
    "single images, second seed": Cell(set_sizes=SINGLE, seed=1),
    "sets, second seed": Cell(seed=1),
    "single images, third seed": Cell(set_sizes=SINGLE, seed=2),
    "sets, third seed": Cell(seed=2),
    "sets, and their single images beside": Cell(image_loss=1.0),
    "sources without encoder and decoder": Cell(kinds=tuple(kind for kind in KINDS if kind != "autoencode")),
    "encoder, decoder and noise alone": Cell(kinds=("autoencode", "noise")),
    "without deformations": Cell(kinds=tuple(kind for kind in KINDS if kind not in _DEFORMATIONS)),
    "deformations alone": Cell(kinds=_DEFORMATIONS),
}


@dataclass(frozen=True)
class Embedded(Comparer):
    """Cosine of set embeddings by a network that pools as it was trained to."""

    network: SetNetwork

    @torch.inference_mode()
    def _embed(self, sets: Sequence[Fingerprint]) -> np.ndarray:
        rows = []
        for fingerprint in sets:
            features = torch.from_numpy(fingerprint.values).unsqueeze(0)
            rows.append(self.network(features, torch.ones(features.shape[:2], dtype=torch.bool))[0].numpy())
        return np.stack(rows)

    def _score(self, probes: Sequence[Fingerprint], gallery: Sequence[Fingerprint]) -> np.ndarray:
        return self._embed(probes) @ self._embed(gallery).T


def measure(
    network: SetNetwork, kinds: Sequence[str], real: list[np.ndarray], world: Mapping[str, list[ImageSet]]
) -> dict[str, dict[str, dict]]:
    """Top-1 by features and by embedding, for each collection of sources."""
    encoder = SetEncoder()
    encoder.network_ = network.eval()
    as_trained = {name: {images.name: encoder.extract(images) for images in sets} for name, sets in world.items()}
    embedding = {
        name: top1(fingerprints, Embedded(network), ENROLLED, SIZES, REPEATS, 0)
        for name, fingerprints in as_trained.items()
    }
    encoder.network_ = first_layers(network.config["front_ends"], network.towers).eval()
    training, validation = split(real)
    refit_projection(encoder, training, PROJECTION, 3, kinds)
    simulated = simulated_fingerprints(encoder, validation, CALIBRATION, 2, 60, kinds)
    scorer = PLDA.fit(simulated.values())
    found = {}
    for name, sets in world.items():
        fingerprints = {images.name: encoder.extract(images) for images in sets}
        rates = top1(fingerprints, ByScorer(scorer), ENROLLED, SIZES, REPEATS, 0)
        found[name] = {
            "features": {str(n): asdict(rate) for n, rate in rates.items()},
            "embedding": {str(n): asdict(rate) for n, rate in embedding[name].items()},
        }
    return found


def _rate(kept: dict) -> Rate:
    return Rate(**{key: tuple(value) if isinstance(value, list) else value for key, value in kept.items()})


def _row(what: str, found: dict, first: dict) -> str:
    row = []
    for name in found:
        one, ten = (found[name]["features"][str(n)] for n in SIZES)
        embedded, base = found[name]["embedding"]["10"], first[name]["features"]["10"]
        row += [f"{100 * kept['mean']:.1f} [{100 * kept['low']:.0f}, {100 * kept['high']:.0f}]" for kept in (one, ten)]
        row.append("{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * x for x in paired(_rate(ten), _rate(base)).difference)))
        row.append(f"{100 * embedded['mean']:.1f}")
    return f"| {what} | " + " | ".join(row) + " |"


def main() -> None:
    """Trains what is missing, measures and writes."""
    options = parser(__doc__)
    options.add_argument("--more", type=Path, required=True, help="other real images to train on")
    options.add_argument(
        "--work", type=Path, default=ROOT / "benchmarks/trained", help="folder that keeps trainings and their figures"
    )
    options.add_argument("--steps", type=int, default=500)
    options.add_argument("--only", nargs="*", choices=list(CELLS), help="cells to train now")
    given = options.parse_args()
    start = time.monotonic()
    given.work.mkdir(parents=True, exist_ok=True)
    real = [np.load(path)["images"] for path in (given.real, given.more)]
    world = collections(given.real, given.wild)
    log_wild_run(given.wild.name, "trained_ablations", given.why)
    for number, (what, cell) in enumerate(CELLS.items()):
        kept = given.work / f"{number}.json"
        if kept.exists() or (given.only and what not in given.only):
            continue
        began = time.process_time()
        network = cell.train(real, given.steps, given.work, str(number))
        minutes = (time.process_time() - began) / 60
        figures = measure(network, cell.kinds, real, world)
        row = {"what": what, "commit": commit(), "steps": given.steps, "minutes": minutes, "figures": figures}
        write_atomically(kept, json.dumps(row).encode())
        print(_row(what, figures, figures), flush=True)
    found = sorted(given.work.glob("*.json"), key=lambda path: int(path.stem))
    cells = [json.loads(path.read_text()) for path in found]
    first = cells[0]["figures"]
    page = _PAGE.format(
        provenance=provenance(0, start, ""), commits=", ".join(sorted({cell["commit"] for cell in cells})),
        steps=cells[0]["steps"], minutes=round(np.median([cell["minutes"] for cell in cells])),
        enrolled=ENROLLED, reference=len(world["reference"]) - 1, wild=len(world["wild"]),
        rows="\n".join(_row(cell["what"], cell["figures"], first) for cell in cells),
    )  # fmt: skip
    (ROOT / "docs/trained-ablations.md").write_text(page)


if __name__ == "__main__":
    main()
