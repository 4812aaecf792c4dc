"""Reports that can be made again."""

import json
import shutil

import pytest

from genprint.api import Gallery
from genprint.fingerprints.conditions import ORIGINAL
from genprint.images.sets import ImageSet
from genprint.report.record import SCHEMA, FileSummary, confounds
from genprint.storage.files import canonical_digest
from tests.conftest import JPEG_QUALITY, textured
from tests.report.conftest import GRAINS, run, write


def test_it_comes_out_the_same(world):
    done = run("report", "reproduce", world / "out" / "report.json", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["same"]
    assert found["differences"] == []


def test_the_word_of_before_makes_it_again(world):
    done = run("report", "verify", world / "out" / "report.json")
    assert done.exit_code == 0, done.output
    assert "made again, all answers and numbers are the same" in done.stdout
    listed = run("report", "--help").stdout
    assert "reproduce" in listed
    assert "check-log" in listed
    assert not {line.split()[1] for line in listed.splitlines() if line.startswith("│ ")} & {"verify", "log"}


def test_a_record_holds_question_answer_and_evidence(world):
    record = json.loads((world / "out" / "report.json").read_text())
    assert record["schema"] == SCHEMA == 6
    answer = record["attribution"]
    assert (answer["decision"], answer["source"], answer["condition"]) == ("attributed", "c", ORIGINAL)
    ratio = answer["evidence"]["ratio"]
    assert record["propositions"] == [ratio["hp"], ratio["hd"]]
    assert record["channels"]["fingerprint"] == answer["decision"]
    assert answer["evidence"]["candidates"][0]["source"] == "c"
    assert {name: one["images"] for name, one in record["known"].items()} == dict.fromkeys(GRAINS, 24)
    assert len(record["probe"]) == 10
    assert record["inputs"]["known"] == str((world / "known").resolve())
    assert record["inputs"]["conditions"] is False


def test_what_is_compared_as_it_is_says_so(world, tmp_path):
    gallery = tmp_path / "gallery.sqlite"
    run("enroll-all", world / "known", "--gallery", gallery, "--no-originals")
    done = run("attribute", world / "probe", "--gallery", gallery, "--report", tmp_path / "r.html")
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "r.json").read_text())
    assert "conditions" not in record
    assert record["attribution"]["condition"] == ORIGINAL
    assert record["inputs"]["conditions"] is True  # as it was asked
    page = (tmp_path / "r.html").read_text()
    assert "compared in condition</th><td>original</td>" in page
    assert "could not be matched: no originals of a, b, c and 2 others are kept" in page  # what happened
    assert '<tr><th scope="row">matching of conditions</th><td>asked for</td></tr>' in page
    assert run("report", "reproduce", tmp_path / "r.json").exit_code == 0


@pytest.mark.parametrize("where", ["--known", "--gallery"])
def test_what_is_compared_after_a_processing_says_after_which(jpeg_case, tmp_path, where):
    known, page = jpeg_case / "known", tmp_path / "r.html"
    if where == "--gallery":
        run("enroll-all", known, "--gallery", known := tmp_path / "g.sqlite")
    run("attribute", jpeg_case / "probes" / "gan-dcgan-s1", where, known, "--report", page)
    record = json.loads(page.with_suffix(".json").read_text())
    assert record["attribution"]["condition"] == (name := f"JPEG {JPEG_QUALITY}")
    assert f"compared in condition</th><td>{name}</td>" in page.read_text()
    done = run("report", "reproduce", page.with_suffix(".json"))
    assert done.exit_code == 0, done.output


def test_what_was_asked_under_stress_is_on_the_page_and_asked_so_again(world, tmp_path):
    page = tmp_path / "r.html"
    run("attribute", world / "probe", "--known", world / "known", "--no-conditions", "--stress", "--report", page)
    record = json.loads(page.with_suffix(".json").read_text())
    assert record["inputs"]["stress"] is True
    text = page.read_text()
    for sentence in (*record["attribution"]["stress"]["said"], "What to expect: "):
        assert sentence in text
    done = run("report", "reproduce", page.with_suffix(".json"))
    assert done.exit_code == 0, done.output


def test_an_edited_report_is_refused(world, tmp_path):
    text = (world / "out" / "report.json").read_text()
    assert '"decision": "attributed"' in text
    (tmp_path / "edited.json").write_text(text.replace('"decision": "attributed"', '"decision": "unknown"', 1))
    done = run("report", "reproduce", tmp_path / "edited.json")
    assert done.exit_code == 1
    assert "was changed" in done.stderr
    (tmp_path / "other.json").write_text("[]")
    assert run("report", "reproduce", tmp_path / "other.json").exit_code == 1


def test_a_report_of_another_schema_is_told(world, tmp_path):
    record = json.loads((world / "out" / "report.json").read_text())
    (tmp_path / "old.json").write_text(json.dumps({**record, "schema": 3}))
    done = run("report", "reproduce", tmp_path / "old.json")
    assert done.exit_code == 1
    assert f"of schema 3; this version of Genprint reads {SCHEMA}" in done.stderr


