"""The log, which shows what was changed in it."""

import json
import multiprocessing

import pytest

from genprint.report import log
from tests.report.conftest import run


def test_it_shows_every_change(tmp_path):
    path = tmp_path / "log.jsonl"
    for i in range(3):
        log.append(path, {"number": i})
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(log.check(path)) == 3
    assert run("report", "check-log", path).exit_code == 0
    for broken, where in (
        ([lines[0], lines[1].replace(b'"number": 1', b'"number": 7'), lines[2]], "line 2"),
        ([lines[0], lines[2]], "line 2"),
        ([lines[1], lines[0], lines[2]], "line 1"),
        ([lines[0], b"nonsense\n"], "line 2"),
        ([lines[0], lines[1][:40]], "cut off"),
        ([lines[0], lines[1][:-1]], "cut off"),
    ):
        path.write_bytes(b"".join(broken))
        with pytest.raises(log.LogError, match=where):
            log.check(path)
        with pytest.raises(log.LogError):
            log.append(path, {})
        assert path.read_bytes() == b"".join(broken)
        assert run("report", "check-log", path).exit_code == 1


def _write_many(path, writer):
    for i in range(10):
        log.append(path, {"writer": writer, "number": i})


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_several_writers_make_one_chain(tmp_path):
    path = tmp_path / "log.jsonl"
    context = multiprocessing.get_context("fork")  # for they write alone, and torch takes long to load
    writers = [context.Process(target=_write_many, args=(path, i)) for i in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert len(log.check(path)) == 30


def test_attributing_logs(world):
    (line,) = (world / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["entry"]["attribution"]["evidence"]["candidates"][0]["source"] == "c"
    whole = f"{world / 'log.jsonl'}: 1 entry, whole"
    for word in ("check-log", "log"):  # the second is of before 0.2
        assert run("report", word, world / "log.jsonl").stdout.startswith(whole)


def test_a_log_that_is_not_there(tmp_path):
    with pytest.raises(log.LogError, match="cannot be read"):
        log.check(tmp_path / "none.jsonl")
