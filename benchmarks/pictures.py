"""Writes docs/pictures.md: large pictures, enrolled as one publisher left them and asked as another did.

    python benchmarks/pictures.py FOLDER --work features.sqlite
    python benchmarks/pictures.py FOLDER --work features.sqlite --sections a c --methods set_encoder imagenet

FOLDER is what benchmarks/testbed.py makes. Features are kept in the file of --work, and what was found in a JSON beside it:
a section that was interrupted goes on where it stopped, and one that was not asked for keeps its text. What was found with
other code of src/genprint (as committed), another model or another setting is found anew; ``--anew`` finds everything anew.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from pathlib import Path

from bed import BEFORE, LOSSLESS, MATCHED, SIZES, Bed, Setting, photographs
from common import ROOT, labels, provenance
from kept import Kept
from picture_answers import RATE, SIZE, answers, verification
from picture_equal import EQUAL, equalised
from picture_sections import across, both_sides, tiles, with_tiles

from genprint.evaluation.methods import CONTROLS, METHODS
from genprint.fingerprints.cache import Cache
from genprint.storage.files import write_atomically

DEFAULT = (BEFORE, "set_encoder", MATCHED, "set_encoder_lda", "covariance", "imagenet")
COUNTS = ("1", "8", "32", "64", "128", "all")

_PAGE = """# Pictures

Written by `benchmarks/pictures.py`; the encoder has seen no generator, nor any of these sources. The same photographs, enlarged by different networks and
filters, as different publishers would have saved them (`benchmarks/testbed.py`): who made an image lies in its finest detail alone. No
photograph is both enrolled and asked. Percent, with 95 % intervals by bootstrap over sources.

{sections}
"""

_TEXTS = {
    "a": "Top-1 by pipeline of the enrolled images and of the probes. `thumbnails` is the shipped model for small images; `set_encoder`, that for pictures, compares with the enrolled images as they are; `set_encoder_matched` is what `genprint attribute` "
    "does: it brings the enrolled images to the condition that the probe seems to be in, or a lossless probe to that of enrolled ones that were saved with loss.",
    "b": "`set_encoder` where enrolled images went through the probe's own pipeline, beside `set_encoder_matched` from lossless ones; the difference in points, paired by source.",
    "c": f"Answers of `genprint attribute` to sets of {SIZE} at a rate of false attributions of {100 * RATE:.0f} %, conditions matched from what is enrolled. *False*: attributed, though the source was "
    "not enrolled ({unknown} unknown in turn); *right* and *wrong* with all enrolled.",
    "d": "Top-1 of `set_encoder` at 1 and 10 images, and CPU seconds that decoding an image and computing its features takes, by the number of tiles that are looked at.",
    "e": f"`genprint verify` on pairs of sets of {SIZE}, of different photographs: by the population that comes with the model, and by those sources of the bed that are in neither one's "
    "quarter. *False same* is the false match rate at the thresholds; *given*, the share of pairs with a likelihood ratio; costs are of these.",
    "f": "Top-1 by what no trace is needed for: colour, a thumbnail, what files say of themselves. As sources share all photographs and each pipeline saves all alike, "
    "they should be at chance.",
    "g": f"Sets of one source by two pipelines, enrolled as if they were two sources: how many are given to the right pipeline, as they are and when both were "
    f"saved alike once more. Up to {EQUAL} % would be equal; more is not equalised by it, and an answer that compares such images says so.",
}  # fmt: skip
_TITLES = {
    "a": "Across pipelines", "b": "Matched, or enrolled in the probe's pipeline", "c": "Answers", "d": "Tiles",
    "e": "One source or two", "f": "Controls", "g": "Equalised",
}  # fmt: skip


def written(bed: Bed, section: str, make: Callable[[], str], unknown: str) -> None:
    """Measures a section and keeps its text."""
    bed.kept.seconds = 0.0
    table, setting = make(), bed.setting
    said = (
        f"{len(setting.sources)} sources (chance {100 / len(setting.sources):.1f} %), {len(setting.photographs)} photographs, {setting.enrolled} enrolled, "
        f"{setting.repeats} division{'s' if setting.repeats > 1 else ''}"
    )
    if section != "d":
        said += f", {setting.tiles or 'all'} tiles an image"
    identity = bed.model.identity
    if section == "d":  # that goes through several
        identity = re.sub(r" tiles=\w+", "", identity)
    about = provenance(setting.seed, time.monotonic() - bed.kept.seconds, identity)
    what = _TEXTS[section].replace("{unknown}", "each source" if unknown == "source" else "each quarter of the sources")
    bed.kept.put_text(section, f"## {_TITLES[section]}\n\n{what} {said}. {about}\n\n{table}")


def page(kept: Kept) -> str:
    """The page of all sections that there are."""
    return _PAGE.format(sections="\n\n".join(kept.texts[name] for name in _TITLES if name in kept.texts))


def main() -> None:
    """Measures what was asked for and writes the page."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument(
        "--work", type=Path, required=True, help="file that keeps features; findings are in a .json beside it"
    )
    options.add_argument("--sections", nargs="+", choices=list(_TITLES), default=list(_TITLES))
    options.add_argument("--methods", nargs="+", choices=[BEFORE, *METHODS], default=list(DEFAULT), metavar="METHOD")
    options.add_argument("--pipelines", nargs="+", help="default: all there are")
    options.add_argument("--sources", nargs="+", help="default: all of sources.csv")
    options.add_argument("--limit", type=int, help="only the first so many photographs")
    options.add_argument("--enrolled", type=int, default=32)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument(
        "--tiles", type=int, default=8, help="of an image, but in section d; 0: all (default: %(default)s)"
    )
    options.add_argument("--counts", nargs="+", default=list(COUNTS), help="of tiles, in section d")
    options.add_argument(
        "--tiled", nargs="+", help="pipelines of section d; default: png and jpeg80, where there are such"
    )
    options.add_argument("--unknown", choices=["quarter", "source"], default="quarter", help="at a time, in section c")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--anew", action="store_true", help="use nothing that was found before")
    options.add_argument("--page", type=Path, default=ROOT / "docs/pictures.md")
    given = options.parse_args()
    pipelines = given.pipelines or sorted(own.name for own in given.folder.iterdir() if own.is_dir())
    pipelines = sorted(pipelines, key=lambda name: name != LOSSLESS)
    sources = given.sources or list(labels(given.folder))
    names = photographs(given.folder, pipelines, sources, given.limit)
    if len(names) < given.enrolled + min(SIZES):
        raise SystemExit(f"{given.folder}: only {len(names)} photographs are there of every source and pipeline")
    count = given.tiles or None
    setting = Setting(tuple(pipelines), tuple(sources), names, given.enrolled, given.repeats, given.seed, count)
    kept = Kept(given.work.with_suffix(".json"), given.anew)
    bed = Bed(given.folder, setting, with_tiles(count), Cache(given.work), kept)
    tiled = given.tiled or [name for name in (LOSSLESS, "jpeg80") if name in pipelines] or pipelines[:1]
    counts = [None if text == "all" else int(text) for text in given.counts]
    makers: dict[str, Callable[[], str]] = {
        "a": lambda: across(bed, given.methods),
        "b": lambda: both_sides(bed),
        "c": lambda: answers(bed, given.unknown),
        "d": lambda: tiles(bed, counts, tiled),
        "e": lambda: verification(bed),
        "f": lambda: across(bed, CONTROLS),
        "g": lambda: equalised(bed),
    }
    for section in given.sections:
        written(bed, section, makers[section], given.unknown)
        write_atomically(given.page, page(kept).encode())
        print(f"section {section}: {kept.seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
