"""How counts and names are said."""

from dataclasses import dataclass, field

import pytest

from genprint.words import all_printable, counted, printable


@dataclass(frozen=True)
class Said:
    names: tuple[str, ...]
    about: dict[str, list[str]]
    aside: str = field(default="", metadata={"aside": True})


@pytest.mark.parametrize(
    ("count", "words", "said"),
    [
        (0, ("image",), "0 images"),
        (1, ("image",), "1 image"),
        (2, ("image",), "2 images"),
        (1, ("entry", "entries"), "1 entry"),
        (3, ("entry", "entries"), "3 entries"),
    ],
)
def test_numbers_agree(count, words, said):
    assert counted(count, *words) == said


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Bäume 木 🎄.png", "Bäume 木 🎄.png"),
        ("zero\x1b[31mX.png", r"zero\x1b[31mX.png"),
        ("a\nb\tc", r"a\nb\tc"),
        ("gnp\u202e.exe", r"gnp\u202e.exe"),
        ("\udcff.png", r"\udcff.png"),  # a name that is no UTF-8
        ("\x9b31m", r"\x9b31m"),
    ],
)
def test_nothing_in_a_name_acts(name, shown):
    assert printable(name) == shown


def test_what_is_to_be_kept_is():
    assert printable("a\n\x07", keep="\n") == "a\n\\x07"


def test_all_names_of_an_answer_are_shown():
    said = all_printable(Said(("a\x1b", "b"), {"c\n": ["d\r"]}, "e\x1b"))
    assert said == Said(("a\\x1b", "b"), {"c\\n": ["d\\r"]}, "e\x1b")
