"""Writes docs/page.md with pictures of reports and of the page of `genprint serve`, in headless Chromium.

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

import genprint
from genprint.answering import Gallery
from genprint.generators.collection import demonstrated, load, sample
from genprint.model import Model
from genprint.service.app import create_app
from genprint.service.settings import Tokens

ENROLLED, PROBE = 40, 20
TALLEST = 2000  # px of a picture; pages go on below
STATES = {
    "report": "A report, light: the verdict first, then evidence.",
    "report-dark": "A report whose answer is unknown, in the dark.",
    "report-phone": "The same on a phone, 390 px wide.",
    "report-paper": "A report as it is printed.",
    "page-empty": "The service: nothing is enrolled yet.",
    "page-enrolled": "One source is enrolled; a tree takes two.",
    "page-asking": "Images are on their way.",
    "page": "The answer: the report's verdict and sections.",
    "page-dark": "The same in the dark, of a single image: what one image cannot show is not there.",
    "page-phone": "On a phone that likes it dark, 390 px wide.",
    "page-error": "A file that is no image; the tree below is enlarged, by a click or Enter.",
    "sorted": "A sorted pile, as a page: what was found, the map, and a contact sheet of each group.",
    "sorted-dark": "The same in the dark.",
    "sorted-phone": "The same on a phone.",
    "page-sorted": "The service: a folder was dropped, and is sorted.",
    "page-group": "One of its groups, further down, to look through and enroll under a name.",
    "page-token": "Where a token is asked for.",
}
WIDE, PHONE = {"width": 1000, "height": 800}, {"width": 390, "height": 844}
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
    """A picture of the page, from its top."""
    size = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    clip = {"x": 0, "y": 0, "width": size[0], "height": min(size[1], TALLEST)}
    page.screenshot(path=ROOT / f"docs/{state}.png", full_page=True, clip=clip)
    print(f"{state}: {size[0]} px wide, {size[1]} px high", flush=True)


def probe(page: Page, files: list[str]) -> None:
    """Asks, and waits for the answer and its pictures."""
    page.set_input_files("#probe", files)
    page.wait_for_selector("#answer:not([hidden])", timeout=300_000)
    page.wait_for_function("() => [...document.querySelectorAll('#sections img')].every(one => one.naturalWidth)")


def walk(browser: Browser, url: str, files: dict[str, list[str]], folder: Path) -> None:
    """From an empty gallery to an answer, an error and the tree."""
    page = browser.new_page(viewport=WIDE)
    page.goto(url)
    page.locator("#tree", has_text="It takes two").wait_for()
    save(page, "page-empty")
    first, *_ = files
    for name, paths in files.items():
        page.fill("#name", name)
        page.set_input_files("#images", paths[:ENROLLED])
        page.click("#enroll button")
        page.locator("#sources th", has_text=name).wait_for(timeout=300_000)
        if name == first:
            save(page, "page-enrolled")
    page.locator("#tree text", has_text=name).first.wait_for(state="attached", timeout=300_000)

    def held(route: Route) -> None:
        save(page, "page-asking")
        route.continue_()

    page.route("**/v1/attribute*", held)
    probe(page, files[first][ENROLLED:])
    page.unroute("**/v1/attribute*")
    save(page, "page")
    page.focus("#tree")
    page.keyboard.press("Enter")
    text = folder / "notes.png"
    text.write_text("no image")
    page.set_input_files("#probe", str(text))
    page.wait_for_function("() => document.getElementById('error').textContent")
    save(page, "page-error")
    for state, size, asked in (("page-dark", WIDE, files[first][-1:]), ("page-phone", PHONE, files[first][ENROLLED:])):
        page = browser.new_page(viewport=size, color_scheme="dark")
        page.goto(url)
        page.wait_for_selector("#tree svg")
        probe(page, asked)
        save(page, state)


def reports(browser: Browser, files: dict[str, list[str]], folder: Path) -> None:
    """Reports on images of a source that is enrolled, and of the last one, which is not."""
    first, *_, last = files
    gallery = Gallery()
    gallery.enroll({name: paths[:ENROLLED] for name, paths in files.items() if name != last})
    kinds = {
        "report": (first, WIDE, "light", "screen"), "report-dark": (last, WIDE, "dark", "screen"),
        "report-phone": (last, PHONE, "light", "screen"), "report-paper": (first, WIDE, "dark", "print"),
    }  # fmt: skip
    for name in (first, last):
        gallery.attribute(files[name][ENROLLED:], "suspicious").save(folder / f"{name}.html")
    for state, (name, size, scheme, medium) in kinds.items():
        page = browser.new_page(viewport=size, color_scheme=scheme)
        page.emulate_media(media=medium, color_scheme=scheme)
        page.goto((folder / f"{name}.html").as_uri())
        save(page, state)


def pile(files: dict[str, list[str]], folder: Path) -> Path:
    """A folder with images of all sources that are enrolled nowhere, of each fewer than of the one before."""
    mixed = folder / "pile"
    mixed.mkdir()
    for i, (name, paths) in enumerate(files.items()):
        for path in paths[ENROLLED : ENROLLED + PROBE - 2 * i]:
            shutil.copy(path, mixed / f"{name[0]}{i}-{Path(path).name}")
    return mixed


def sorted_pile(browser: Browser, files: dict[str, list[str]], mixed: Path, folder: Path) -> None:
    """The page of a pile of which three sources are known, and its state in the service."""
    gallery = Gallery()
    gallery.enroll({name: files[name][:ENROLLED] for name in list(files)[:3]})
    genprint.sort(mixed, known=gallery).save(folder / "sorted.html")
    for state, size, scheme in (
        ("sorted", WIDE, "light"),
        ("sorted-dark", WIDE, "dark"),
        ("sorted-phone", PHONE, "light"),
    ):
        page = browser.new_page(viewport=size, color_scheme=scheme)
        page.goto((folder / "sorted.html").as_uri())
        page.evaluate("document.querySelectorAll('img').forEach(one => { one.loading = 'eager' })")
        page.wait_for_function("[...document.images].every(one => one.naturalWidth)")
        save(page, state)


def sort_on_page(browser: Browser, url: str, mixed: Path) -> None:
    """Drops a folder on the page of the service."""
    page = browser.new_page(viewport=WIDE)
    page.goto(url)
    page.wait_for_selector("#tree svg")
    page.set_input_files("#sort-folder", str(mixed))
    page.wait_for_selector("#sorted:not([hidden])", timeout=300_000)
    page.wait_for_function("() => !document.querySelector('#sort-sections .sheet code')")
    page.evaluate("window.scrollTo(0, 0)")
    save(page, "page-sorted")
    page.locator("#sort-sections section", has=page.locator("form")).last.screenshot(path=ROOT / "docs/page-group.png")


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
        reports(browser, files, folder)
        mixed = pile(files, folder)
        sorted_pile(browser, files, mixed, folder)
        server, url = serve(folder / "gallery.sqlite")
        walk(browser, url, files, folder)
        sort_on_page(browser, url, mixed)
        server.should_exit = True
        (folder / "tokens").write_text("read " + "t" * 20)
        server, url = serve(folder / "gallery.sqlite", folder / "tokens")
        page = browser.new_page(viewport={"width": 1000, "height": 500})
        page.goto(url)
        page.wait_for_selector("#token-row:not([hidden])")
        save(page, "page-token")
        server.should_exit = True
        browser.close()
    lines = [
        "# Reports and the page\n",
        "Written by `benchmarks/screens.py`: reports of `genprint attribute --report`, and `genprint serve`, with samples of",
        "shipped generators. Both show one list of sections, follow the system's light or dark, fit a phone, and can be",
        f"printed. Pages are shown from their top, up to {TALLEST:,} px.\n",
        *(f"{what}\n\n![{what}]({state}.png)\n" for state, what in STATES.items()),
    ]
    (ROOT / "docs/page.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
