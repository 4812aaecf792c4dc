"""Writes docs/reliability.md: what was broken on purpose, how often, and what was lost.

    python benchmarks/reliability.py --times 50

Full disks and read-only folders are file systems in memory of their own, so it wants to be root on Linux; jumping clocks want
libfaketime. Else those rows are left out and said to be.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import ROOT, provenance
from PIL import Image

from genprint.encoder.encoder import SHIPPED
from genprint.fingerprints.bulk import Ledger, LedgerError, fingerprint
from genprint.gallery.store import GalleryError, GalleryStore
from genprint.generators.collection import demonstrated, load, sample
from genprint.images.decoding import Unusable, decode
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.storage.files import write_atomically
from genprint.storage.weights import WeightsError

_PAGE = """# What was broken on purpose

Written by `benchmarks/reliability.py`. {provenance} The service under load, attacked and killed: [service](service.md).

| fault | times | what came of it |
| --- | --- | --- |
{rows}
"""
_ALONE = "--no-conditions"  # enrolling then takes one pass
_FORMATS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 85},
    "WEBP": {"lossless": True},
    "GIF": {},
    "TIFF": {},
    "BMP": {},
}


def genprint(*arguments: object, **more: object) -> subprocess.Popen[bytes]:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "genprint", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)  # type: ignore[call-overload,no-any-return]


def finished(*arguments: object) -> tuple[int, str]:
    """Exit code and messages."""
    process = genprint(*arguments)
    _, messages = process.communicate()
    return process.returncode, messages.decode()


@contextmanager
def file_system(folder: Path, options: str) -> Iterator[Path | None]:
    """A file system in memory; None where it cannot be had."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    try:
        yield folder if done.returncode == 0 else None
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def lost(gallery: Path, model: Model, told: dict[str, int]) -> int:
    """Of the enrollments that were reported, those that are not there whole."""
    counts = GalleryStore(gallery, model).counts()
    return sum(counts.get(name) != count for name, count in told.items())


def refuses(messages: str, code: int, folder: Path) -> bool:
    """Whether a command ended with an error that names the place, and no more than that."""
    flat = messages.replace("\n", "")
    return code == 1 and "error:" in flat and str(folder) in flat and "Traceback" not in flat


def killed_enrolling(root: Path, data: Path, model: Model, times: int) -> str:
    """SIGKILL at a random moment of ``genprint enroll``."""
    gallery, failed = root / "killed.sqlite", 0
    told: dict[str, int] = {}
    for i in range(times):
        process = genprint("enroll", f"s{i}", data / f"{i % 4}", "--gallery", gallery, _ALONE)
        try:
            failed += process.wait(random.uniform(0.5, 4.5)) != 0
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            told[f"s{i}"] = 12
    torn = sum(count != 12 for count in GalleryStore(gallery, model).counts().values())
    return f"{len(told)} ended before and were reported, {failed} failed; lost {lost(gallery, model, told)}, half there {torn}"


def killed_training(root: Path, data: Path, rounds: int) -> str:
    """SIGKILL at random moments of ``genprint fit``, called again until it ends; against one that was left alone."""

    def fit(output: Path) -> list[object]:
        return ["fit", data, "-o", output, "--steps", 20]

    code, messages = finished(*fit(root / "whole"))
    assert code == 0, messages
    expected = (root / "whole" / "model.safetensors").read_bytes()
    kills = other = 0
    for i in range(rounds):
        output = root / f"fit{i}"
        for _ in range(2):
            process = genprint(*fit(output))
            try:
                process.wait(random.uniform(3, 12))
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
        code, messages = finished(*fit(output))
        other += code != 0 or (output / "model.safetensors").read_bytes() != expected
    return f"{kills} kills; called again, {rounds - other} ended with the weights of an unbroken run, {other} otherwise"


def killed_fingerprinting(root: Path, data: Path, model: Model, rounds: int) -> str:
    """SIGKILL as soon as the ledger has something, then called again; against one that was left alone."""
    expected = list(fingerprint(model.fingerprinter, read_sources(data), Ledger(root / "whole.ledger")))
    vectors = [model.fingerprinter.embed(whole) for whole in expected]
    broken = other = 0
    for i in range(rounds):
        output = root / f"pile{i}.npz"
        ledger = output.with_suffix(".ledger.sqlite")
        process = genprint("fingerprint", data, "-o", output)
        wanted = random.randint(1, 3)
        while process.poll() is None and in_ledger(ledger) < wanted:
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            broken += not output.exists()
        code, _ = finished("fingerprint", data, "-o", output)
        with np.load(output) as file:
            same = list(file["counts"]) == [whole.count for whole in expected]
            same &= bool(np.allclose(file["vectors"], vectors, atol=1e-4))
        other += code != 0 or not same
    return f"{broken} were under way; called again, {rounds - other} ended with every image counted once, {other} otherwise"


def in_ledger(path: Path) -> int:
    """Chunks that are in it by now."""
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM chunk").fetchone()[0])
    except sqlite3.Error:
        return 0


