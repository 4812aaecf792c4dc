"""Writes docs/service.md: the service under load and attack, and killed again and again while sources are enrolled.

    python benchmarks/service.py --minutes 10 --kills 100

Sixteen clients ask without a pause, one request in ten is hostile. Images are samples of the shipped generators.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from common import ROOT, provenance
from PIL import Image

from genprint.generators.collection import demonstrated, load, sample

CLIENTS, HOSTILE, ENROLLED, PROBE = 16, 0.1, 24, 10
_TOKEN = "reading-token-of-the-benchmark"
_ENROLL = "enrolling-token-of-the-benchmark"

_PAGE = """# The service under load

Written by `benchmarks/service.py`. {provenance}

{clients} clients for {minutes:g} minutes against one server with 8 enrolled sources of {enrolled} images, one request in ten hostile. Good requests are
attributions of {probe} PNG images (three in four), and the list of sources. A client that is told to come again (429) does.
Hostile ones that are answered (200) held a good image beside what was meant: nothing is ever written to a path of theirs.

| requests | sent | answers | median s | 99th percentile s |
| --- | --- | --- | --- | --- |
{rows}

Server errors (5xx): {errors}. Good requests lost (no answer, or another than 200 after all): {lost}. Memory of the server (resident): {before:.0f} MiB
after a minute, {after:.0f} MiB at the end. 99th percentile of attributions in the first and the last third: {first:.2f} s and {last:.2f} s.

## Killed while enrolling

{kills} times a server was killed (SIGKILL) at a random moment while a client enrolled source after source, then started again on the same gallery.
Enrollments that the client was told of: {told}. Of those lost: {gone}. Sources with another number of images than the client sent: {torn}.
"""


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


class Server:
    """``genprint serve`` in a process of its own."""

    def __init__(self, gallery: Path, tokens: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.address = ("127.0.0.1", port)
        command = [sys.executable, "-m", "genprint", "serve", "-g", str(gallery), "--port", str(port)]
        self.process = subprocess.Popen([*command, "--token-file", str(tokens)], stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                if httpx.get(f"{self.base}/health").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError("the server did not come up")

    def memory(self) -> float:
        """Resident, in MiB (Linux)."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def enroll(base: str, name: str, images: list[bytes]) -> httpx.Response:
    """Enrolls a source."""
    files = [("images", (f"{i}.png", data, "image/png")) for i, data in enumerate(images)]
    return httpx.post(
        f"{base}/v1/sources/{name}", files=files, headers={"Authorization": f"Bearer {_ENROLL}"}, timeout=300
    )


@dataclass
class Log:
    """What became of the requests."""

    start: float = field(default_factory=time.monotonic)
    answers: dict[str, Counter[str]] = field(default_factory=dict)
    seconds: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    lost: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, answer: str, began: float) -> None:
        with self.lock:
            self.answers.setdefault(kind, Counter())[answer] += 1
            self.seconds.setdefault(kind, []).append((began - self.start, time.monotonic() - began))


def _good(client: httpx.Client, probes: list[list[bytes]], rng: random.Random, log: Log) -> None:
    kind = "attribute" if rng.random() < 0.75 else "sources"
    files = [("images", (f"{i}.png", data, "image/png")) for i, data in enumerate(rng.choice(probes))]
    began = time.monotonic()
    for _ in range(100):
        try:
            done = client.post("/v1/attribute", files=files) if kind == "attribute" else client.get("/v1/sources")
        except httpx.TransportError as error:
            log.add(kind, type(error).__name__, began)
            log.lost += 1
            return
        if done.status_code != 429:
            break
        log.add("told to come again", "429", began)
        time.sleep(float(done.headers.get("Retry-After", 1)))
    log.add(kind, str(done.status_code), began)
    log.lost += done.status_code != 200


