"""The command line, put together; and the demo."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from genprint._version import __version__
from genprint.cli import answers, enrollment, fingerprinting, generators, report, sources, training
from genprint.cli.common import errors, say, tell
from genprint.cli.evaluate import app as evaluate
from genprint.cli.loading import load_model, use_cache
from genprint.cli.progress import bar
from genprint.cli.serve import serve
from genprint.cli.sorting import sort
from genprint.cli.structure import structure

# Words of before 0.2.
_OLD_OPTIONS = {"--histories": "--conditions", "--no-histories": "--no-conditions"}
_OLD_OF_ENROLLING = {"--histories": "--originals", "--no-histories": "--no-originals"}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Which generative model made a set of images, and which models are related.\n\n"
    "Start with [bold]genprint demo[/]. A source is a folder (zip, tar, .npy, .npz) of images of one model; "
    "DATA is a folder with one sub-folder for each source.",
    rich_markup_mode="rich",
)
app.command()(answers.attribute)
app.command()(answers.verify)
app.command()(answers.mixture)
app.command()(answers.lineage)
app.command()(sort)
app.command("compare", hidden=True)(answers.lineage)  # the word of before 0.2
app.command()(sources.families)
app.command()(sources.audit)
app.command()(structure)
app.command()(enrollment.enroll)
app.command("enroll-all")(enrollment.enroll_all)
app.command()(enrollment.remove)
app.command("sources")(enrollment.sources)
app.command()(fingerprinting.fingerprint)
app.command()(serve)
app.command()(training.fit)
app.command()(training.pretrain)
app.add_typer(generators.app, name="generators")
app.add_typer(report.app, name="report")
app.add_typer(evaluate, name="evaluate")


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    cache: Annotated[
        Path | None,
        typer.Option(envvar="GENPRINT_CACHE", help="File that keeps images' features, so that asking again is fast."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(envvar="GENPRINT_DEVICE", help="Where networks compute: cpu, cuda, cuda:1; cpu if left out."),
    ] = None,
) -> None:
    """Options before any command."""
    if device is not None:
        from genprint.storage.device import VARIABLE
        from genprint.storage.device import device as find

        with errors():
            os.environ[VARIABLE] = str(find(device))  # whatever loads a network goes by it, in processes of ours too
    if cache is not None:
        with errors():
            use_cache(cache)
    if version:
        say(__version__)
        raise typer.Exit


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("genprint-demo"),
    seed: Annotated[int, typer.Option(help="Of sampling and splitting.")] = 0,
) -> None:
    """Samples the shipped generators, attributes their images, draws their family tree, writes a report."""
    from genprint.demo import NEXT, run

    with errors():
        with bar("demo", total=100) as advance:
            summary = run(load_model(None), output, seed, lambda at, what: advance(at=100 * at, extra=what))
        say(summary)
        say(NEXT)


def main() -> None:
    """Entry point of the command ``genprint``."""
    old = _OLD_OF_ENROLLING if {"enroll", "enroll-all"} & set(sys.argv) else _OLD_OPTIONS
    for i, word in enumerate(sys.argv):
        if word in old:
            tell(f"{word} is {old[word]} now; the old word leaves with the next version", "warning: ")
            sys.argv[i] = old[word]
    app()
