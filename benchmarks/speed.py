"""Writes docs/speed.md: how fast images become fingerprints, beside what bounds it.

    python benchmarks/speed.py --real clothing32.npz

Every ratio is of rates measured in turn in one run, the median of the rounds. Let nothing else run. Memory is read as Linux
tells it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from common import ROOT, encoder_of, provenance
from PIL import Image
from torch import nn

from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints.bulk import chunks
from genprint.fingerprints.cluster import Cluster
from genprint.images.sets import ImageSet
from genprint.model import Model

_SIDE, _MOSAIC = 512, 16
_OFTEN = 4  # the cluster gets the same images: at its end a worker waits for the other
_PAGE = """# Speed

Written by `benchmarks/speed.py`. {provenance} Median of {rounds} rounds; in brackets the least and the greatest.

*PNG*: {small:,} photographs of 32x32 px. *JPEG*: {large:,} of {side}x{side} px, quality 90, each a mosaic of {mosaic} such photographs.
*Decoding alone* is one thread that reads, hashes and decodes. *Inception-sized*: one pass of a convolutional network of {inception:.1f}
GMAC for each image, as a Frechet distance wants, random weights. *Matrix product*: as many multiplications as the tower does.

| images | tiles | images/s | decoding alone | of that | Inception-sized | times that | tower alone | matrix product, of that |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{rows}

## Memory

Largest resident memory of `genprint fingerprint`: {memory}.

## A cluster of this machine

{chunks} chunks of PNG, {often} times over, one thread a worker. Two workers did {cluster} times the images of one in a second. What two processes can do at all here: each
multiplying matrices, {bound} times what one does alone.
"""


def inception_sized() -> nn.Sequential:
    """A convolutional network of about Inception v3's multiplications at 299 px."""
    layers: list[nn.Module] = []
    before = 3
    for after, stride in ((32, 2), (64, 1), (80, 2), (160, 1), (256, 2), (384, 1), (384, 1), (640, 2)):
        layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1)).eval().to(memory_format=torch.channels_last)


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


def rate(work: Callable[[], object], images: int) -> float:
    """Images a second."""
    start = time.monotonic()
    work()
    return images / (time.monotonic() - start)


def show(values: list[float], digits: int = 2) -> str:
    """Median and range."""
    return f"{np.median(values):,.{digits}f} [{min(values):,.{digits}f}, {max(values):,.{digits}f}]"


def row(what: str, images: ImageSet, encoder: SetEncoder, tiles: int, rounds: int) -> str:
    """One line of the table."""
    encoder.set_params(tiles=tiles)
    decoded = list(images)[:256]
    network = inception_sized()
    resized = torch.rand(16, 3, 299, 299).contiguous(memory_format=torch.channels_last)
    per_tile = sum(
        multiplications(nn.Sequential(*tower.layers).eval(), torch.rand(1, 3 * len(tower.front_ends), 32, 32))
        for tower in encoder.network.towers
    )
    cut = tiles if decoded[0].pixels.shape[0] > 32 else 1
    # Square matrices with as many multiplications as the tower needs for 256 images.
    side = round((per_tile * cut * len(decoded)) ** (1 / 3))
    matrix = torch.rand(side, side)
    found: dict[str, list[float]] = {name: [] for name in ("whole", "decode", "inception", "tower", "product")}
    for _ in range(rounds):
        found["whole"].append(rate(lambda: encoder.extract(images), len(images.files)))
        found["decode"].append(rate(lambda: [None for _ in images], len(images.files)))
        with torch.inference_mode():
            found["inception"].append(rate(lambda: network(resized), len(resized)))
            found["product"].append(rate(lambda: matrix @ matrix, len(decoded)))
        found["tower"].append(rate(lambda: encoder._features(decoded), len(decoded)))

    def ratio(other: str, of: str = "whole") -> str:
        return show([a / b for a, b in zip(found[of], found[other], strict=True)])

    cells = [
        what, str(cut), show(found["whole"], 0), show(found["decode"], 0), ratio("decode"), show(found["inception"], 1), ratio("inception"),
        show(found["tower"], 0), ratio("product", "tower"),
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
    options.add_argument("--small", type=int, default=10000)
    options.add_argument("--large", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    start, model = time.monotonic(), Model.load()
    encoder, identity = encoder_of(model), model.identity
    real, rng = np.load(given.real)["images"], np.random.default_rng(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("small/png", "few/png", "large/jpeg"):
            (root / name).mkdir(parents=True)
        for i in range(given.small):
            image = Image.fromarray(real[i % len(real)])
            image.save(root / "small/png" / f"{i:05d}.png")
            if i < given.small // 10:
                image.save(root / "few/png" / f"{i:05d}.png")
        for i in range(given.large):
            mosaic = real[rng.integers(len(real), size=_MOSAIC**2)].reshape(_MOSAIC, _MOSAIC, 32, 32, 3)
            Image.fromarray(mosaic.swapaxes(1, 2).reshape(_SIDE, _SIDE, 3)).save(
                root / "large/jpeg" / f"{i:04d}.jpg", quality=90
            )
        png, jpeg = ImageSet.read(root / "small/png"), ImageSet.read(root / "large/jpeg")
        rows = [
            row("PNG", png, encoder, 8, given.rounds),
            *(row("JPEG", jpeg, encoder, k, given.rounds) for k in (1, 4, 8)),
        ]
        print("\n".join(rows), flush=True)
        piles = (
            ("few", f"{given.small // 10:,} PNG"),
            ("small", f"{given.small:,} PNG"),
            ("large", f"{given.large:,} JPEG"),
        )
        used = ", ".join(f"{memory(root / name, root / f'{name}.npz'):.0f} MiB for {what}" for name, what in piles)
        one_two = [cluster_rates(encoder, png) for _ in range(given.rounds)]
        bounds = [two_processes() for _ in range(given.rounds)]
    page = _PAGE.format(
        provenance=provenance(given.seed, start, identity), rounds=given.rounds, small=given.small, large=given.large, side=_SIDE, mosaic=_MOSAIC**2,
        inception=multiplications(inception_sized(), torch.rand(1, 3, 299, 299)) / 1e9, rows="\n".join(rows), memory=used,
        chunks=len(chunks(png, "")), often=_OFTEN, cluster=show([two / one for one, two in one_two]), bound=show(bounds),
    )  # fmt: skip
    (ROOT / "docs/speed.md").write_text(page)


if __name__ == "__main__":
    main()
