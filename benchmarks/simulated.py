"""Writes docs/simulated.md: answers at a low rate of false attributions, which only many sources support.

    python benchmarks/simulated.py --real clothing32.npz

Simulated sources made from the held-out tenth of the real images; the encoder has seen others like them, none of these. Needs 12 GiB.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from common import ROOT, encoder_of, held_out, provenance

from genprint.encoder.training.pretraining import simulated_fingerprints
from genprint.evaluation.answers import answers
from genprint.evaluation.intervals import Mean
from genprint.model import Model

SOURCES, GROUPS, ENROLLED, SIZE, PROBES = 200, 4, 32, 10, 2
RATES = (0.01, 0.1)
_PAGE = """# Answers among many simulated sources

Written by `benchmarks/simulated.py`. {provenance}

{sources} fresh simulated sources, one in five a sibling of another, made from real images that the encoder was not trained on. A quarter of them is unknown in its
turn, and the others are enrolled with {enrolled} images each; {probes} probes of {size} of each source. In percent, with 95 % intervals by bootstrap over sources.

| rate asked for | falsely attributed, unknown | right, enrolled | wrong, enrolled |
| --- | --- | --- | --- |
{rows}
"""


def _percent(mean: Mean) -> str:
    return f"{100 * mean.mean:.1f} [{100 * mean.low:.1f}, {100 * mean.high:.1f}]"


def main() -> None:
    """Measures and writes."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--real", type=Path, required=True)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    start, model = time.monotonic(), Model.load()
    fingerprints = simulated_fingerprints(
        encoder_of(model), held_out(given.real), SOURCES, given.seed + 100, ENROLLED + PROBES * SIZE
    )
    groups = {name: str(i % GROUPS) for i, name in enumerate(fingerprints)}
    rows = []
    for rate in RATES:
        found = answers(model, fingerprints, groups, ENROLLED, SIZE, rate, PROBES, seed=given.seed)
        shares = " | ".join(map(_percent, (found.false, found.right, found.wrong)))
        rows.append(f"| {100 * found.rate:.1f} | {shares} |")
        print(rows[-1], flush=True)
    page = _PAGE.format(
        provenance=provenance(given.seed, start, model.identity), sources=SOURCES, enrolled=ENROLLED, probes=PROBES, size=SIZE,
        rows="\n".join(rows),
    )  # fmt: skip
    (ROOT / "docs/simulated.md").write_text(page)


if __name__ == "__main__":
    main()
