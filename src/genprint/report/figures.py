"""Pictures: trees, contact sheets, average residuals and spectra. Figures never touch a display."""

from __future__ import annotations

import base64
import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, NullLocator

from genprint.answers.families import MOST_DRAWN, SUPPORTED, TOP, FamilyTree
from genprint.answers.results import plain_text
from genprint.answers.sorting import Sorting
from genprint.fingerprints.residuals import high_pass, log_spectrum, to_pixels
from genprint.scoring.likelihood_ratio import LikelihoodRatio
from genprint.storage.files import write_atomically

# What is read on white; on black, what _THEME has for it.
_MARK, _LINE = "#c2410c", "#2f6fde"
_PHONE, _LONGEST = 4.4, 24  # inches, and letters of a name: so wide, a picture can be read on a phone
_NAMED = 12  # groups of a map, the first ones
_DOTS = 2000  # from which on shapes would be megabytes
# Black, white and these colours follow the reader's system, also where a page shows the picture as an image. SVG leaves
# black out where a shape is filled with it, so that it is inherited.
_FOLLOW = {"#000000": "var(--ink)", "#ffffff": "var(--paper)", _MARK: "var(--mark)", _LINE: "var(--line)"}
_LIGHT = f"svg {{ --ink: #1c1e21; --paper: #fff; --mark: {_MARK}; --line: {_LINE}; fill: var(--ink) }}"
_DARK = "svg { --ink: #e6e6e3; --paper: #1d1f23; --mark: #ffa066; --line: #7aa7ff }"
_THEME = f"<style>{_LIGHT} @media screen and (prefers-color-scheme: dark) {{ {_DARK} }}</style>"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def tree_figure(
    tree: FamilyTree, narrow: bool = False, marked: str | None = None, supported: float = SUPPORTED
) -> Figure:
    """The dendrogram, as tall as it has leaves; narrow for a phone; perhaps with one leaf marked.

    Branches with less support than ``supported`` are grey.
    """
    leaves = len(tree.sources) if len(tree.sources) <= MOST_DRAWN else TOP
    figure = new_figure(_PHONE if narrow else 8, 1.2 + 0.28 * leaves)
    ax = tree.plot(figure.subplots(), supported)
    names = [label.get_text() for label in ax.get_yticklabels()]
    if narrow:
        ax.set_xlabel(textwrap.fill(ax.get_xlabel(), 28))
        ax.set_yticks(ax.get_yticks(), [_shortened(name) for name in names])
    for name, label in zip(names, ax.get_yticklabels(), strict=True):
        if marked and name == plain_text(marked):
            label.set(color=_MARK, fontweight="bold")
    return figure


def _shortened(name: str) -> str:
    """A name without its middle, if it is long."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST // 2]} ... {name[-_LONGEST // 2 :]}"


def ratio_figure(ratio: LikelihoodRatio) -> Figure:
    """The likelihood ratio by number of images, between the least and the most that so many sources can show."""
    figure = new_figure(_PHONE, 2.9)
    ax = figure.subplots()
    sizes = list(ratio.by_images)
    # None, of a single image's interval, becomes NaN, which is not drawn.
    values, lows, highs = np.array(list(ratio.by_images.values()), float).T
    ax.vlines(sizes, lows, highs, color=_LINE, alpha=0.35, linewidth=5, clip_on=False, zorder=3)
    ax.plot(sizes, values, "o-", color=_LINE, clip_on=False, zorder=4)
    ax.axhline(0, color="#808080", linewidth=0.8)
    most = f"{math.exp(ratio.cap):.0f}"
    for side in ("top", "bottom"):
        ax.spines[side].set(color=_MARK, linestyle=(0, (5, 3)))
    ax.set_title(f"dashed: the most and the least that {most} sources can show", fontsize=9, color=_MARK, loc="right")
    ax.spines["right"].set_visible(False)
    ax.set(xscale="log", xlabel="images", ylabel="likelihood ratio", ylim=(-ratio.cap, ratio.cap))
    ax.set_yticks([-ratio.cap, 0, ratio.cap], [f"1/{most}", "1", most])
    ax.xaxis.set_major_locator(FixedLocator(sizes))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([str(size) for size in sizes])
    return figure


def to_bytes(figure: Figure, kind: str = "png") -> bytes:
    """The figure as a file of that kind; text in an SVG stays text."""
    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "none"}):
        figure.savefig(buffer, format=kind, dpi=110)
    return buffer.getvalue()


def themed_svg(figure: Figure, text: bool = False) -> str:
    """The figure as an SVG that is light or dark as the reader's system is; with texts as texts, or as shapes."""
    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none" if text else "path", "svg.hashsalt": "genprint"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    for colour, variable in _FOLLOW.items():
        svg = svg.replace(colour, variable)
    return svg.replace("<defs>", f"{_THEME}<defs>", 1)


