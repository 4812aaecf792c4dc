"""The page of a sorted pile: a sheet of each group, bounded however large the pile, readable anywhere."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from genprint.answers.sorting import Sorted
from genprint.images.sets import ImageSet
from genprint.report import page as pages
from genprint.report.blocks import Sheet, Table
from genprint.report.figures import map_figure, themed_svg
from genprint.report.sorting import MOST, MOST_IN_ALL, most_each, nearest, sections, shown, verdict
from genprint.report.thumbnails import SIDE, thumbnails
from tests.browser import browser, in_browser
from tests.conftest import encoded
from tests.report.test_page import Tags, check
from tests.sorting import by_hand, levels, sort_by_level

__all__ = ["browser"]


@pytest.fixture
def pile(tmp_path, rng):
    """Three groups and a stray, in files."""
    (tmp_path / "pile").mkdir()
    for level, count in ((20, 6), (100, 5), (180, 4), (140, 1)):
        for i, pixels in enumerate(levels(rng, level, count)):
            Image.fromarray(pixels).save(tmp_path / "pile" / f"{level}-{i}.png")
    (tmp_path / "pile" / "notes.txt").write_text("no image")
    return tmp_path / "pile"


def sheets(result):
    return [block for one in sections(result, {}) for block in one.blocks if isinstance(block, Sheet)]


def test_the_page_shows_all_of_a_small_pile(pile, tmp_path):
    result = sort_by_level(pile)
    result.save(tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text()
    found = check(page)
    pictures = [attributes for tag, attributes in found.seen if tag == "img"]
    assert len(pictures) == 1 + 16  # the map, and each image
    for wanted in ("<h1>3 groups</h1>", "group 1: 6 images", "Strays", "notes.txt", "Levels alone were looked at."):
        assert wanted in page
    places = [page.index(text) for text in ("<h1>", "The map", "The groups", "group 1: 6 images", "<h2>Strays")]
    assert places == sorted(places)


def test_known_groups_say_what_was_found_and_unknown_ones_that_they_may_not_be_real(pile):
    head = verdict(sort_by_level(pile, known="known"))
    assert head.title == "3 groups, 1 of known sources"
    text = pages.render(sort_by_level(pile, known="known"))
    assert "Attributed to bright (by its level)." in text
    assert "does not mean real" in text
    assert "no known sources to compare" not in text
    assert "no known sources to compare" in pages.render(sort_by_level(pile))


@pytest.mark.parametrize(("groups", "each"), [(1, 20_000), (400, 50), (5000, 4), (3, 10)])
def test_pages_show_no_more_than_they_bear(groups, each):
    result = by_hand(groups, each, strays=500)
    assert len(shown(result)) <= MOST_IN_ALL
    assert most_each(result) == (MOST if groups in (1, 3) else MOST_IN_ALL // (groups + 1))


@pytest.mark.parametrize(("groups", "each"), [(1, 2000), (30, 50), (3, 10)])
def test_sheets_say_how_many_they_do_not_show(groups, each):
    result = by_hand(groups, each, strays=500)
    made = sheets(result)
    assert len(made) == groups + 1
    for sheet, count in zip(made, [*[each] * groups, 500], strict=True):
        assert len(sheet.first) + sheet.more + len(sheet.last) == count
    assert [one.name for sheet in made for one in (*sheet.first, *sheet.last)] == shown(result)


def test_a_large_pile_has_a_page_of_a_few_megabytes(rng):
    """By the largest thumbnails there are: noise."""
    one, *_ = thumbnails(ImageSet.of(rng.integers(0, 256, (1, SIDE, SIDE, 3), np.uint8), "n"), ["n[0]"]).values()
    assert MOST_IN_ALL * len(one) < 16e6
    plain, *_ = thumbnails(ImageSet.of(levels(rng, 100, 1, side=300), "n"), ["n[0]"]).values()
    assert MOST_IN_ALL * len(plain) < 8e6
    svg = themed_svg(map_figure(by_hand(4, 5000)))
    assert len(svg) < 1e6


def test_of_a_large_group_the_least_sure_are_shown_at_the_end():
    result = by_hand(1, 300)
    sheet, _ = sheets(result)
    images = result.groups[0].images
    assert (len(sheet.first), sheet.more, len(sheet.last)) == (45, 240, 15)
    assert [one.name for one in sheet.last] == [one.image for one in images[-15:]]
    assert "and 240 more; at the end, the least sure:" in pages.render(result)


def test_many_groups_are_searched_and_folded():
    few, many = (sections(by_hand(groups, 3), {}) for groups in (4, 40))
    assert not any(one.folded for one in few)
    assert sum(one.folded for one in many) == 41
    (table,) = (block for one in many for block in one.blocks if isinstance(block, Table))
    assert table.searched


def test_whether_groups_are_one_is_said_with_how_sure():
    group = by_hand(2, 3).groups[0]
    assert nearest(group) == ""
    assert nearest(replace(group, nearest="group 2", llr=np.log(20))) == (
        "may be one with group 2: moderate support for it, likelihood ratio 20"
    )
    assert "moderate support against one source" in nearest(replace(group, nearest="group 2", llr=-np.log(20)))


def test_nothing_is_empty_where_there_is_nothing():
    empty = by_hand(0, 0, 0)
    assert "No group was found" in pages.render(empty)
    assert "Strays" not in pages.render(empty)
    found = Tags(pages.render(by_hand(0, 0, 3)))
    assert [tag for tag, _ in found.seen].count("ul") == 1


def test_names_are_text_and_what_is_gone_is_named(pile):
    result = sort_by_level(pile)
    (pile / "20-0.png").unlink()
    evil = "<img src=x onerror=alert(1)>"
    result = replace(result, groups=(replace(result.groups[0], name=evil, nearest=evil), *result.groups[1:]))
    page = pages.render(replace(result, strays=(Sorted(evil, "0", 0.5, (0.0, 0.0)),)))
    check(page)
    assert "<img src=x" not in page
    assert "20-0.png</code>" in page


def test_thumbnails_are_small_and_stand_as_their_files_say(tmp_path, rng):
    large = Image.fromarray(rng.integers(0, 256, (400, 200, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    contents = {
        "turned.jpg": encoded(large, "JPEG", exif=exif.tobytes()), "grey.png": encoded(large.convert("L")),
        "palette.png": encoded(large.quantize(8)), "alpha.png": encoded(large.convert("RGBA")), "bad.png": b"nothing",
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    images = ImageSet.read(tmp_path)
    made = thumbnails(images, [str(tmp_path / name) for name in contents] + ["never there"])
    sizes = {
        name.rpartition("/")[2]: Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).size
        for name, uri in made.items()
    }
    assert sizes.pop("turned.jpg") == (SIDE, SIDE // 2)
    assert sizes == dict.fromkeys(("grey.png", "palette.png", "alpha.png"), (SIDE // 2, SIDE))


@in_browser
def test_the_page_fits_a_phone_and_asks_nobody(pile, browser, tmp_path):
    result = sort_by_level(pile, known="known")
    long = replace(result.groups[1], name="n" * 200)
    replace(result, pile="p" * 200, groups=(result.groups[0], long, *result.groups[2:])).save(tmp_path / "p.html")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    asked = []
    page.on("request", lambda request: asked.append(request.url.split(":")[0]))
    page.goto((tmp_path / "p.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.evaluate("document.querySelectorAll('img').forEach(one => { one.loading = 'eager' })")
    page.wait_for_function("[...document.images].every(one => one.naturalWidth > 0)")
    assert asked.count("file") == 1
    assert set(asked) <= {"file", "data"}
