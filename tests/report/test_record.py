"""Reports that can be made again, and their log."""

import json
import multiprocessing
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from genprint.cli.app import app
from genprint.images.sets import ImageSet
from genprint.report import log as casebook
from genprint.report.record import Look, _seal, confounds

from .conftest import textured

GRAINS = {"a": 2.0, "b": 8.0, "c": 20.0, "d": 45.0, "e": 70.0}


def write(folder, images, suffix="png"):
    folder.mkdir(parents=True)
    for i, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{i:03d}.{suffix}")


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("case"), np.random.default_rng(0)
    for name, grain in GRAINS.items():
        write(root / "known" / name, textured(rng, 24, grain=grain))
    write(root / "probe", textured(rng, 10, grain=GRAINS["c"]))
    (root / "probe" / "notes.txt").write_text("no image")
    page = root / "out" / "report.html"
    done = run("attribute", root / "probe", "--known", root / "known", "--report", page, "--log", root / "log.jsonl")
    assert done.exit_code == 0, done.output
    return root


def test_the_page_holds_all_it_shows(world):
    page = (world / "out" / "report.html").read_text()
    for wanted in ("c made the images", "notes.txt", "Place in the family tree", "All known sources have files like"):
        assert wanted in page
    assert not re.findall(r"(?:src|href)=['\"](?!data:)", page)
    assert "<script" not in page


