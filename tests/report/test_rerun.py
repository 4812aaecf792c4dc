"""Old cases asked again."""

import csv
import json
import shutil

import pytest

from genprint.report.record import RecordError, sealed
from genprint.report.rerun import read
from tests.report.conftest import run


@pytest.fixture
def case(world, tmp_path):
    """The log of one attribution, its probe, and a gallery of the same sources."""
    shutil.copytree(world / "probe", tmp_path / "probe")
    run("enroll-all", world / "known", "--gallery", tmp_path / "g.sqlite")
    options = ("--no-conditions", "--log", tmp_path / "log.jsonl")
    done = run("attribute", tmp_path / "probe", "--gallery", tmp_path / "g.sqlite", *options)
    assert done.exit_code == 0, done.output
    return tmp_path


def again(case, *more):
    done = run("report", "rerun", case / "log.jsonl", case / "g.sqlite", "--json", *more)
    return done.exit_code, json.loads(done.stdout)


def test_a_gallery_that_is_as_it_was_gives_the_answers_of_then(case):
    code, found = again(case)
    assert code == 0
    assert found["outcomes"] == {"same": 1, "changed": 0, "skipped": 0, "error": 0}
    (one,) = found["cases"]
    assert one["differs"] == one["detail"] == ""
    assert one["then"] == one["now"]
    assert one["now"]["source"] == "c"


def test_answers_that_changed_are_told_with_what_changed(case):
    run("remove", "c", "--gallery", case / "g.sqlite")
    code, found = again(case, "--csv", case / "t.csv")
    assert code == 3
    assert found["why"] == {"another gallery": 1}
    (one,) = found["cases"]
    assert one["detail"] == "1 source gone: c"
    assert one["now"]["source"] != "c"
    with (case / "t.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["outcome"], row["then"], row["differs"]) == ("changed", "attributed to c", "another gallery")
    said = run("report", "rerun", case / "log.jsonl", case / "g.sqlite").stdout
    assert "attributed to c (llr" in said
    assert "1 case: 1 changed; changed with another gallery: 1" in said


def test_probes_that_are_gone_or_changed_are_skipped_and_told(case):
    log = (case / "log.jsonl").read_text()
    entry = json.loads(log)["entry"]
    upload = {**entry, "inputs": {**entry["inputs"], "probe": None}}
    (case / "cases.json").write_text(json.dumps([entry, sealed({k: v for k, v in upload.items() if k != "sha256"})]))
    shutil.copy(case / "probe" / "000.png", case / "000.png")
    (case / "probe" / "000.png").unlink()
    done = run("report", "rerun", case / "cases.json", case / "g.sqlite", "--json")
    assert done.exit_code == 1  # none could be asked
    details = [one["detail"] for one in json.loads(done.stdout)["cases"]]
    assert "1 of 10 are gone or changed, 0 are new" in details[0]
    assert "not asked of one path" in details[1]
    shutil.move(case / "000.png", case / "probe" / "000.png")
    assert run("report", "rerun", case / "cases.json", case / "g.sqlite").exit_code == 0
    assert run("report", "rerun", case / "cases.json", case / "g.sqlite", "--strict").exit_code == 1
    shutil.rmtree(case / "probe")
    assert "not there any more" in run("report", "rerun", case / "cases.json", case / "g.sqlite").stdout


def test_a_probe_that_was_enrolled_since_is_an_error(case):
    run("enroll", "probe", case / "probe", "--gallery", case / "g.sqlite")
    code, found = again(case)
    assert code == 1
    assert "all 10 images are enrolled themselves" in found["cases"][0]["detail"]


def test_what_was_changed_or_is_no_case_is_refused(case):
    log = (case / "log.jsonl").read_text()
    record = json.loads(log)["entry"]
    for text, message in (
        (log.replace('"attributed"', '"unknown"'), "line 1 was changed"),
        (json.dumps({**record, "written": "2020"}), "case 1 was changed"),
        ("[]", "no case in it"),
        ("{}", "case 1 is no report"),
        ("probe", "neither a log"),
    ):
        (case / "bad.jsonl").write_text(text)
        done = run("report", "rerun", case / "bad.jsonl", case / "g.sqlite")
        assert done.exit_code == 1
        assert message in done.stderr


def test_records_are_read_one_a_line_too(case, world):
    record = json.loads((world / "out" / "report.json").read_text())
    (case / "lines.jsonl").write_text(f"{json.dumps(record)}\n{json.dumps(record)}\n")
    assert read(case / "lines.jsonl") == [record, record]
    with pytest.raises(RecordError, match="cannot be read"):
        read(case / "none.jsonl")
