"""The page of a case, for people: question, answer, evidence, pictures, what was left out and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from genprint.answers.families import FamilyTree
from genprint.encoder.encoder import SetEncoder
from genprint.fingerprints.fingerprint import Features
from genprint.report import figures as plots
from genprint.report import html as report
from genprint.report.record import Look
from genprint.scoring.conditions import NONE


def page(case: Mapping[str, Any], looks: Mapping[str, Look], tree: FamilyTree | None) -> str:
    """HTML that holds all it shows.

    Args:
        looks: at the probe and the best candidate, by name, as far as their files were at hand.
        tree: of the known sources and the probe.
    """
    answer = case["attribution"]
    title = f"{answer['probe']}: {answer['answer']}{' to ' + answer['source'] if answer['source'] else ''}"
    parts = [
        f"<p>{escape(answer['reason'])}.</p>", *_question(case), *_evidence(answer), *_candidates(answer),
        *_files(case), *_manifest(case), *_pictures(looks), *_tree(tree), *_left_out(answer["left_out"]),
        *_provenance(case),
    ]  # fmt: skip
    return report.page(title, parts)


def _question(case: Mapping[str, Any]) -> list[str]:
    if not case["propositions"]:
        return ["<p>No likelihood ratio is given: it takes three enrolled sources or more, of two images each.</p>"]
    hp, hd = map(escape, case["propositions"])
    return [f"<h2>Question</h2><p>Of two propositions, which do the images support, and how much?</p>"
            f"<ol><li>{hp}</li><li>{hd}</li></ol>"]  # fmt: skip


def _evidence(answer: Mapping[str, Any]) -> list[str]:
    evidence = answer["evidence"]
    if not evidence:
        return []
    reached, end = abs(evidence["log10_lr"]) >= evidence["cap"], "most" if evidence["log10_lr"] > 0 else "least"
    interval = ""
    if evidence["low"] is not None:
        ends = f"{10 ** evidence['low']:.2g} to {10 ** evidence['high']:.2g}"
        interval = f" (95 % interval over the probe's images {ends})"
    text = (
        "<h2>Evidence of the fingerprint</h2><p>The images are "
        f"<strong>{10 ** evidence['log10_lr']:.2g}</strong> times as likely under the first proposition as under the "
        f"second{interval}. "
        + (f"That is the {end} that so few calibration sources support. " if reached else "")
        + f"Calibrated on {evidence['sources']} enrolled sources with sets of {evidence['calibrated_at']} images. "
        "It holds for a source named before the images were seen; the best of several misleads more often.</p>"
    )
    figure = plots.new_figure(5, 2.6)
    ax = figure.subplots()
    images = list(map(int, evidence["by_images"]))
    values, lows, highs = zip(*evidence["by_images"].values(), strict=True)
    ax.plot(images, values, "o-")
    known = [i for i, low in enumerate(lows) if low is not None]
    ax.vlines([images[i] for i in known], [lows[i] for i in known], [highs[i] for i in known], alpha=0.4)
    ax.axhline(evidence["cap"], color="grey", linestyle="--", linewidth=0.8)
    ax.set(xscale="log", xlabel="images", ylabel="log10 likelihood ratio")
    return [text, report.picture(plots.data_uri(figure), "likelihood ratio by number of images, its cap")]


def _candidates(answer: Mapping[str, Any]) -> list[str]:
    rows = {
        c["source"]: [str(c["images"]), f"{c['log_ratio']:.1f}", f"{c['share']:.1%}"] for c in answer["candidates"][:20]
    }
    text = ""
    if answer["threshold"] is not None:
        text += (
            f"<p>The best candidate's score is {answer['score']:.2f}: its log ratio on a scale where sets of other "
            "sources lie about 0 and its own, far from any rival, about 1. A score of "
            f"{answer['threshold']:.2f} is needed, set with sets of {answer['calibrated_at']} images: of sources that "
            f"are not enrolled, at most {answer['rate']:.1%} come to be attributed, if they are like those that are "
            "(exchangeable).</p>"
        )
    if answer["p"] is not None:
        text += f"<p>Test that the best candidate draws such images: p = {answer['p']:.3f}.</p>"
    return [report.table("Candidates", ["images enrolled", "log ratio", "share"], rows, {}), text]


def _files(case: Mapping[str, Any]) -> list[str]:
    facts = case["channels"]["file facts"]
    listed = "; ".join(f"{escape(fact)} ({count})" for fact, count in facts["probe"].items())
    warnings = facts["warnings"]
    if isinstance(warnings, str):
        found = "<p>The files of the known sources were not at hand to compare with.</p>"
    elif warnings:
        found = "".join(f"<p class='miss'><strong>Confound:</strong> {escape(warning)}.</p>" for warning in warnings)
    else:
        found = "<p>All known sources have files like these.</p>"
    history = case["attribution"]["history"]
    if history != NONE:
        found += (
            f"<p>The probe seems to have gone through <strong>{escape(history)}</strong>; it was compared with the "
            "known sources' images after the same.</p>"
        )
    return [f"<h2>Files</h2><p>{listed}</p>{found}"]


def _manifest(case: Mapping[str, Any]) -> list[str]:
    manifest = case["channels"]["C2PA manifest"]
    said = "; ".join(f"{escape(what)} ({count})" for what, count in manifest["files"].items())
    return [
        f"<h2>C2PA manifest</h2><p><strong>{escape(manifest['state'])}</strong>: {said}.</p><p>A channel of its own, "
        "which the fingerprint does not look at. Valid means that the content is what was signed; whether the signer "
        "is to be trusted is not asked. Anybody can take a manifest off.</p>"
    ]


def _pictures(looks: Mapping[str, Look]) -> list[str]:
    stacks = {name: stack for name, look in looks.items() if (stack := look.stack()) is not None}
    if not stacks or len({stack.shape[1:] for stack in stacks.values()}) > 1:
        return ["<p>No average residual is shown: images are of different sizes.</p>"] if looks else []
    figure = plots.trace_figure(stacks)
    return ["<h2>Images and traces</h2>", report.picture(plots.data_uri(figure), "mean residuals and spectra")]


def _tree(tree: FamilyTree | None) -> list[str]:
    if tree is None:
        return []
    return ["<h2>Place in the family tree</h2>", report.picture(plots.data_uri(plots.tree_figure(tree)), tree.newick())]


def _left_out(left_out: Sequence[Mapping[str, str]]) -> list[str]:
    rows = {left["name"]: [left["reason"]] for left in left_out}
    return [report.table("Left out", ["reason"], rows, {})] if rows else ["<p>No image was left out.</p>"]


def _provenance(case: Mapping[str, Any]) -> list[str]:
    known = {name: [str(own["images"]), own["digest"]] for name, own in case["known"].items()}
    facts = {
        "written": [case["written"]], "Genprint": [case["genprint"]], "encoder (SHA-256)": [case["encoder"]],
        **{f"input: {name}": [str(value)] for name, value in case["inputs"].items()},
        "images of the probe": [str(len(case["probe"]))],
    }  # fmt: skip
    return [
        "<h2>How to make it again</h2><p>The JSON beside this page holds every number and digest; "
        "<code>genprint report verify</code> reads it, makes the attribution again and says what differs.</p>",
        report.table("Made with", ["value"], facts, {}),
        report.table("Known sources", ["images", "SHA-256 of their images' digests"], known, {}),
    ]


def tree_with_probe(
    encoder: SetEncoder, enrolled: Mapping[str, Features], name: str, probe: Features, history: str, most: int = 60
) -> FamilyTree | None:
    """The family tree of known sources with the probe placed in it; None with too few images, or too many sources."""
    if len(probe) < 2 or len(enrolled) > most:
        return None
    sets = {source: own.with_history(history) for source, own in enrolled.items()} | {f"probe: {name}": probe}
    fingerprints = [encoder.summarise(own, source, vector=False) for source, own in sets.items()]
    return FamilyTree.build(list(sets), np.asarray(encoder.plda_.distances(fingerprints)))