def test_other_inputs_are_named(world, tmp_path, rng):
    write(tmp_path / "probe", textured(rng, 10, grain=GRAINS["c"]))
    done = run("report", "reproduce", world / "out" / "report.json", "--probe", tmp_path / "probe")
    assert done.exit_code == 3
    assert "probe: its images are not the same" in done.stdout
    for name, grain in GRAINS.items():
        write(tmp_path / "known" / name, textured(rng, 24, grain=grain))
    done = run("report", "reproduce", world / "out" / "report.json", "--known", tmp_path / "known")
    assert "known source a: not the same" in done.stdout


def test_a_gallery_has_no_files_to_compare(world, tmp_path):
    gallery = tmp_path / "gallery.sqlite"
    run("enroll-all", world / "known", "--gallery", gallery, "--no-originals")
    page = tmp_path / "report.html"
    run("attribute", world / "probe", "--gallery", gallery, "--report", page, "--no-conditions")
    assert "files of the known sources were not at hand" in page.read_text().replace("\n", " ")
    assert run("report", "reproduce", tmp_path / "report.json").exit_code == 0
    done = run("report", "reproduce", tmp_path / "report.json", "--known", world / "known")
    assert done.exit_code == 0, done.output  # the same images, whose files are at hand now


def test_confounds(tmp_path, rng):
    files = {}
    for name, suffix in (("a", "png"), ("b", "jpg"), ("probe", "jpg"), ("other", "bmp")):
        write(tmp_path / name, textured(rng, 4), suffix)
        files[name] = FileSummary.of(ImageSet.read(tmp_path / name))
    known = {name: files[name] for name in "ab"}
    (only,) = confounds(files["probe"], known)
    assert "only those of b" in only
    (never,) = confounds(files["other"], known)
    assert "conditions may differ" in never
    assert confounds(files["probe"], {"b": files["b"]}) == []


def test_reports_are_about_one_probe(world, tmp_path):
    probe = world / "probe"
    done = run("attribute", probe, probe, "--known", world / "known", "--report", tmp_path / "r.html")
    assert done.exit_code == 1
    assert run("attribute", probe, "--known", world / "known", "--report", tmp_path / "r.pdf").exit_code == 1


def test_moved_inputs_come_out_the_same(world, tmp_path, monkeypatch):
    for name in ("known", "probe"):
        shutil.copytree(world / name, tmp_path / "moved" / name)
    where = ["--probe", tmp_path / "moved" / "probe", "--known", tmp_path / "moved" / "known"]
    assert run("report", "reproduce", world / "out" / "report.json", *where).exit_code == 0
    monkeypatch.chdir(tmp_path / "moved")
    page = tmp_path / "again.html"
    run("attribute", "probe", "--known", "known", "--no-conditions", "--report", page)
    monkeypatch.chdir(tmp_path)
    assert run("report", "reproduce", tmp_path / "again.json").exit_code == 0
    shutil.rmtree(tmp_path / "moved" / "probe")
    done = run("report", "reproduce", tmp_path / "again.json")
    assert done.exit_code == 1
    assert "--probe" in done.stderr


def test_a_forged_report_is_found_out(world, tmp_path):
    forged = json.loads((world / "out" / "report.json").read_text())
    del forged["sha256"]
    forged["channels"]["what the files say"]["manifests"]["trusted"] = 10
    forged["propositions"][0] = "somebody else made the images"
    forged["sha256"] = canonical_digest(forged)
    (tmp_path / "forged.json").write_text(json.dumps(forged))
    done = run("report", "reproduce", tmp_path / "forged.json")
    assert done.exit_code == 3
    assert "channels.what the files say.manifests.trusted" in done.stdout
    assert "propositions" in done.stdout


def test_order_of_enrolling_changes_nothing(world, tmp_path, small_model):
    galleries = []
    for order in (list(GRAINS), list(GRAINS)[::-1]):
        gallery = tmp_path / f"{order[0]}.sqlite"
        for name in order:
            paths = sorted((world / "known" / name).iterdir(), reverse=order[0] != "a")
            for half in (paths[:12], paths[12:]):
                Gallery(gallery, small_model).enroll(half, name, originals=False)
        galleries.append(gallery)
    run("attribute", world / "probe", "--gallery", galleries[0], "--no-conditions", "--report", tmp_path / "r.html")
    assert run("report", "reproduce", tmp_path / "r.json", "--gallery", galleries[1]).exit_code == 0


@pytest.mark.parametrize("of", ["probe", "gallery"])
def test_of_an_upload_it_asks_where_things_lie(world, tmp_path, of):
    record = json.loads((world / "out" / "report.json").read_text())
    del record["sha256"]
    record["inputs"] |= {"probe": None} if of == "probe" else {"known": None, "gallery": None}
    record["sha256"] = canonical_digest(record)
    (tmp_path / "r.json").write_text(json.dumps(record))
    done = run("report", "reproduce", tmp_path / "r.json")
    assert done.exit_code == 1
    assert f"say where the {of} lies with --{of}" in done.stderr
