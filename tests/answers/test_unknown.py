"""Unknown does not mean real: said beside that answer, and no other."""

import numpy as np
import pytest

import genprint
from genprint.answers.results import ATTRIBUTED, ERROR, INCONCLUSIVE, UNKNOWN
from genprint.answers.unknown import NOT_REAL, said_of_unknown
from genprint.cli import text
from tests.cli.conftest import write_sources
from tests.conftest import textured


@pytest.mark.parametrize("decision", [ATTRIBUTED, INCONCLUSIVE, ERROR])
def test_beside_other_answers_nothing_is_said(decision):
    assert said_of_unknown(decision) == ()


def test_text_json_and_report_of_an_unknown_probe_say_it(tmp_path, rng, small_model_folder):
    known = write_sources(tmp_path / "known", rng)
    probe = np.clip(textured(rng, 12, grain=4.0) // 2 + 120, 0, 255).astype(np.uint8)
    probe[:, ::2] = 255 - probe[:, ::2]  # stripes, as none of the known sources has
    answer = genprint.attribute(probe, known=known, model=genprint.load(small_model_folder))
    assert answer.decision == UNKNOWN
    assert NOT_REAL in answer.said
    assert NOT_REAL in text.attribution(answer)
    answer.save(tmp_path / "case.html")
    assert NOT_REAL in (tmp_path / "case.html").read_text()
    assert NOT_REAL in (tmp_path / "case.json").read_text()
