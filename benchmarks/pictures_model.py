"""Learns the model for pictures that is shipped, from real photographs and the shipped encoder's towers.

    python benchmarks/pictures_model.py PHOTOGRAPHS [--out FOLDER]

PHOTOGRAPHS is a folder or zip of real photographs, no side below 192 px. No generator's image is seen. Half an hour of one core.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from genprint.encoder.encoder import SHIPPED_PICTURES, SetEncoder
from genprint.encoder.training.pictures import NAME, learn
from genprint.images.sets import ImageSet
from genprint.model import Model

CARD = """---
library_name: genprint
license: apache-2.0
---
# Genprint's model for pictures

For images larger than 64 px. Towers of the model for small images, and counts of cosine coefficients in the whole image; their
discriminants and the scorer were learned in closed form from {photographs} real photographs (CC0-1.0) through simulated sources and what
publishers may do (crop, resize, JPEG, WebP). No generator's image was seen. The reference population is of simulated sources.
Written by `benchmarks/pictures_model.py`.
"""


def main() -> None:
    """Learns and saves."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("photographs", type=Path)
    options.add_argument("--out", type=Path, default=SHIPPED_PICTURES)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    torch.set_num_threads(1)
    photographs, start = [image.pixels for image in ImageSet.read(given.photographs)], time.monotonic()

    def tell(done: int, total: int) -> None:
        if done % 10 == 0:
            print(f"{done} of {total} groups of sources, {time.monotonic() - start:.0f} s", flush=True)

    learned = learn(photographs, SetEncoder.from_pretrained(), tell, seed=given.seed)
    print(f"learned, {time.monotonic() - start:.0f} s; now the population in all conditions", flush=True)
    model = Model(learned.encoder, learned.plda)
    population = {name: model.fingerprint(images) for name, images in learned.population.items()}
    model.calibrated(learned.plda, population, NAME).save(given.out, CARD.format(photographs=len(photographs)))
    print(f"{given.out}: written, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