def _attacks(good: bytes) -> dict[str, tuple[str, bytes]]:
    """Uploads that mean no good, by what they are."""
    zeros = bytes(1 << 20)
    header = good[:16] + (30000).to_bytes(4, "big") * 2 + good[24:]
    return {
        "zip bomb": ("bomb.zip", _zip({f"{i}.png": zeros for i in range(300)})),
        "zip of paths": ("slip.zip", _zip({"../../etc/passwd": good, "/root/x.png": good})),
        "pixel bomb": ("huge.png", header),
        "polyglot": ("x.png", good + _zip({"a.html": b"<script>"})),
        "broken zip": ("x.zip", b"PK\x03\x04" + os.urandom(2000)),
        "noise": ("x.png", os.urandom(20000)),
        "cut": ("x.png", good[: len(good) // 2]),
        "PostScript": ("x.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n"),
        "many files": ("many.zip", _zip({f"{i}.png": b"x" for i in range(3000)})),
    }


def _hostile(server: Server, client: httpx.Client, attacks: dict, rng: random.Random, log: Log) -> None:
    kind = rng.choice([*attacks, "no token", "wrong token", "slow upload", "broken off", "no form"])
    began = time.monotonic()
    try:
        if kind in ("slow upload", "broken off"):
            with socket.create_connection(server.address, timeout=90) as raw:
                raw.sendall(
                    b"POST /v1/attribute HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + _TOKEN.encode()
                    + b"\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n"
                )  # fmt: skip
                for _ in range(20 if kind == "slow upload" else 1):
                    raw.sendall(b"x")
                    time.sleep(0.5)
            log.add("hostile", "closed", began)
            return
        if kind in ("no token", "wrong token"):
            headers = {"Authorization": "" if kind == "no token" else "Bearer " + "x" * 40}
            done = client.post("/v1/attribute", content=bytes(1000), headers=headers)
        elif kind == "no form":
            done = client.post("/v1/attribute", content=os.urandom(1000))
        else:
            done = client.post("/v1/attribute", files=[("images", attacks[kind])])
        log.add("hostile", str(done.status_code), began)
    except httpx.TransportError as error:
        log.add("hostile", type(error).__name__, began)


def press(server: Server, probes: list[list[bytes]], minutes: float) -> tuple[Log, float, float]:
    """Many clients at once; returns what became of it, and the server's memory after a minute and at the end."""
    log, attacks = Log(), _attacks(probes[0][0])
    end = log.start + 60 * minutes

    def ask(number: int) -> None:
        rng = random.Random(number)
        headers = {"Authorization": f"Bearer {_TOKEN}"}
        with httpx.Client(base_url=server.base, headers=headers, timeout=120) as client:
            while time.monotonic() < end:
                if rng.random() < HOSTILE:
                    _hostile(server, client, attacks, rng, log)
                else:
                    _good(client, probes, rng, log)

    clients = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(min(60, 30 * minutes))
    before = server.memory()
    for client in clients:
        client.join()
    return log, before, server.memory()


def kill_often(folder: Path, tokens: Path, images: list[list[bytes]], kills: int) -> tuple[int, int, int]:
    """Enrollments told of, those of them lost, and sources that came out torn."""
    gallery, rng = folder / "killed.sqlite", random.Random(0)
    told: dict[str, int] = {}
    sent: dict[str, int] = {}
    for round_ in range(kills):
        server = Server(gallery, tokens)
        threading.Timer(rng.uniform(0.05, 1.5), server.kill).start()
        try:
            for i in range(1000):
                own = rng.choice(images)[:4]
                sent[f"{round_} {i}"] = len(own)
                told[f"{round_} {i}"] = enroll(server.base, f"{round_} {i}", own).json()["enrolled"]
        except httpx.TransportError:
            server.process.wait()
    server = Server(gallery, tokens)
    found = httpx.get(f"{server.base}/v1/sources", headers={"Authorization": f"Bearer {_TOKEN}"}).json()
    server.kill()
    gone = sum(found.get(name) != count for name, count in told.items())
    return len(told), gone, sum(found[name] != sent[name] for name in found)


def _row(kind: str, log: Log) -> str:
    seconds = [taken for _, taken in log.seconds[kind]]
    answers = ", ".join(f"{answer}: {count}" for answer, count in log.answers[kind].most_common())
    median, high = np.quantile(seconds, [0.5, 0.99])
    return f"| {kind} | {len(seconds)} | {answers} | {median:.2f} | {high:.2f} |"


def main() -> None:
    """Measures and writes."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--kills", type=int, default=100)
    given = options.parse_args()
    start = time.monotonic()
    made = {folder.name: [_png(own) for own in sample(load(folder)[0], folder.name, 60)] for folder in demonstrated()}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tokens = folder / "tokens"
        tokens.write_text(f"read {_TOKEN}\nenroll {_ENROLL}\n")
        server = Server(folder / "gallery.sqlite", tokens)
        for name, images in made.items():
            enroll(server.base, name, images[:ENROLLED]).raise_for_status()
        probes = [own[at : at + PROBE] for own in made.values() for at in range(ENROLLED, len(own) - PROBE + 1, PROBE)]
        log, before, after = press(server, probes, given.minutes)
        server.kill()
        print({kind: dict(found) for kind, found in log.answers.items()}, log.lost, before, after, flush=True)
        told, gone, torn = kill_often(folder, tokens, list(made.values()), given.kills)
    third = 20 * given.minutes
    taken = log.seconds["attribute"]
    page = _PAGE.format(
        provenance=provenance(0, start), clients=CLIENTS, minutes=given.minutes, enrolled=ENROLLED, probe=PROBE,
        rows="\n".join(_row(kind, log) for kind in log.answers), lost=log.lost, before=before, after=after,
        errors=sum(n for found in log.answers.values() for answer, n in found.items() if answer.startswith("5")),
        first=np.quantile([t for at, t in taken if at < third], 0.99),
        last=np.quantile([t for at, t in taken if at >= 2 * third], 0.99),
        kills=given.kills, told=told, gone=gone, torn=torn,
    )  # fmt: skip
    (ROOT / "docs/service.md").write_text(page)


if __name__ == "__main__":
    main()
