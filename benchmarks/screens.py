"""Writes docs/page.md with a picture of the page of `genprint serve` in each of its states, in headless Chromium.

    python benchmarks/screens.py

Sources are samples of the shipped generators.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path

import uvicorn
from common import ROOT
from PIL import Image
from playwright.sync_api import Browser, Page, Route, sync_playwright

from genprint.generators.collection import demonstrated, load, sample
from genprint.model import Model
from genprint.service.app import create_app
from genprint.service.settings import Tokens

ENROLLED, PROBE = 40, 20
STATES = {
    "empty": "Nothing is enrolled yet.",
    "enrolled": "One source is enrolled; a tree takes two.",
    "asking": "Images are on their way.",
    "": "The answer: evidence by number of images, candidates, what the probe's images have in common, its place in the tree.",
    "error": "A file that is no image; the tree below is enlarged, by a click or Enter.",
    "token": "Where a token is asked for.",
    "phone": "On a phone that likes it dark.",
}
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"]  # fmt: skip


def serve(gallery: Path, tokens: Path | None = None) -> tuple[uvicorn.Server, str]:
    """A server of its own, and where it is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = create_app(Model.load(), gallery, Tokens(tokens))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    return server, f"http://127.0.0.1:{port}/"


def save(page: Page, state: str) -> None:
    """A picture of the whole page."""
    page.screenshot(path=ROOT / f"docs/page{state and '-' + state}.png", full_page=True)
    print(state or "answer", flush=True)


def probe(page: Page, files: list[str]) -> None:
    """Asks, and waits for the answer and its pictures."""
    page.set_input_files("#probe", files)
    page.wait_for_selector("#answer:not([hidden])", timeout=300_000)
    page.wait_for_function("() => document.getElementById('place').naturalWidth > 0")


def walk(browser: Browser, url: str, files: dict[str, list[str]], folder: Path) -> None:
    """From an empty gallery to an answer, an error and the tree."""
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    page.goto(url)
    page.locator("#tree", has_text="It takes two").wait_for()
    save(page, "empty")
    first, *_ = files
    for name, paths in files.items():
        page.fill("#name", name)
        page.set_input_files("#images", paths[:ENROLLED])
        page.click("#enroll button")
        page.locator("#sources td", has_text=name).wait_for(timeout=300_000)
        if name == first:
            save(page, "enrolled")
    page.locator("#tree text", has_text=name).first.wait_for(state="attached", timeout=300_000)

    def held(route: Route) -> None:
        save(page, "asking")
        route.continue_()

    page.route("**/v1/attribute*", held)
    probe(page, files[first][ENROLLED:])
    page.unroute("**/v1/attribute*")
    save(page, "")
    page.focus("#tree")
    page.keyboard.press("Enter")
    text = folder / "notes.png"
    text.write_text("no image")
    page.set_input_files("#probe", str(text))
    page.wait_for_function("() => document.getElementById('error').textContent")
    save(page, "error")
    phone = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme="dark")
    phone.goto(url)
    phone.wait_for_selector("#tree svg")
    probe(phone, files[first][ENROLLED:])
    save(phone, "phone")


def main() -> None:
    """Draws all states."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        raise SystemExit("no Chromium on this machine: install it (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as kept, sync_playwright() as playwright:
        folder = Path(kept)
        files: dict[str, list[str]] = {}
        for source in demonstrated():
            (folder / source.name).mkdir()
            files[source.name] = []
            for i, pixels in enumerate(sample(load(source)[0], source.name, ENROLLED + PROBE)):
                path = folder / source.name / f"{i:02d}.png"
                Image.fromarray(pixels).save(path)
                files[source.name].append(str(path))
        browser = playwright.chromium.launch(executable_path=chromium, args=_OPTIONS)
        server, url = serve(folder / "gallery.sqlite")
        walk(browser, url, files, folder)
        server.should_exit = True
        (folder / "tokens").write_text("read " + "t" * 20)
        server, url = serve(folder / "gallery.sqlite", folder / "tokens")
        page = browser.new_page(viewport={"width": 1000, "height": 500})
        page.goto(url)
        page.wait_for_selector("#token-row:not([hidden])")
        save(page, "token")
        server.should_exit = True
        browser.close()
    pictures = [f"{what}\n\n![{what}](page{state and '-' + state}.png)\n" for state, what in STATES.items()]
    lines = [
        "# The page\n",
        "Written by `benchmarks/screens.py`: `genprint serve` with samples of shipped generators.\n",
        *pictures,
    ]
    (ROOT / "docs/page.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
