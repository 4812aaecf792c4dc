"""Commands about reports that were written: can they be made again, do old answers still hold, is their log whole?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from genprint.cli.common import csv_bytes, errors, show
from genprint.cli.loading import known_gallery
from genprint.cli.options import AsJson, Model
from genprint.cli.progress import bar
from genprint.words import counted

app = typer.Typer(no_args_is_help=True, help="Checks reports of genprint attribute --report.")


@app.command()
def reproduce(
    file: Annotated[Path, typer.Argument(exists=True, help="The JSON of a report.")],
    probe: Annotated[Path | None, typer.Option(exists=True, help="Where the probe lies now, if elsewhere.")] = None,
    known: Annotated[
        Path | None, typer.Option(exists=True, help="Where the known sources lie now, if elsewhere.")
    ] = None,
    gallery: Annotated[Path | None, typer.Option(exists=True, help="Where the gallery lies now, if elsewhere.")] = None,
    trust: Annotated[
        Path | None, typer.Option(exists=True, help="Where the trusted certificates lie now, if elsewhere.")
    ] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Makes the attribution of a report again and says what differs. Exit code: 0 nothing, 3 something.

    A report that was changed after it was written is refused (exit code 1).
    """
    from genprint.report.record import differences, known_files, read, record
    from genprint.shipped import PREFIX, THUMBNAILS

    with errors(as_json):
        then = read(file)
        where: dict[str, Any] = {"probe": probe, "known": known, "gallery": None if known else gallery, "model": model}
        where["trust"] = trust
        moved = {"known", "gallery"} if known or gallery else set()
        for name, recorded in then["inputs"].items():
            if isinstance(recorded, str) and where[name] is None and name not in moved:
                if not recorded.startswith(PREFIX) and not Path(recorded).exists():
                    raise ValueError(f"{recorded}: not there any more; say where it lies now with --{name}")
                where[name] = recorded if name == "model" else Path(recorded)
        for name, given in (("probe", where["probe"]), ("gallery", where["gallery"] or where["known"])):
            if given is None:
                raise ValueError(f"{file}: made from an upload; say where the {name} lies with --{name}")
        inputs = then["inputs"]
        conditions = inputs["conditions"]
        if where["known"] and not where["model"]:  # of before there was a choice
            where["model"] = PREFIX + THUMBNAILS
        sources = known_gallery(where["known"], where["gallery"] or Path(), where["model"], conditions)
        with bar("reading images") as advance:
            result = sources.attribute(
                where["probe"],
                then["attribution"]["probe"],
                inputs["rate"],
                conditions,
                advance,
                where["trust"] or "",
                inputs.get("stress") or False,
                inputs.get("thorough", True),
            )
        found = differences(then, record(result, known=known_files(sources.sources) if where["known"] else None))
        text = (
            "\n".join(found)
            if found
            else (f"{file}: made again, all answers and numbers are the same (not looked at: its date, and the page)")
        )
        show({"file": str(file), "same": not found, "differences": found}, as_json, text)
    raise typer.Exit(3 if found else 0)


@app.command()
def rerun(
    cases: Annotated[
        Path, typer.Argument(exists=True, help="Log of genprint attribute --log, or JSON of one or several reports.")
    ],
    gallery: Annotated[Path, typer.Argument(help="File with the enrolled sources, as they are now.")],
    table: Annotated[Path | None, typer.Option("--csv", help="Also write a row for each case, as CSV, here.")] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="A case that cannot be asked, for its files are gone or changed, is an error."),
    ] = False,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Asks old cases again and says which answers a gallery gives otherwise now. Exit code: 0 none, 3 some, 1 errors.

    A probe is looked for where it lay, and is asked about only if its images are those of then (by their digests).
    Cases that cannot be asked are told and skipped; if none can be, that is an error.
    """
    from genprint.report import rerun as old
    from genprint.storage.files import check_writable, write_atomically

    with errors(as_json):
        if table:
            check_writable(table)
        records = old.read(cases)
        sources = known_gallery(None, gallery, model, conditions=True)
        with bar("asking again", total=len(records)) as advance:
            found = old.rerun(records, sources, advance)
        if table:
            write_atomically(table, csv_bytes(found.rows()))
        show(found.to_dict(), as_json, str(found))
    outcomes = found.outcomes
    skipped = outcomes[old.SKIPPED]
    if outcomes[old.FAILED] or skipped == len(found.cases) or (strict and skipped):
        raise typer.Exit(1)
    raise typer.Exit(3 if outcomes[old.CHANGED] else 0)


@app.command("check-log")
def check_log(
    file: Annotated[Path, typer.Argument(exists=True, help="Log of genprint attribute --log.")],
    as_json: AsJson = False,
) -> None:
    """Checks that no entry of a log was changed or taken out. Exit code: 0 whole, 1 broken."""
    from genprint.report.log import check

    with errors(as_json):
        hashes = check(file)
        text = f"{file}: {counted(len(hashes), 'entry', 'entries')}, whole"
        text += f"; the last is {hashes[-1]} (keep it elsewhere to see cuts)" if hashes else ""
        show({"file": str(file), "entries": len(hashes), "last": hashes[-1] if hashes else None}, as_json, text)


# The words of before 0.2.
app.command("verify", hidden=True)(reproduce)
app.command("log", hidden=True)(check_log)
