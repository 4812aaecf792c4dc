"""Results: whatever is answered can be written down, drawn and shown."""

import dataclasses
import json
import pickle

import numpy as np
import pytest
from matplotlib.figure import Figure

from genprint.answers.attribution import Identifier
from genprint.answers.audit import Audit, audit
from genprint.answers.families import FamilyTree
from genprint.answers.gallery_audit import GalleryAudit, audit_gallery
from genprint.answers.lineage import Lineage, lineage
from genprint.answers.mixture import Mixture, unmix
from genprint.answers.pile import sort_pile
from genprint.answers.results import ERROR, Attribution, Result, failed, plain_text, plain_values
from genprint.answers.sorting import Sorting
from genprint.answers.structure import Structure, Trait
from genprint.answers.verification import Verification, verify
from genprint.images.sets import ImageSet, LeftOut
from genprint.scoring.population import ReferencePopulation
from genprint.scoring.structure import JPEG
from tests.conftest import drawn_digests, given, model_of_sources, textured

SIZE = 4
KINDS = (
    "attributed", "unknown", "error", "inconclusive", "verified", "verified, nothing said", "mixed", "single",
    "lineage", "tree", "tree with support", "audit", "gallery audit", "sorting", "structure",
)  # fmt: skip


@pytest.fixture(scope="module")
def results():
    """One of each kind, of sources with names that need care."""
    rng = np.random.default_rng(0)
    model = model_of_sources(25 * np.eye(SIZE))
    centres = {name: 5 * rng.normal(size=SIZE) for name in ("a $x_1$", "<b>", "c & d", "e", "f")}

    def source(name, centre, images=30):
        return given(centre + rng.normal(size=(images, SIZE)), name, drawn_digests(rng, images))

    known = {name: source(name, centre) for name, centre in centres.items()}
    identifier = Identifier(model, known, rate=0.2)
    population = ReferencePopulation.fit(model.plda, known, "five <made-up> sources")
    few = ReferencePopulation.fit(model.plda, {name: own[[0, 1]] for name, own in known.items()}, "of two images each")
    probe = source("probe <1>", centres["a $x_1$"], 10)
    probe = dataclasses.replace(probe, left_out=(LeftOut("bad.png", "not an image"),))
    other = source("other", centres["e"], 12)
    sets = [ImageSet.from_array(textured(rng, 3, grain=grain), f"${grain}$") for grain in (3.0, 30.0)]
    return {
        "attributed": identifier.identify(probe),
        "unknown": identifier.identify(source("far", centres["e"] + 40, 10)),
        "error": failed("probe", "no such file"),
        "inconclusive": Identifier(model, dict(list(known.items())[:2])).identify(probe, grown=False),
        "verified": verify(model, probe, other, population),
        "verified, nothing said": verify(model, probe, source("far", centres["e"] + 40, 10), few),
        "mixed": unmix(model, known, probe + other, draws=20),
        "single": unmix(model, known, probe, draws=20),
        "lineage": lineage(model, probe, known["<b>"], [known["e"], known["f"]], draws=20),
        "tree": FamilyTree.of(model.scorer, list(known.values())),
        "tree with support": FamilyTree.of(model.scorer, list(known.values()), support=3),
        "audit": audit(sets),
        "gallery audit": audit_gallery(model, list(known.values())),
        "sorting": sort_pile(model, probe + other + known["c & d"], None),
        "structure": Structure("probe <1>", 10, (Trait(JPEG, "unknown", {"no": 0.8, "yes": 0.2}),)),
    }


def test_every_class_of_results_is_here(results):
    assert set(results) == set(KINDS)
    assert {type(result) for result in results.values()} == set(Result.__subclasses__())
    assert set(Result.__subclasses__()) == {
        Attribution, Verification, Mixture, Lineage, FamilyTree, Audit, GalleryAudit, Sorting, Structure
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_written_whole_as_json(results, kind):
    result = results[kind]
    written = result.to_dict()
    assert json.loads(json.dumps(written, allow_nan=False)) == json.loads(result.to_json())
    shown = {f.name for f in dataclasses.fields(result) if not f.metadata.get("aside")}
    assert shown <= set(written)
    assert "asked" not in written


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_a_sentence(results, kind):
    result = results[kind]
    assert isinstance(result.verdict, str)
    assert result.verdict.strip()
    html = result._repr_html_()
    assert "<b>" not in html  # names are no markup
    assert "<1>" not in html


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_drawn(results, kind):
    ax = Figure().subplots()
    assert results[kind].plot(ax) is ax
    ax.figure.canvas.draw()
    if kind != "error":  # of which there is nothing to draw
        assert ax.has_data()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_frozen_and_survives_pickling(results, kind):
    result = results[kind]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(result, dataclasses.fields(result)[0].name, None)
    assert pickle.loads(pickle.dumps(result)).to_json() == result.to_json()


def test_names_are_drawn_as_they_are(results):
    ax = results["attributed"].plot(Figure().subplots())
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert plain_text("a $x_1$") in labels
    assert plain_text("a $x_1$") == r"a \$x_1\$"


def test_what_could_not_be_used_is_told(results):
    for kind in ("attributed", "verified", "mixed"):
        assert [left.name for left in results[kind].left_out] == ["bad.png"]
        assert results[kind].to_dict()["left_out"] == [{"name": "bad.png", "reason": "not an image"}]


def test_a_probe_that_could_not_be_read_has_an_answer_too():
    result = failed("probe", "no such file")
    assert (result.decision, result.source, result.llr, result.evidence) == (ERROR, None, None, None)
    assert result.verdict == "probe: error (no such file)"


def test_plain_values_of_values_within_values():
    @dataclasses.dataclass(frozen=True)
    class Inner:
        number: int
        hidden: int = dataclasses.field(default=0, metadata={"aside": True})

    assert plain_values({"a": (Inner(1), [Inner(2)]), "b": {"c": None}}) == {
        "a": [{"number": 1}, [{"number": 2}]], "b": {"c": None}
    }  # fmt: skip
