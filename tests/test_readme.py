"""What the README says in Python runs."""

import re
from pathlib import Path

import pytest
from PIL import Image

import genprint

README = Path(__file__).parents[1] / "README.md"
SETS = {
    "models/a": ("vae-conv-s0", 0, 16), "models/b": ("gan-dcgan-s0", 0, 16), "models/c": ("flow-wavelet-s0", 0, 16),
    "suspicious": ("gan-dcgan-s0", 20, 32), "some": ("vae-conv-s0", 20, 30), "others": ("vae-conv-s0", 30, 40),
}  # fmt: skip


@pytest.fixture
def folders(tmp_path, monkeypatch, golden_images, small_model_folder):
    """The folders of the README, with images of shipped generators; the small model in place of the shipped one."""
    for folder, (source, first, last) in SETS.items():
        (tmp_path / folder).mkdir(parents=True)
        for i, pixels in enumerate(golden_images[source][first:last]):
            Image.fromarray(pixels).save(tmp_path / folder / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENPRINT_MODEL", str(small_model_folder))
    return tmp_path


def test_the_ten_lines_of_the_readme(folders):
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.S)
    names: dict = {}
    exec(block, names)
    answer = names["answer"]
    assert answer.evidence.candidates[0].source == "b"
    assert (folders / "report.html").read_text().startswith("<!doctype html>")
    assert len(genprint.open("gallery.sqlite")) == 3
    assert len([line for line in block.splitlines() if line and not line.startswith("import")]) <= 10


def test_every_command_of_the_readme_exists():
    from typer.testing import CliRunner

    from genprint.cli import app

    commands = set(re.findall(r"^    genprint ((?:(?:report|evaluate|generators) )?[a-z-]+)", README.read_text(), re.M))
    assert len(commands) > 20
    for command in commands:
        assert CliRunner().invoke(app, [*command.split(), "--help"]).exit_code == 0, command
