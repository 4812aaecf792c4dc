"""Writes docs/speed.md: how fast images become fingerprints, beside what bounds it.

    python benchmarks/speed.py --real clothing32.npz [--before CHECKOUT]
    python benchmarks/speed.py --real clothing32.npz --quick --output speed.md

Fingerprints are made in processes of their own, of this code and of an earlier one in turn. Every ratio is of figures of
one round, the median of the rounds. Let nothing else run. Memory is read as Linux tells it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import ROOT, commit, encoder_of, provenance
from PIL import Image
from torch import nn

from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints.bulk import chunks
from genprint.fingerprints.cluster import Cluster
from genprint.images.sets import ImageSet
from genprint.model import Model

_OFTEN = 4  # the cluster gets the same images: at its end a worker waits for the other
_PATCH = 64
# Maps and strides of plain networks: of about Inception v3's multiplications at 299 px, and of 5.9 million parameters.
_INCEPTION_SIZED = ((32, 2), (64, 1), (80, 2), (160, 1), (256, 2), (384, 1), (384, 1), (640, 2))
_RPA_SIZED = ((72, 1), (72, 2), (144, 1), (144, 2), (288, 1), (288, 2), (576, 1), (576, 2))
_PAGE = """# Speed

Written by `benchmarks/speed.py`. {provenance} Median of {rounds} rounds; in brackets the least and the greatest.

Images of more than 32 px are mosaics of photographs of 32x32 px; JPEG is of quality 90. *Tiles*: how many of an image are looked at; *all* side by side.
*CPU*: milliseconds an image, of all threads. *Before*: {before}. *Decoding alone* is one thread that reads, hashes and
decodes. *Matrix product*: the seconds that one of as many multiply-adds as the towers do takes, as a share of the towers' own. *RPA-sized*: a plain
convolutional network of {parameters:.1f} million parameters, random weights, on every {patch}-px patch side by side; the size is that of RPA
(arXiv 2608.15652), the architecture is not. *Inception-sized*: one pass of {inception:.1f} GMAC for each image, as a Frechet distance wants, random weights.

| images | tiles | images/s | CPU ms | before, images/s | CPU ms | times that | decoding alone, images/s | CPU ms | matrix product, share | RPA-sized, images/s | Inception-sized |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
{rows}

## Memory

Largest resident memory of `genprint fingerprint`: {memory}.

## A cluster of this machine

{chunks} chunks of PNG, {often} times over, one thread a worker. Two workers did {cluster} times the images of one in a second. What two processes can do at all here: each
multiplying matrices, {bound} times what one does alone.
"""
# Runs in a process of its own, with this or an earlier genprint: only what both have.
_WORKER = """
import json, sys, time
from pathlib import Path
from genprint import ImageSet, SetEncoder
encoder = SetEncoder.from_pretrained()
name = "tiles" if "tiles" in encoder.get_params() else "patches_per_image"
for line in sys.stdin:
    folder, tiles = json.loads(line)
    encoder.set_params(**{name: tiles})
    images = ImageSet.read(Path(folder))
    wall, cpu = time.monotonic(), time.process_time()
    encoder.transform([images])
    print(json.dumps([time.monotonic() - wall, time.process_time() - cpu]), flush=True)
"""


@dataclass(frozen=True)
class Case:
    """Images of one kind and size, and how many tiles of each are looked at; None: all."""

    kind: str
    side: int
    tiles: int | None
    images: int

    @property
    def looked_at(self) -> int:
        """Tiles of an image."""
        return (self.side // 32) ** 2 if self.tiles is None else self.tiles if self.side > 32 else 1

    def write(self, folder: Path, real: np.ndarray, rng: np.random.Generator) -> None:
        """The images as files."""
        folder.mkdir(parents=True)
        for i in range(self.images):
            across = self.side // 32
            chosen = np.arange(i, i + 1) % len(real) if across == 1 else rng.integers(len(real), size=across**2)
            mosaic = real[chosen].reshape(across, across, 32, 32, 3).swapaxes(1, 2)
            image = Image.fromarray(mosaic.reshape(self.side, self.side, 3))
            image.save(folder / f"{i:05d}.{self.kind.lower()}", quality=90)


CASES = (
    Case("PNG", 32, 8, 4000), Case("JPEG", 512, 8, 240), Case("JPEG", 512, 64, 40), Case("JPEG", 512, None, 10),
    Case("PNG", 1024, None, 3),
)  # fmt: skip
QUICK = tuple(Case(case.kind, case.side, case.tiles, max(1, case.images // 20)) for case in CASES)


class Worker:
    """A process that makes fingerprints, of the package in that folder."""

    def __init__(self, source: Path):
        environment = {**os.environ, "PYTHONPATH": str(source)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, folder: Path, tiles: int | None) -> tuple[float, float]:
        """Wall and CPU seconds of all images of a folder."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([str(folder), tiles]) + "\n")
        self._process.stdin.flush()
        wall, cpu = json.loads(self._process.stdout.readline())
        return wall, cpu

    def close(self) -> None:
        """Ends it."""
        self._process.communicate()