def flipped(data: bytes, rng: np.random.Generator, bits: int = 8) -> bytes:
    """A few bytes changed, or the end cut off."""
    if rng.random() < 0.2:
        return data[: rng.integers(len(data))]
    changed = bytearray(data)
    for at in rng.integers(len(data), size=rng.integers(1, bits + 1)):
        changed[at] ^= 1 << rng.integers(8)
    return bytes(changed)


def damaged_galleries(root: Path, source: Path, model: Model, times: int, rng: np.random.Generator) -> str:
    """Bytes of a gallery changed: read it all."""
    whole = GalleryStore(source, model)
    expected = whole.fingerprints()
    whole._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # into the file itself, which is what is copied
    refused = same = other = 0
    for i in range(times):
        path = root / f"damaged{i}.sqlite"
        path.write_bytes(flipped(source.read_bytes(), rng))
        try:
            again = GalleryStore(path, model).fingerprints()
        except GalleryError:
            refused += 1
            continue
        finally:
            for left in root.glob(f"{path.name}*"):
                left.unlink()
        equal = again.keys() == expected.keys() and all(
            read.digests == expected[name].digests and np.array_equal(read.values, expected[name].values)
            for name, read in again.items()
        )
        same, other = same + equal, other + (not equal)
    return f"refused, with the file named: {refused}; read as it was: {same}; read as something else: {other}"


def damaged_weights(root: Path, times: int, rng: np.random.Generator) -> str:
    """Bytes of the model's files changed."""
    counts = {"refused": 0, "read as it was": 0, "read as something else": 0}
    whole = Model.load()
    assert whole.population
    for name in ("model.safetensors", "config.json"):
        for _ in range(times // 2):
            shutil.copytree(SHIPPED, root / "weights", dirs_exist_ok=True)
            (root / "weights" / name).write_bytes(flipped((SHIPPED / name).read_bytes(), rng))
            try:
                found = Model.load(root / "weights")
                assert found.population
                same = found.identity == whole.identity and found.population.to_dict() == whole.population.to_dict()
                counts["read as it was" if same else "read as something else"] += 1
            except WeightsError:
                counts["refused"] += 1
    return "; ".join(f"{what}: {count}" for what, count in counts.items())


def damaged_images(pixels: np.ndarray, times: int, rng: np.random.Generator) -> str:
    """Bytes of image files changed, in every format."""
    counts = {"decoded": 0, "left out with a reason": 0, "anything else": 0}
    for kind, options in _FORMATS.items():
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind, **options)
        for _ in range(times):
            try:
                decode("x", flipped(file.getvalue(), rng))
                counts["decoded"] += 1
            except Unusable:
                counts["left out with a reason"] += 1
            except Exception:
                counts["anything else"] += 1
    return ", ".join(f"{what}: {n}" for what, n in counts.items())


def damaged_ledgers(root: Path, data: Path, model: Model, times: int, rng: np.random.Generator) -> str:
    """Bytes of a ledger changed: fingerprint by it."""
    whole = root / "sound.ledger"
    sets = read_sources(data)
    expected = list(fingerprint(model.fingerprinter, sets, Ledger(whole)))
    Ledger(whole)._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    refused = same = other = 0
    for i in range(times):
        path = root / f"damaged{i}.ledger"
        path.write_bytes(flipped(whole.read_bytes(), rng))
        try:
            found = list(fingerprint(model.fingerprinter, sets, Ledger(path)))
        except LedgerError:
            refused += 1
            continue
        equal = all(
            a.digests == b.digests and np.array_equal(a.mean, b.mean) for a, b in zip(found, expected, strict=True)
        )
        same, other = same + equal, other + (not equal)
    return f"refused, with the file named: {refused}; read or made anew as it was: {same}; something else: {other}"


def full_disk(root: Path, data: Path, model: Model) -> tuple[int, str]:
    """Enrolls until the disk is full, and some more."""
    with file_system(root / "full", "size=600k") as disk:
        if disk is None:
            return 0, "not tried: no such file system could be had"
        told: dict[str, int] = {}
        failed = said = 0
        for i in range(30):
            code, messages = finished("enroll", f"s{i}", data / f"{i % 4}", "--gallery", disk / "g.sqlite", _ALONE)
            if code == 0:
                told[f"s{i}"] = 12
            else:
                failed += 1
                said += (fine := refuses(messages, code, disk))
                if not fine:
                    print(code, messages[-600:], flush=True)
        gone = lost(disk / "g.sqlite", model, told)
        return failed, f"{said} refused with an error that names the file; of {len(told)} enrolled before, lost {gone}"


