"""Validation reports, and what reports of answers say of them."""

import json

import numpy as np
import pytest

from genprint.evaluation.gallery import Division, validate
from genprint.report.validation import page, record
from genprint.storage.files import canonical_digest
from tests.conftest import given, model_of_sources
from tests.report.conftest import run
from tests.report.test_page import check


@pytest.fixture(scope="module")
def validated(world, small_model_folder, tmp_path_factory):
    """A gallery of the five sources, asked about before it was validated and after."""
    root = tmp_path_factory.mktemp("validated")
    gallery, model = root / "g.sqlite", ("--model", small_model_folder)
    assert run("enroll-all", world / "known", "--gallery", gallery, *model).exit_code == 0
    run("attribute", world / "probe", "--gallery", gallery, "--report", root / "before.html", *model)
    done = run("evaluate", "gallery", gallery, "--size", "6,99", "--condition", "JPEG 75", "--most", 1, *model)
    assert done.exit_code == 0, done.output
    (root / "said.txt").write_text(done.stdout)
    run("attribute", world / "probe", "--gallery", gallery, "--report", root / "after.html", *model)
    return root


def test_the_record_is_sealed_and_says_what_it_is_of(validated, world):
    record = json.loads((validated / "g.sqlite.validation.json").read_text())
    rest = {name: value for name, value in record.items() if name != "sha256"}
    assert record["sha256"] == canonical_digest(rest)
    report = json.loads((validated / "after.json").read_text())
    assert record["model"] == report["model"]
    digests = {name: one["digest"] for name, one in record["covers"].items()}
    assert digests == {name: one["digest"] for name, one in report["known"].items()}
    assert record["covers"]["a"]["files"] == {"PNG": 24}
    cells = [(one["px"], one["condition"], one["images"]) for one in record["validation"]["rates"]]
    assert cells == [("17 to 32", name, 6) for name in ("original", "JPEG 75")]
    assert all(one["right"]["sets"] == 5 and not one["enough"] for one in record["validation"]["rates"])
    assert record["settings"]["seconds"] >= 0
    assert record["settings"]["peak memory, MiB"] > 100


def test_the_page_holds_all_it_shows(validated):
    page = (validated / "g.sqlite.validation.html").read_text()
    check(page)
    assert "too few to say" in page
    assert page.count("Tippett plot, and reliability") == 1
    assert "sets of 99 could not be asked" in page
    record = json.loads((validated / "g.sqlite.validation.json").read_text())
    assert record["sha256"] in page
    assert record["sha256"] in (validated / "said.txt").read_text()


def test_reports_of_answers_name_the_validation(validated):
    before, after = (json.loads((validated / f"{name}.json").read_text()) for name in ("before", "after"))
    record = json.loads((validated / "g.sqlite.validation.json").read_text())
    assert before["validation"] is None
    assert "not validated" in (validated / "before.html").read_text()
    assert after["validation"] == {"written": record["written"], "sha256": record["sha256"], "current": True}
    assert f"validated {record['written']} (SHA-256 {record['sha256']})" in (validated / "after.html").read_text()
    assert run("report", "reproduce", validated / "before.json").exit_code == 0


def test_another_ending_is_refused_before_anything_is_measured(validated):
    done = run("evaluate", "gallery", validated / "g.sqlite", "-o", validated / "page.pdf")
    assert done.exit_code == 1
    assert "ends in .html" in done.stderr


def test_what_ratios_are_worth_is_drawn_where_there_are_sources_enough(rng):
    model = model_of_sources(144 * np.eye(4))
    sources = {f"s{i}": given(rng.normal(rng.normal(0, 12, 4), 1, (24, 4)), f"s{i}") for i in range(8)}
    division = Division.of(sources)
    found = validate(model, division, division.deliveries(model, {}), [4], 0.1)
    shown = page(record(found, sources, model, {"gallery": "g.sqlite"}), found)
    check(shown)
    assert "Sets of 4: Tippett plot, and reliability at even prior" in shown
    assert shown.count("original, 4") == 2  # of answers, and of ratios