def test_it_comes_out_the_same(world):
    done = run("report", "verify", world / "out" / "report.json", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["same"]


def test_an_edited_report_is_refused(world, tmp_path):
    text = (world / "out" / "report.json").read_text()
    assert '"answer": "attributed"' in text
    (tmp_path / "edited.json").write_text(text.replace('"answer": "attributed"', '"answer": "unknown"', 1))
    done = run("report", "verify", tmp_path / "edited.json")
    assert done.exit_code == 1
    assert "was changed" in done.stderr
    (tmp_path / "other.json").write_text("[]")
    assert run("report", "verify", tmp_path / "other.json").exit_code == 1


def test_other_inputs_are_named(world, tmp_path, rng):
    write(tmp_path / "probe", textured(rng, 10, grain=GRAINS["c"]))
    done = run("report", "verify", world / "out" / "report.json", "--probe", tmp_path / "probe")
    assert done.exit_code == 3
    assert "probe: its images are not the same" in done.stdout
    for name, grain in GRAINS.items():
        write(tmp_path / "known" / name, textured(rng, 24, grain=grain))
    done = run("report", "verify", world / "out" / "report.json", "--known", tmp_path / "known")
    assert "known source a: not the same" in done.stdout


def test_a_gallery_has_no_files_to_compare(world, tmp_path):
    gallery = tmp_path / "gallery.sqlite"
    for name in GRAINS:
        run("enroll", name, world / "known" / name, "--gallery", gallery)
    page = tmp_path / "report.html"
    run("attribute", world / "probe", "--gallery", gallery, "--report", page)
    assert "files of the known sources were not at hand" in page.read_text()
    assert run("report", "verify", tmp_path / "report.json").exit_code == 0
    done = run("report", "verify", tmp_path / "report.json", "--known", world / "known")
    assert done.exit_code == 0, done.output  # the same images, whose files are at hand now


def test_confounds(tmp_path, rng):
    looks = {}
    for name, suffix in (("a", "png"), ("b", "jpg"), ("probe", "jpg"), ("other", "bmp")):
        write(tmp_path / name, textured(rng, 4), suffix)
        looks[name] = Look.at(ImageSet.read(tmp_path / name))
    known = {name: looks[name] for name in "ab"}
    (only,) = confounds(looks["probe"], known)
    assert "only those of b" in only
    (never,) = confounds(looks["other"], known)
    assert "histories may differ" in never
    assert confounds(looks["probe"], {"b": looks["b"]}) == []


def test_reports_are_about_one_probe(world, tmp_path):
    probe = world / "probe"
    done = run("attribute", probe, probe, "--known", world / "known", "--report", tmp_path / "r.html")
    assert done.exit_code == 1
    assert run("attribute", probe, "--known", world / "known", "--report", tmp_path / "r.pdf").exit_code == 1


def test_the_log_shows_every_change(tmp_path):
    path = tmp_path / "log.jsonl"
    for i in range(3):
        casebook.append(path, {"number": i})
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(casebook.verify(path)) == 3
    assert run("report", "log", path).exit_code == 0
    for broken, where in (
        ([lines[0], lines[1].replace(b'"number": 1', b'"number": 7'), lines[2]], "line 2"),
        ([lines[0], lines[2]], "line 2"),
        ([lines[1], lines[0], lines[2]], "line 1"),
        ([lines[0], b"nonsense\n"], "line 2"),
        ([lines[0], lines[1][:40]], "cut off"),
        ([lines[0], lines[1][:-1]], "cut off"),
    ):
        path.write_bytes(b"".join(broken))
        with pytest.raises(casebook.CasebookError, match=where):
            casebook.verify(path)
        with pytest.raises(casebook.CasebookError):
            casebook.append(path, {})
        assert path.read_bytes() == b"".join(broken)


def _write_many(path, writer):
    for i in range(10):
        casebook.append(path, {"writer": writer, "number": i})


def test_several_writers_make_one_chain(tmp_path):
    path = tmp_path / "log.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(path, i)) for i in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(casebook.verify(path)) == 30


def test_attributing_logs(world):
    (line,) = (world / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["entry"]["attribution"]["candidates"][0]["source"] == "c"
    assert run("report", "log", world / "log.jsonl").stdout.startswith(f"{world / 'log.jsonl'}: 1 entries, whole")


def test_moved_inputs_come_out_the_same(world, tmp_path, monkeypatch):
    for name in ("known", "probe"):
        shutil.copytree(world / name, tmp_path / "moved" / name)
    where = ["--probe", tmp_path / "moved" / "probe", "--known", tmp_path / "moved" / "known"]
    assert run("report", "verify", world / "out" / "report.json", *where).exit_code == 0
    monkeypatch.chdir(tmp_path / "moved")
    page = tmp_path / "again.html"
    run("attribute", "probe", "--known", "known", "--report", page)
    monkeypatch.chdir(tmp_path)
    assert run("report", "verify", tmp_path / "again.json").exit_code == 0
    shutil.rmtree(tmp_path / "moved" / "probe")
    done = run("report", "verify", tmp_path / "again.json")
    assert done.exit_code == 1
    assert "--probe" in done.stderr


def test_a_forged_report_is_found_out(world, tmp_path):
    forged = json.loads((world / "out" / "report.json").read_text())
    del forged["sha256"]
    forged["channels"]["C2PA manifest"]["state"] = "present-valid"
    forged["propositions"][0] = "somebody else made the images"
    forged["sha256"] = _seal(forged)
    (tmp_path / "forged.json").write_text(json.dumps(forged))
    done = run("report", "verify", tmp_path / "forged.json")
    assert done.exit_code == 3
    assert "channels.C2PA manifest.state" in done.stdout
    assert "propositions" in done.stdout


def test_order_of_enrolling_changes_nothing(world, tmp_path):
    galleries = []
    for order in (list(GRAINS), list(GRAINS)[::-1]):
        gallery = tmp_path / f"{order[0]}.sqlite"
        for name in order:
            paths = sorted((world / "known" / name).iterdir(), reverse=order[0] != "a")
            for half in (paths[:12], paths[12:]):
                run("enroll", name, *half, "--gallery", gallery)
        galleries.append(gallery)
    run("attribute", world / "probe", "--gallery", galleries[0], "--report", tmp_path / "r.html")
    assert run("report", "verify", tmp_path / "r.json", "--gallery", galleries[1]).exit_code == 0
