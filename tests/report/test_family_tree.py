"""The page of a family tree."""

import numpy as np
import pytest

from genprint.answers.families import FamilyTree
from genprint.report.family_tree import tree_page
from genprint.report.figures import themed_svg, tree_figure
from tests.report.test_page import check


@pytest.fixture
def tree(rng):
    """Three families of four, and one source alone."""
    points = np.concatenate([centre + rng.normal(0, 0.1, (4, 2)) for centre in ((0, 0), (9, 0), (0, 9))] + [[[70, 70]]])
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    return FamilyTree.build([f"<s{i}>" for i in range(13)], apart).with_support([apart, apart])


def test_it_says_who_is_in_one_family_and_how_sure_that_is(tree):
    page = tree_page(tree)
    check(page)
    assert "Family tree of 13 sources" in page
    for family in range(3):
        names = ", ".join(f"&lt;s{4 * family + i}&gt;" for i in range(4))
        assert names in page
    assert page.count("100 %") == 3
    assert "No kin at support 80 %: &lt;s12&gt;." in page
    assert "correlation of 0.9" in page
    assert "Added to" not in page


def test_without_support_no_branch_is_called_a_family(tree):
    page = tree_page(FamilyTree.build(list(tree.sources), tree.distances))
    check(page)
    assert "Drawn without support" in page
    assert "No kin" not in page


def test_what_was_added_is_said(tree):
    apart = np.pad(tree.distances, ((0, 1), (0, 1)), "edge")
    apart[:, -1], apart[-1] = apart[:, 0] + 0.01, apart[0] + 0.01
    apart[-1, -1] = 0
    page = tree_page(tree.adding(["new"], apart, [apart]))
    check(page)
    assert "stayed as it was: new." in page


def test_unsure_branches_are_grey(tree):
    other = tree.distances[:, order := np.random.default_rng(1).permutation(13)][order]
    unsure = tree.with_support([tree.distances, other])
    assert min(unsure.support) == 0.5
    assert "#909090" in themed_svg(tree_figure(unsure))
    assert "#909090" not in themed_svg(tree_figure(unsure, supported=0.5))
    assert "#909090" not in themed_svg(tree_figure(tree))