def themed(figure: Figure) -> str:
    """The same as an address that a page can hold in itself."""
    return "data:image/svg+xml;base64," + base64.b64encode(themed_svg(figure).encode()).decode()


def save_tree(tree: FamilyTree, folder: Path, supported: float = SUPPORTED) -> None:
    """Writes tree.png, tree.svg and tree.newick; see ``tree_figure``."""
    figure = tree_figure(tree, supported=supported)
    for kind in ("png", "svg"):
        write_atomically(folder / f"tree.{kind}", to_bytes(figure, kind))
    write_atomically(folder / "tree.newick", (tree.newick() + "\n").encode())


def trace_figure(images: Mapping[str, np.ndarray], shown: int = 6, narrow: bool = False) -> Figure:
    """A row for each source: some images, the average high-pass residual (+-4 levels), the average log spectrum.

    Args:
        images: uint8 ``(n, h, w, 3)`` of each source, all of one size.
        shown: images of each source, at most.
        narrow: for a phone: names stand above the rows, not beside them.
    """
    shown = min(shown, max(map(len, images.values())))
    side = _PHONE / 6 if narrow else 1.1
    width, height = (side * (shown + 2), side + 0.3) if narrow else (side * (shown + 2) + 1.5, side + 0.05)
    figure = new_figure(width, height * len(images) + 0.3)
    axes = figure.subplots(len(images), shown + 2, squeeze=False)
    # Of a phone's, the images come last, so that a set of one leaves no gap.
    first, traces = (2, (0, 1)) if narrow else (0, (shown, shown + 1))
    for row, (name, levels) in zip(axes, images.items(), strict=True):
        pixels = to_pixels(levels)
        of_images = row[first : first + shown]
        for ax, image in zip(of_images, levels[:shown], strict=False):
            ax.imshow(image)
        for ax in of_images[len(levels) :]:
            ax.set_axis_off()
        residual = high_pass(pixels).mean(0).permute(1, 2, 0).numpy()
        row[traces[0]].imshow((residual / 8 + 0.5).clip(0, 1))
        row[traces[1]].imshow(log_spectrum(pixels).mean((0, 1)).numpy(), cmap="magma", vmin=0, vmax=8)
        if narrow:
            row[0].set_title(plain_text(name), loc="left", fontsize=9)
        else:
            row[0].set_ylabel(plain_text(name), rotation=0, ha="right", va="center")
        for ax in row:
            ax.set_xticks([])
            ax.set_yticks([])
    for column, what in zip(traces, ("residual", "spectrum"), strict=True):
        if narrow:
            axes[-1][column].set_xlabel(what, fontsize=9)
        else:
            axes[0][column].set_title(what, fontsize=9)
    return figure


def data_uri(figure: Figure) -> str:
    """The figure as a PNG that a page can hold in itself."""
    return "data:image/png;base64," + base64.b64encode(to_bytes(figure)).decode()


def error_rates_figure(curves: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """Rates of known probes not attributed right against those of unknown probes attributed."""
    figure = new_figure(5, 4)
    ax = figure.subplots()
    for name, curve in curves.items():
        ax.step(*zip(*curve, strict=True), where="post", label=plain_text(name))
    ax.set(xlabel="unknown probes attributed (FPIR)", ylabel="known probes not attributed right (FNIR)", ylim=(0, 1))
    ax.legend()
    return figure


def map_figure(result: Sorting) -> Figure:
    """The map of a sorted pile: each group's name stands in its middle, where there are not too many of them."""
    figure = new_figure(_PHONE, _PHONE)
    ax = result.plot(figure.subplots())
    if sum(len(group.images) for group in result.groups) + len(result.strays) > _DOTS:
        figure.set_dpi(200)
        ax.set_rasterization_zorder(1.5)  # dots, all in one picture; names are above
    for group in result.groups[:_NAMED]:
        x, y = np.array([one.at for one in group.images]).T
        place = (np.median(x), np.quantile(y, 0.9))
        name = ax.annotate(
            plain_text(_shortened(group.name)), place, (0, 3), textcoords="offset points", ha="center", fontsize=8
        )
        name.set_path_effects([withStroke(linewidth=3, foreground="#ffffff")])  # so that it is read upon dots
    return figure
