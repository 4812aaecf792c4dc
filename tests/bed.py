"""A tiny test bed: the same images enlarged by Pillow's filters, as two publishers saved them."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

FILTERS = {name.lower(): Image.Resampling[name] for name in ("NEAREST", "BILINEAR", "BICUBIC", "LANCZOS")}
PUBLISHERS = {"png": ("png", {}), "jpeg80": ("jpg", {"quality": 80})}


def make_bed(root: Path, images: np.ndarray, flat: bool = False) -> Path:
    """``root/<publisher>/<filter>/<image>``, or ``root/<filter>-<publisher>/<image>`` with a row for each of these."""
    rows = []
    for name, kind in FILTERS.items():
        for publisher, (ending, how) in PUBLISHERS.items():
            folder = root / f"{name}-{publisher}" if flat else root / publisher / name
            folder.mkdir(parents=True)
            for i, pixels in enumerate(images):
                small = Image.fromarray(pixels)
                small.resize((2 * small.width, 2 * small.height), kind).save(folder / f"{i:03d}.{ending}", **how)
            rows.append({"source": folder.name, "model": name, "publisher": publisher, "photographs": "golden"})
    if not flat:
        rows = [{"source": name} for name in FILTERS]
    with (root / "sources.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return root
