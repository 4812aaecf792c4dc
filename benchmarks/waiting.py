"""Writes docs/waiting.md: what answers, enrolling and commands cost a user, beside an earlier version.

    python benchmarks/waiting.py [--before CHECKOUT]

Images are of shipped generators. Each figure is of a process of its own, of this version and the earlier one in turn. Let
nothing else run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import ROOT, commit, provenance
from PIL import Image

from genprint.generators.collection import describe, sample_each, shipped

SOURCES, ENROLLED, ASKED, QUALITY = 19, 32, 10, 85
# In a process that has imported and loaded everything, for it has answered before.
_WARM = """
import json, sys, time
from pathlib import Path
from typer.testing import CliRunner
from genprint.cli import app
def ask(command):
    done = CliRunner().invoke(app, command)
    if done.exit_code not in (0, 3, 4):
        raise SystemExit(f"{command}: {done.output} {done.exception!r}")
ask(json.loads(sys.argv[1]))
start = time.process_time()
for command in json.loads(sys.argv[2]):
    ask(command)
cpu = time.process_time() - start
# Not from getrusage: there, a child starts with its parent's peak.
most = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps([cpu, most]))
"""
_PAGE = """# How long things take

Written by `benchmarks/waiting.py`. {provenance} One thread. Median of {rounds} rounds; *before* is commit {before}, in
turn with this one.

A gallery of {sources} shipped generators, {enrolled} images of 32x32 px each, and probes of {asked} images, as PNG or as JPEG {quality}. *CPU s* is
what a command takes in a process that has imported and loaded everything; *MiB* the most memory that the process
held. *Again*: the same command in a new process, so that only what is kept beside the gallery helps.

| | CPU s | before | times faster | MiB | before |
| --- | --- | --- | --- | --- | --- |
{rows}

Enrolling takes {ratio:.2f} times what reading and fingerprinting the images once does (`genprint fingerprint`). The gallery is of {gallery:.1f} MiB, its originals
of {originals:.1f} MiB, its cache after these questions of {cache:.1f} MiB; before, the gallery was of {gallery_before} MiB.

Commands that need no model, whole processes:

