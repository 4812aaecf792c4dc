"""Pictures: trees, contact sheets, average residuals and spectra. Figures never touch a display."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from genprint.answers.families import MOST_DRAWN, TOP, FamilyTree
from genprint.answers.results import plain_text
from genprint.fingerprints.residuals import high_pass, log_spectrum, to_pixels
from genprint.storage.files import write_atomically


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def tree_figure(tree: FamilyTree) -> Figure:
    """The dendrogram, as tall as it has leaves."""
    leaves = len(tree.sources) if len(tree.sources) <= MOST_DRAWN else TOP
    figure = new_figure(8, 1.2 + 0.28 * leaves)
    tree.plot(figure.subplots())
    return figure


def to_bytes(figure: Figure, kind: str = "png") -> bytes:
    """The figure as a file of that kind; text in an SVG stays text."""
    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "none"}):
        figure.savefig(buffer, format=kind, dpi=110)
    return buffer.getvalue()


def save_tree(tree: FamilyTree, folder: Path) -> None:
    """Writes tree.png, tree.svg and tree.newick."""
    figure = tree_figure(tree)
    for kind in ("png", "svg"):
        write_atomically(folder / f"tree.{kind}", to_bytes(figure, kind))
    write_atomically(folder / "tree.newick", (tree.newick() + "\n").encode())


def trace_figure(images: Mapping[str, np.ndarray], shown: int = 6) -> Figure:
    """A row for each source: some images, the average high-pass residual (+-4 levels), the average log spectrum.

    Args:
        images: uint8 ``(n, h, w, 3)`` of each source, all of one size.
        shown: images of each source.
    """
    figure = new_figure(1.1 * (shown + 2) + 1.5, 1.15 * len(images) + 0.3)
    axes = figure.subplots(len(images), shown + 2, squeeze=False)
    for row, (name, levels) in zip(axes, images.items(), strict=True):
        pixels = to_pixels(levels)
        for ax, image in zip(row, levels[:shown], strict=False):
            ax.imshow(image)
        residual = high_pass(pixels).mean(0).permute(1, 2, 0).numpy()
        row[shown].imshow((residual / 8 + 0.5).clip(0, 1))
        row[shown + 1].imshow(log_spectrum(pixels).mean((0, 1)).numpy(), cmap="magma", vmin=0, vmax=8)
        row[0].set_ylabel(plain_text(name), rotation=0, ha="right", va="center")
        for ax in row:
            ax.set_xticks([])
            ax.set_yticks([])
    axes[0][shown].set_title("residual", fontsize=9)
    axes[0][shown + 1].set_title("spectrum", fontsize=9)
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
