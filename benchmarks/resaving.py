"""Top-1 at 10 images when gallery and probe, or the probe alone, are re-saved, cropped, blurred and the like.

python benchmarks/resaving.py      # the eight demonstrated generators, 32 images enrolled, 10 probes of each; one split
"""

from __future__ import annotations

import numpy as np

from genprint.changes import Change
from genprint.evaluation.robustness import CHANGES
from genprint.fingerprint import Features
from genprint.generators.collection import demonstrated, load, sample
from genprint.images import ImageSet
from genprint.methods.set_encoder.encoder import SetEncoder


def main() -> None:
    """Measures and prints a table."""
    encoder = SetEncoder.from_pretrained()
    images = {folder.name: sample(load(folder)[0], folder.name, 132) for folder in demonstrated()}

    def features(change: Change, own: np.ndarray) -> Features:
        return encoder.features(ImageSet.from_array(change(own), "set"))

    gallery = {n: {s: features(c, own[:32]) for s, own in images.items()} for n, c in CHANGES.items()}
    probes = {n: {s: features(c, own[32:]) for s, own in images.items()} for n, c in CHANGES.items()}
    print("| change | both | probe only |\n| --- | --- | --- |")
    for name in CHANGES:
        cells = []
        for known in (gallery[name], gallery["nothing"]):
            enrolled = [encoder.summarise(own, source, vector=False) for source, own in known.items()]
            right = []
            for i, own in enumerate(probes[name].values()):
                sets = [encoder.summarise(own[np.arange(at, at + 10)], "", False) for at in range(0, len(own) - 9, 10)]
                right.append((encoder.plda_.score(sets, enrolled).argmax(1) == i).mean())
            cells.append(f"{100 * np.mean(right):.0f}")
        print(f"| {name} | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
