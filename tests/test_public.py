"""The public names: all are there, are what they say, and cost nothing before they are used."""

import ast
import inspect
import subprocess
import sys
import textwrap

import pytest

import genprint


@pytest.mark.parametrize("name", genprint.__all__)
def test_every_public_name_is_there(name):
    assert getattr(genprint, name) is not None
    assert name in dir(genprint)


def test_public_names_are_listed_once_and_in_order():
    assert genprint.__all__ == sorted(genprint.__all__)
    assert len(set(genprint.__all__)) == len(genprint.__all__)
    assert set(genprint._HOME) | {"__version__"} == set(genprint.__all__)


def test_what_type_checkers_see_is_what_there_is():
    source = inspect.getsource(genprint)
    seen = textwrap.dedent(source[source.index("if TYPE_CHECKING:") : source.index("def __getattr__")])
    nodes = [node for node in ast.walk(ast.parse(seen)) if isinstance(node, ast.ImportFrom)]
    imports = {node.module: {one.name for one in node.names} for node in nodes}
    for name, home in genprint._HOME.items():
        assert name in imports[home]


@pytest.mark.parametrize("name", [name for name in genprint.__all__ if callable(getattr(genprint, name))])
def test_every_public_callable_says_what_it_is(name):
    assert inspect.getdoc(getattr(genprint, name))


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        genprint.nothing  # noqa: B018
    assert not hasattr(genprint, "torch")


def test_questions_are_asked_alike():
    """What all questions take is called the same, and given by name."""
    for name in ("attribute", "verify", "mixture", "lineage", "families"):
        parameters = inspect.signature(getattr(genprint, name)).parameters
        by_name = {key for key, one in parameters.items() if one.kind is inspect.Parameter.KEYWORD_ONLY}
        assert {"model", "progress"} <= by_name, name


def test_importing_it_loads_no_torch():
    code = "import sys, genprint, genprint.cli; print(genprint.__version__, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [genprint.__version__, "False"]


def test_packages_export_what_they_say():
    from importlib import import_module

    for name in ("images", "scoring", "gallery", "evaluation", "generators"):
        package = import_module(f"genprint.{name}")
        for exported in getattr(package, "__all__", []):
            assert hasattr(package, exported), f"genprint.{name}.{exported}"


def test_a_moved_module_does_not_hide_the_function_of_its_name(golden_images, small_model):
    import importlib

    importlib.import_module("genprint.families")
    sources = {name: golden_images[name][:8] for name in ("vae-conv-s0", "gan-dcgan-s0")}
    assert genprint.families(sources, model=small_model).newick().endswith(";")
    with pytest.warns(DeprecationWarning, match=r"genprint\.answers\.families"):
        from genprint.families import FamilyTree
    assert FamilyTree is genprint.FamilyTree


@pytest.mark.parametrize(
    ("old", "name"),
    [
        ("fingerprint", "Fingerprinter"), ("attribution", "Identifier"), ("histories", "HISTORIES"), ("plda", "PLDA"),
        ("calibration", "upper_threshold"), ("methods", "METHODS"), ("methods.set_encoder.encoder", "SetEncoder"),
        ("gallery", "Gallery"),
    ],
)  # fmt: skip
def test_moved_paths_warn(old, name):
    import importlib

    module = importlib.import_module(f"genprint.{old}")
    with pytest.warns(DeprecationWarning, match="leaves genprint"):
        assert getattr(module, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        module.nothing  # noqa: B018
