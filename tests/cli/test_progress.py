"""Progress: what is to come, what is done, and lines where nobody sees a bar."""

import io

import pytest
from rich.console import Console
from typer.testing import CliRunner

from genprint.cli import progress
from genprint.cli.app import app
from tests.conftest import JPEG_IMAGES, JPEG_SOURCES


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only when a test says so."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def told(capsys):
    return [line for line in capsys.readouterr().err.splitlines() if line]


def test_a_line_is_written_every_five_seconds(clock, capsys):
    assert progress._EVERY == 5
    with progress.bar("reading images") as advance:
        advance.expect(100)
        for _ in range(10):
            clock[0] += 2
            advance(8)
    assert told(capsys) == [
        "reading images: 24 of 100, about 19 s left",  # after 6 s
        "reading images: 48 of 100, about 13 s left",
        "reading images: 72 of 100, about 7 s left",
    ]


def test_what_is_to_come_comes_beside_what_is_done(clock, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    with progress.bar("reading images") as advance:
        advance(16)  # nobody said how many there are
        advance.expect(64)
        clock[0] += 10
        advance(24)
        advance.expect(None)
        advance(1)
        advance(0, at=0.5, of=2, extra="step 3")
    assert told(capsys) == [
        "reading images: 16",
        "reading images: 40 of 80, about 10 s left",
        "reading images: 41",
        "reading images: 0.5 of 2, about 30 s left step 3",
    ]


def test_where_there_is_a_bar_there_are_no_lines(monkeypatch):
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    screen = Console(file=io.StringIO(), force_terminal=True, width=100)
    monkeypatch.setattr(progress, "err", screen)
    with progress.bar("reading images") as advance:
        advance.expect(64)
        advance(16)
    shown = screen.file.getvalue()
    assert "16/64" in shown
    assert "16 of 64" not in shown


def test_commands_say_how_far_they_are(jpeg_case, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    gallery, images = tmp_path / "g.sqlite", JPEG_IMAGES * len(JPEG_SOURCES)

    def told(*arguments):
        done = CliRunner().invoke(app, [*map(str, arguments), "--gallery", str(gallery)])
        return [line.split(",")[0] for line in done.stderr.splitlines() if line.startswith("reading")]

    assert told("enroll-all", jpeg_case / "known") == [
        f"reading images: {done} of {images}" for done in range(JPEG_IMAGES, images + 1, JPEG_IMAGES)
    ]
    lines = told("attribute", jpeg_case / "probes" / JPEG_SOURCES[0])
    assert lines[0] == f"reading images: {JPEG_IMAGES} of {JPEG_IMAGES}"
    # then the enrolled images, after the processing
    assert lines[len(JPEG_SOURCES)] == f"reading images: {JPEG_IMAGES + images} of {JPEG_IMAGES + images}"