| | CPU s | before |
| --- | --- | --- |
{commands}
"""


def write_images(folder: Path) -> tuple[Path, Path, Path]:
    """Known sources, and a probe as PNG and as JPEG."""
    known, probes = folder / "known", {"png": folder / "png", "jpg": folder / "jpg"}
    folders = [path for path in shipped() if not describe(path)["parent"]][:SOURCES]
    for target in probes.values():
        target.mkdir()
    for i, (name, images) in enumerate(sample_each(folders, ENROLLED + ASKED)):
        (known / name).mkdir(parents=True)
        for j, pixels in enumerate(images[:ENROLLED]):
            Image.fromarray(pixels).save(known / name / f"{j:02d}.png")
        if i == 0:
            for j, pixels in enumerate(images[ENROLLED:]):
                Image.fromarray(pixels).save(probes["png"] / f"{j:02d}.png")
                Image.fromarray(pixels).save(probes["jpg"] / f"{j:02d}.jpg", quality=QUALITY)
    return known, probes["png"], probes["jpg"]


class Version:
    """One version of the code, with galleries of its own."""

    def __init__(self, source: Path, folder: Path, images: tuple[Path, Path, Path]):
        self.folder = folder
        self.known, self.png, self.jpeg = images
        self._path = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        folder.mkdir()
        few = folder / "few"
        few.mkdir()
        for source_folder in sorted(self.known.iterdir())[:3]:
            (few / source_folder.name).symlink_to(source_folder)
        self._warm_up = self._words("attribute", self.png, "--known", few)

    @staticmethod
    def _words(*words: object) -> list[str]:
        return [str(word) for word in words]

    def ask(self, *words: object) -> tuple[float, float]:
        """CPU seconds and MiB of a command in a warm process."""
        command = [sys.executable, "-c", _WARM, json.dumps(self._warm_up), json.dumps([self._words(*words)])]
        done = subprocess.run(command, env=self._path, capture_output=True, text=True, check=False, cwd=self.folder)
        if done.returncode:
            raise SystemExit(done.stderr)
        cpu, most = json.loads(done.stdout.splitlines()[-1])
        return cpu, most

    def whole(self, *words: object) -> float:
        """CPU seconds of a whole process."""
        code = "import resource, subprocess, sys; subprocess.run([sys.executable, '-m', 'genprint', *sys.argv[1:]], "
        code += "capture_output=True); used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        code += "print(used.ru_utime + used.ru_stime)"
        command = [sys.executable, "-c", code, *self._words(*words)]
        done = subprocess.run(command, env=self._path, capture_output=True, text=True, check=True, cwd=self.folder)
        return float(done.stdout)

    def round(self) -> dict[str, tuple[float, float]]:
        """All questions once; the gallery is made anew."""
        for stale in self.folder.glob("g.sqlite*"):
            stale.unlink()
        return {
            "fingerprinting once": self.ask("fingerprint", self.known, "-o", self.folder / "f.npz"),
            "enrolling": self.ask("enroll-all", self.known, "-g", "g.sqlite"),
            "first answer, PNG": self.ask("attribute", self.png, "-g", "g.sqlite"),
            "again, PNG": self.ask("attribute", self.png, "-g", "g.sqlite"),
            "first answer, JPEG": self.ask("attribute", self.jpeg, "-g", "g.sqlite"),
            "again, JPEG": self.ask("attribute", self.jpeg, "-g", "g.sqlite"),
            "from folders (`--known`), PNG": self.ask("attribute", self.png, "--known", self.known),
            "from folders (`--known`), JPEG": self.ask("attribute", self.jpeg, "--known", self.known),
        }

    def quick(self) -> dict[str, float]:
        """Commands that need no model."""
        self.whole("attribute", self.png, "-g", "g.sqlite", "--log", "log.jsonl")
        return {
            "`--version`": self.whole("--version"),
            "`sources`": self.whole("sources", "-g", "g.sqlite"),
            "`report check-log`": self.whole("report", "check-log", "log.jsonl"),
            "a mistyped gallery": self.whole("attribute", self.png, "-g", "no.sqlite"),
        }

    def size(self, name: str) -> float:
        """Of a file, MiB; 0 if there is none."""
        path = self.folder / name
        return path.stat().st_size / 2**20 if path.exists() else 0.0


def median(values: Sequence[Any]) -> Any:
    return sorted(values)[len(values) // 2]


def main() -> None:
    """Measures and writes."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--before", type=Path, help="checkout of an earlier version")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--output", type=Path, default=ROOT / "docs/waiting.md")
    given = options.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        images = write_images(Path(folder))
        versions = [Version(ROOT / "src", Path(folder) / "now", images)]
        if given.before:
            versions.append(Version(given.before.resolve() / "src", Path(folder) / "then", images))
        rounds: list[list[dict[str, tuple[float, float]]]] = [[] for _ in versions]
        for i in range(given.rounds):
            for version, found in zip(versions, rounds, strict=True):
                found.append(version.round())
                print(f"round {i + 1} of {given.rounds}: {found[-1]}", file=sys.stderr, flush=True)
        quick = [version.quick() for version in versions]
        cpu, most = ([{what: median([one[what][k] for one in found]) for what in found[0]} for found in rounds]
                     for k in (0, 1))  # fmt: skip
        rows = []
        for what in cpu[0]:
            cells = [f"{cpu[0][what]:.2f}", "-", "-", f"{most[0][what]:.0f}", "-"]
            if given.before:
                cells[1:3] = f"{cpu[1][what]:.2f}", f"{cpu[1][what] / cpu[0][what]:.1f}"
                cells[4] = f"{most[1][what]:.0f}"
            rows.append(f"| {what} | {' | '.join(cells)} |")
        page = _PAGE.format(
            provenance=provenance(0, start), rounds=given.rounds, before=commit(given.before) if given.before else "-",
            sources=SOURCES, enrolled=ENROLLED, asked=ASKED, quality=QUALITY, rows="\n".join(rows),
            ratio=cpu[0]["enrolling"] / cpu[0]["fingerprinting once"], gallery=versions[0].size("g.sqlite"),
            originals=versions[0].size("g.sqlite.originals"), cache=versions[0].size("g.sqlite.cache"),
            gallery_before=f"{versions[1].size('g.sqlite'):.1f}" if given.before else "-",
            commands="\n".join(
                f"| {what} | " + " | ".join(f"{one[what]:.2f}" for one in quick) + (" |" if given.before else " | - |")
                for what in quick[0]
            ),
        )  # fmt: skip
    given.output.write_text(page)


if __name__ == "__main__":
    main()