def read_only(root: Path, data: Path) -> tuple[int, str]:
    """Every command that writes, into a folder that cannot be written."""
    with file_system(root / "locked", "size=1m") as disk:
        if disk is None:
            return 0, "not tried: no such file system could be had"
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        commands: list[list[object]] = [
            ["enroll", "s", data / "0", "--gallery", disk / "g.sqlite"],
            ["enroll-all", data, "--gallery", disk / "g.sqlite"],
            ["attribute", data / "0", "--known", data, "--report", disk / "r.html"],
            ["families", data, "-o", disk / "f"],
            ["fingerprint", data, "-o", disk / "f.npz"],
            ["fit", data, "-o", disk / "e", "--steps", 1],
            ["demo", "-o", disk / "d"],
        ]
        said = 0
        for command in commands:
            code, messages = finished(*command)
            said += (fine := refuses(messages, code, disk))
            if not fine:
                print(command, code, messages[-600:], flush=True)
        return len(commands), f"{said} refused with an error that names the file"


def four_at_once(root: Path, data: Path, model: Model, rounds: int) -> str:
    """Four processes enroll three sources, two of them the same one."""
    gallery, failed = root / "both.sqlite", 0
    told: dict[str, int] = {}
    for i in range(rounds):
        names = (f"left{i}", f"right{i}", f"both{i}", f"both{i}")
        processes = [genprint("enroll", name, data / f"{i % 4}", "--gallery", gallery, _ALONE) for name in names]
        failed += sum(process.wait() != 0 for process in processes)
        told |= dict.fromkeys(names, 12)
    return f"{failed} refused; sources lost or with images twice {lost(gallery, model, told)}"


def clock_jumps(root: Path, data: Path, model: Model, times: int) -> tuple[int, str]:
    """The clock of every command jumps by years, back and forth, while it enrolls, and while it answers and logs."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        return 0, "not tried: libfaketime is not installed"
    clock, gallery, cases = root / "clock", root / "jumps.sqlite", root / "cases.jsonl"
    fake = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    monotonic = {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}  # as where a clock is set
    told: dict[str, int] = {}
    failed = 0

    def ended(*command: object) -> int:
        write_atomically(clock, b"+0d")
        process = genprint(*command, env={**os.environ, **fake, **monotonic})
        while process.poll() is None:
            write_atomically(clock, f"{random.choice('+-')}{random.randint(1, 3000)}d".encode())
            time.sleep(0.1)
        return process.returncode

    for i in range(times):
        source = data / f"{i % 4}"
        if ended("enroll", f"s{i}", source, "--gallery", gallery, _ALONE) == 0:
            told[f"s{i}"] = 12
        known = ["--gallery", gallery, "--log", cases]
        failed += ended("attribute", source, *known) not in (0, 3, 4)
    whole, _ = finished("report", "check-log", cases)
    chain = "whole" if whole == 0 else "BROKEN"
    return 2 * times, (
        f"{len(told)} of {times} enrolled, of these lost {lost(gallery, model, told)}; {failed} of {times} without an "
        f"answer; the chain of the case log is {chain}"
    )


def main() -> None:
    """Breaks and writes."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--times", type=int, default=50)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    start, times, few = time.monotonic(), given.times, max(1, given.times // 5)
    random.seed(given.seed)
    torch.set_num_threads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rng, model = np.random.default_rng(given.seed), Model.load()
    rows: list[str] = []

    def row(fault: str, count: int, broken: Callable[[], str] | str) -> None:
        rows.append(f"| {fault} | {count} | {broken if isinstance(broken, str) else broken()} |")
        print(rows[-1], flush=True)

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = root / "data"
        for i, place in enumerate(demonstrated()[:4]):
            (data / str(i)).mkdir(parents=True)
            for k, pixels in enumerate(sample(load(place)[0], place.name, 12)):
                Image.fromarray(pixels).save(data / str(i) / f"{k}.png")
        row("killed (SIGKILL) while enrolling", times, lambda: killed_enrolling(root, data, model, times))
        row("killed while fine-tuning", few, lambda: killed_training(root, data, few))
        row("killed while fingerprinting", few, lambda: killed_fingerprinting(root, data, model, few))
        row("clock jumps by years, back and forth", *clock_jumps(root, data, model, few))
        row("four processes enroll at once", few, lambda: four_at_once(root, data, model, few))
        gallery = root / "whole.sqlite"
        store = GalleryStore(gallery, model)
        store.add_all((name, model.fingerprint(ImageSet.read(data / name))) for name in map(str, range(4)))
        del store
        row(
            "bytes of a gallery changed, or its end cut off",
            10 * times,
            lambda: damaged_galleries(root, gallery, model, 10 * times, rng),
        )
        row(
            "bytes of a ledger changed, or its end cut off",
            4 * times,
            lambda: damaged_ledgers(root, data, model, 4 * times, rng),
        )
        row("bytes of the model's files changed", 2 * times, lambda: damaged_weights(root, 2 * times, rng))
        row("bytes of an image changed, six formats", 60 * times, lambda: damaged_images(pixels, 10 * times, rng))
        row("disk full while enrolling", *full_disk(root, data, model))
        row("folder that cannot be written", *read_only(root, data))
    page = _PAGE.format(provenance=provenance(given.seed, start, model.identity), rows="\n".join(rows))
    (ROOT / "docs/reliability.md").write_text(page)


if __name__ == "__main__":
    main()
