"""Figures of pages: fixed limits, nothing empty, readable on a phone, black and white as the reader's system has it."""

import base64
import math

import numpy as np
import pytest

from genprint.answers.families import FamilyTree
from genprint.report.figures import ratio_figure, themed, themed_svg, trace_figure, tree_figure
from genprint.scoring.likelihood_ratio import LikelihoodRatio


def ratio(*values, cap=math.log(8)):
    by_images = {size: (value, None, None) for size, value in zip((1, 2, 5, 10), values, strict=False)}
    return LikelihoodRatio("hp", "hd", values[-1], None, None, cap, 8, 10, by_images)


@pytest.mark.parametrize("values", [(0.90299, 0.90301), (2.0, -2.0), (math.log(8), math.log(8), math.log(8))])
def test_the_ratio_is_drawn_between_the_least_and_the_most_that_its_sources_can_show(values):
    (ax,) = ratio_figure(ratio(*values)).axes
    assert ax.get_ylim() == (-math.log(8), math.log(8))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1/8", "1", "8"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "2", "5"][: len(values)]
    assert "the most and the least that 8 sources can show" in ax.get_title("right")
    (line,) = (line for line in ax.lines if len(line.get_xdata()) == len(values) and line.get_marker() == "o")
    assert list(line.get_ydata()) == list(values)


def test_traces_of_one_image_have_no_empty_boxes(rng):
    levels = rng.integers(0, 256, (1, 16, 16, 3)).astype(np.uint8)
    for narrow in (False, True):
        figure = trace_figure({"probe": levels}, narrow=narrow)
        assert len(figure.axes) == 3
        assert all(ax.images for ax in figure.axes)
    many = rng.integers(0, 256, (9, 16, 16, 3)).astype(np.uint8)
    empty = [ax for ax in trace_figure({"probe": levels, "known": many}).axes if not ax.images]
    assert empty
    assert not any(ax.axison for ax in empty)


def test_black_and_white_follow_the_system_and_nothing_else_does(rng):
    figure = ratio_figure(ratio(1.0, 2.0))
    for text in (False, True):
        svg = themed_svg(figure, text)
        assert "prefers-color-scheme: dark" in svg
        assert "#000000" not in svg
        assert svg.count("var(--ink)") > 3
        assert ("<text" in svg) == text
        assert themed_svg(figure, text) == svg  # the same each time
    uri = themed(figure)
    assert base64.b64decode(uri.removeprefix("data:image/svg+xml;base64,")).startswith(b"<?xml")


def test_a_probe_is_marked_in_a_tree_and_long_names_leave_room_for_it():
    names = ("a", "n" * 200, "probe: p")
    tree = FamilyTree(names, np.zeros((3, 3)), np.array([[1, 2, 1, 2], [0, 3, 2, 3]], float), "average")
    labels = tree_figure(tree, narrow=True, marked="probe: p").axes[0].get_yticklabels()
    assert [label.get_text() for label in labels if label.get_fontweight() == "bold"] == ["probe: p"]
    assert max(len(label.get_text()) for label in labels) < 30
    assert names[1] in [label.get_text() for label in tree_figure(tree).axes[0].get_yticklabels()]