def network_of(layers: Sequence[tuple[int, int]]) -> nn.Sequential:
    """3x3 convolutions of so many maps and such a stride, one after another, with random weights."""
    made: list[nn.Module] = []
    before = 3
    for after, stride in layers:
        made += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        before = after
    return nn.Sequential(*made, nn.AdaptiveAvgPool2d(1)).eval().to(memory_format=torch.channels_last)


def multiplications(network: nn.Module, pixels: torch.Tensor) -> float:
    """Multiply-adds of the convolutions for one image."""
    total = [0.0]

    def count(layer: nn.Module, _: object, out: torch.Tensor) -> None:
        assert isinstance(layer, nn.Conv2d)
        total[0] += out[0].numel() * layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]

    hooks = [layer.register_forward_hook(count) for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    with torch.inference_mode():
        network(pixels)
    for hook in hooks:
        hook.remove()
    return total[0]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - wall, time.process_time() - cpu


def show(values: Sequence[float], digits: int = 2) -> str:
    """Median and range."""
    return f"{np.median(values):,.{digits}f} [{min(values):,.{digits}f}, {max(values):,.{digits}f}]"


def row(case: Case, folder: Path, encoder: SetEncoder, workers: Sequence[Worker], rounds: int) -> str:
    """One line of the table; the workers are of this code and perhaps of an earlier one."""
    images = ImageSet.read(folder)
    encoder.set_params(tiles=case.tiles)
    decoded = list(images)[:256]
    per_tile = sum(
        multiplications(nn.Sequential(*tower.layers).eval(), torch.rand(1, 3 * len(tower.front_ends), 32, 32))
        for tower in encoder.network.towers
    )
    # Square matrices with as many multiplications as the towers need for these images.
    side = round((per_tile * case.looked_at * len(decoded)) ** (1 / 3))
    matrix = torch.rand(side, side)
    networks = {"rpa": (network_of(_RPA_SIZED), _PATCH), "inception": (network_of(_INCEPTION_SIZED), 299)}
    batches = {
        name: torch.rand(16, 3, size, size).contiguous(memory_format=torch.channels_last)
        for name, (_, size) in networks.items()
    }
    found: dict[str, list[tuple[float, float]]] = {}

    def note(name: str, seconds: tuple[float, float], count: float) -> None:
        found.setdefault(name, []).append((seconds[0] / count, seconds[1] / count))

    # An earlier code cannot take all tiles side by side: it takes as many.
    tiles = case.tiles, case.tiles or case.looked_at
    for which, worker in enumerate(workers):
        worker(folder, tiles[which])
    for _ in range(rounds):
        for which, worker in enumerate(workers):
            note(("now", "before")[which], worker(folder, tiles[which]), case.images)
        note("decode", timed(lambda: list(images)), case.images)
        with torch.inference_mode():
            for name, (network, _) in networks.items():
                note(name, timed(lambda network=network, name=name: network(batches[name])), len(batches[name]))
            note("product", timed(lambda: matrix @ matrix), len(decoded))
        note("towers", timed(lambda: encoder._features(decoded)), len(decoded))

    def each(name: str, what: int) -> np.ndarray:
        return np.array(found[name])[:, what]

    def speed(name: str, times: float = 1) -> str:
        return show(1 / (times * each(name, 0)), 1)

    before = ["-"] * 3
    if "before" in found:
        before = [speed("before"), show(1e3 * each("before", 1)), show(each("before", 1) / each("now", 1))]
    patches = (case.side // _PATCH) ** 2
    cells = [
        f"{case.images:,} {case.kind} of {case.side} px", "all" if case.tiles is None else str(case.looked_at),
        speed("now"), show(1e3 * each("now", 1)), *before, speed("decode"), show(1e3 * each("decode", 1)),
        show(each("product", 1) / each("towers", 1)), speed("rpa", patches) if patches else "-", speed("inception"),
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def memory(data: Path, output: Path) -> float:
    """Largest resident memory of the command, MiB."""
    # Not from getrusage: there, a child starts with its parent's peak.
    code = (
        "import sys; from pathlib import Path; from genprint.cli import app; from contextlib import suppress\n"
        "with suppress(SystemExit): app(sys.argv[1:])\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    command = [sys.executable, "-c", code, "fingerprint", str(data), "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1]) / 1024


def _multiply(seconds: float) -> int:
    torch.set_num_threads(1)
    matrix, done, end = torch.rand(512, 512), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        matrix = (matrix @ matrix).clamp(-1, 1)
        done += 1
    return done


def two_processes(seconds: float = 5) -> float:
    """How many times as much two processes multiply as one."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_multiply, [0.1, 0.1])
        alone = pool.apply(_multiply, (seconds,))
        return sum(pool.map(_multiply, [seconds, seconds])) / alone


def cluster_rates(encoder: SetEncoder, images: ImageSet) -> tuple[float, float]:
    """Images a second of one and of two workers, from when each has given a chunk to the last."""
    parts = _OFTEN * chunks(images, encoder.extractor_id)
    many = {part.key: len(part.images.files) for part in parts}
    rates = []
    for workers in (1, 2):
        done = [(time.monotonic(), many[made.key]) for made in Cluster(workers=workers).run(encoder, parts)]
        begun, *rest = done[workers - 1 :]
        rates.append(sum(count for _, count in rest) / (rest[-1][0] - begun[0]))
    return rates[0], rates[1]


def main() -> None:
    """Measures and writes."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--real", type=Path, required=True)
    options.add_argument("--before", type=Path, help="checkout of an earlier version, measured beside")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--quick", action="store_true", help="few images, once: to see that it works")
    options.add_argument("--output", type=Path, default=ROOT / "docs/speed.md")
    given = options.parse_args()
    cases, rounds = (QUICK, 1) if given.quick else (CASES, given.rounds)
    start, model = time.monotonic(), Model.load()
    encoder, identity = encoder_of(model), model.identity
    real, rng = np.load(given.real)["images"], np.random.default_rng(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        root, rows = Path(folder), []
        workers = [Worker(checkout / "src") for checkout in (ROOT, given.before) if checkout]
        for i, case in enumerate(cases):
            case.write(root / str(i) / "images", real, rng)
            rows.append(row(case, root / str(i) / "images", encoder, workers, rounds))
            print(rows[-1], flush=True)
        for worker in workers:
            worker.close()
        used = ", ".join(
            f"{memory(root / str(i), root / f'{i}.npz'):.0f} MiB for {case.images:,} {case.kind} of {case.side} px"
            for i, case in enumerate(cases[:2])
        )
        png = ImageSet.read(root / "0/images")
        one_two = [cluster_rates(encoder, png) for _ in range(rounds)]
        bounds = [two_processes(1 if given.quick else 5) for _ in range(rounds)]
    said: dict[str, Any] = {
        "provenance": provenance(given.seed, start, identity), "rounds": rounds, "patch": _PATCH,
        "before": f"commit {commit(given.before)}, as many tiles, which may fall together" if given.before else "not measured",
        "parameters": sum(parameter.numel() for parameter in network_of(_RPA_SIZED).parameters()) / 1e6,
        "inception": multiplications(network_of(_INCEPTION_SIZED), torch.rand(1, 3, 299, 299)) / 1e9, "rows": "\n".join(rows),
        "memory": used, "chunks": len(chunks(png, "")), "often": _OFTEN,
        "cluster": show([two / one for one, two in one_two]), "bound": show(bounds),
    }  # fmt: skip
    given.output.write_text(_PAGE.format(**said))


if __name__ == "__main__":
    main()
