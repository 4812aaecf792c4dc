"""Pictures saved anew: how many are found, how often different pictures look alike, and what finding them costs.

    python benchmarks/copies.py --photographs ZIP --pictures DIR --digits DIR --twins DIR --work FILE --why WHY

The threshold was chosen on the photographs; the rest is reported. Writes docs/copies.md.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import combinations
from pathlib import Path
from unittest.mock import patch

import numpy as np
from common import ROOT, log_wild_run, provenance
from kept import Kept
from PIL import Image as Pillow
from PIL import ImageOps

from genprint.answers.copies import Copies
from genprint.api import Gallery
from genprint.images.copies import BITS, MOST_APART, Look, alike, alike_within, look, most_apart
from genprint.images.decoding import Image
from genprint.images.known import read_sources
from genprint.images.sets import ImageSet
from genprint.model import Model
from genprint.storage.files import write_atomically

SAVED = 200  # pictures that are saved anew
# Sources of t2i whose images are of one prompt, or of the same few; and those that were asked for the same prompts.
ALIKE_THEMSELVES = {
    "gptimage1mini_hvalfangst": "one prompt (pandas)",
    "sd14_easydiffusion": "a few prompts (portraits)",
}
SAME_PROMPTS = ("ldm_dcsan", "glid3xl_dcsan", "sd14_dcsan")
TWINS = ("fp32", "fp16", "int8")
_ROUNDS = 3


def saved_as(kind: str, **options: object) -> Callable[[Pillow.Image], Pillow.Image]:
    def save(picture: Pillow.Image) -> Pillow.Image:
        file = io.BytesIO()
        picture.save(file, kind, **options)
        return Pillow.open(file).convert("RGB")

    return save


def ways(rng: np.random.Generator) -> dict[str, Callable[[Pillow.Image], Pillow.Image]]:
    """How pictures are saved anew."""

    def cropped(picture: Pillow.Image) -> Pillow.Image:
        sides = [round(0.95 * side) for side in picture.size]
        left, top = (int(rng.integers(0, whole - side + 1)) for whole, side in zip(picture.size, sides, strict=True))
        return picture.crop((left, top, left + sides[0], top + sides[1]))

    def half(picture: Pillow.Image) -> Pillow.Image:
        return picture.resize((picture.width // 2, picture.height // 2))

    def chain(picture: Pillow.Image) -> Pillow.Image:
        return saved_as("JPEG", quality=75)(ImageOps.mirror(half(cropped(picture))))

    return {
        "without loss (PNG, BMP)": saved_as("BMP"),
        "JPEG 90": saved_as("JPEG", quality=90),
        "JPEG 60": saved_as("JPEG", quality=60),
        "half its size": half,
        "5 % of each side cut off": cropped,
        "mirrored": ImageOps.mirror,
        "cut, half its size, mirrored and JPEG 75": chain,
    }


def seen(picture: Pillow.Image | Image) -> Look:
    if isinstance(picture, Image):
        return look(picture)
    return look(Image("", "", np.asarray(picture.convert("RGB"))))


def found_rows(images: Sequence[Image], rng: np.random.Generator) -> Iterator[tuple[str, int, int, int]]:
    """Of each way: how many pictures saved anew are found, within 20 bits, and how many look most like another."""
    originals = [seen(image) for image in images]
    for way, save in ways(rng).items():
        anew = [seen(save(Pillow.fromarray(image.pixels))) for image in images]
        pairs = alike(anew, originals)
        first: dict[int, int] = {}
        for pair in pairs:
            first.setdefault(pair.one, pair.other)
        own = [pair for pair in pairs if pair.one == pair.other]
        near = sum(pair.apart <= 20 for pair in own)
        yield way, len(own), near, sum(i != j for i, j in first.items())


def looks_of(sets: Iterable[ImageSet]) -> dict[str, list[Look]]:
    return {images.name: [look(image) for image in images] for images in sets}


def false_finds(by_source: dict[str, list[Look]], pairs_of: Iterable[tuple[str, str]]) -> tuple[int, int, int]:
    """How many pairs of different pictures look alike, of how many; and how many are at one place of two sources."""
    count = total = same_place = 0
    for one, other in pairs_of:
        mine, theirs = by_source[one], by_source[other]
        pairs = alike_within(mine) if one == other else alike(mine, theirs)
        total += len(mine) * (len(mine) - 1) // 2 if one == other else len(mine) * len(theirs)
        same_place += sum(pair.one == pair.other for pair in pairs)
        count += len(pairs)
    return count, total, same_place


def flagged(by_source: dict[str, list[Look]]) -> str:
    """Cells of how many images look like an enrolled one; first halves are asked, the others enrolled."""
    asked = {name: looks[: len(looks) // 2] for name, looks in by_source.items()}
    enrolled = [one for looks in by_source.values() for one in looks[len(looks) // 2 :]]
    pairs = [alike(looks, enrolled) for looks in asked.values()]
    limit = most_apart(enrolled)
    fixed, adapted = (
        sum(len({pair.one for pair in some if pair.apart <= most}) for some in pairs) for most in (MOST_APART, limit)
    )
    return f"{fixed} | {limit} | {adapted} | {sum(map(len, asked.values()))} | {len(enrolled):,}"


def twins(by_source: dict[str, list[Look]]) -> list[str]:
    """Rows of models that were given the same latents, image by image."""
    rows = []
    names = {kind: next(name for name in by_source if f"_{kind}_" in name) for kind in TWINS}
    for one, other in combinations(TWINS, 2):
        mine, theirs = by_source[names[one]], by_source[names[other]]
        pairs = alike(mine, theirs)
        same = [pair for pair in pairs if pair.one == pair.other]
        several = len(mine) * len(theirs) - min(len(mine), len(theirs))
        rows.append(
            f"| {one} and {other} | {len(same)} of {min(len(mine), len(theirs))} | {sum(p.identical for p in same)} | "
            f"{len(pairs) - len(same)} of {several:,} |"
        )
    return rows


@contextmanager
def without_copies() -> Iterator[None]:
    """As it was before copies were looked for."""
    with ExitStack() as stack:
        stack.enter_context(patch("genprint.fingerprints.fingerprinter.look", lambda image: None))
        nothing = Copies((), None, MOST_APART, 0, ())
        stack.enter_context(patch("genprint.answers.asking.Copies.of", lambda *asked: nothing))
        yield


def cost(model: Model, sets: Sequence[ImageSet], enrolled: int, asked: int) -> dict[str, float]:
    """Processor time of enrolling, of a first answer and of the next, with copies looked for against without.

    Medians of ratios, taken in turn.
    """
    ratios: dict[str, list[float]] = {"enrolling": [], "first answer": [], "next answer": []}
    chosen = [ImageSet.from_files(one.files[:enrolled], one.name) for one in sets]
    probes = [ImageSet.from_files(one.files[enrolled : enrolled + asked], "probe") for one in sets[:2]]
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(_ROUNDS + 1):
            spent: dict[bool, list[float]] = {}
            for looked in (True, False) if turn % 2 else (False, True):
                with ExitStack() as stack:
                    if not looked:
                        stack.enter_context(without_copies())
                    gallery = Gallery(Path(folder) / f"{turn}{looked}.sqlite", model)
                    marks = [time.process_time()]
                    gallery.enroll(chosen)
                    marks.append(time.process_time())
                    for probe in probes:
                        gallery.attribute(probe, conditions=False)
                        marks.append(time.process_time())
                spent[looked] = [float(one) for one in np.diff(marks)]
            if turn:  # the first warms up
                for what, before, after in zip(ratios, spent[False], spent[True], strict=True):
                    ratios[what].append(after / before)
    return {what: float(np.median(found)) for what, found in ratios.items()}


def findings(args: argparse.Namespace) -> dict[str, list[str]]:
    """Rows of the tables of what is found."""
    rng = np.random.default_rng(args.seed)
    photographs = list(ImageSet.read(args.photographs))
    sources = read_sources(args.pictures)
    every = [image for source in sources for image in list(source)]
    places = np.sort(rng.choice(len(every), min(SAVED, len(every)), replace=False))
    chosen = [every[i] for i in places]
    rows = []
    for (way, found, near, other), (_, chosen_on, _, _) in zip(
        found_rows(chosen, rng), found_rows(photographs, rng), strict=True
    ):
        rows.append(f"| {way} | {found} of {len(chosen)} | {near} | {other} | {chosen_on} of {len(photographs)} |")

    own = {"photographs": [look(image) for image in photographs]}
    pictures = looks_of(sources)
    digits, faces = looks_of(read_sources(args.digits)), looks_of(read_sources(args.twins))
    names = list(pictures)
    between = [
        pair for pair in combinations(names, 2) if not (pair[0] in SAME_PROMPTS and pair[1] in SAME_PROMPTS)
    ]  # fmt: skip
    plain = [(name, name) for name in names if name not in ALIKE_THEMSELVES and name not in SAME_PROMPTS]
    apart_faces = [(a, b) for a, b in combinations(faces, 2) if not any(f"_{kind}_" in a + b for kind in TWINS)]
    kinds = {
        "photographs (the threshold was chosen on them)": (own, [("photographs",) * 2]),
        "pictures of different sources": (pictures, between),
        "pictures of one source, of many subjects": (pictures, plain),
        **{f"pictures of one source, of {said}": (pictures, [(name, name)]) for name, said in ALIKE_THEMSELVES.items()},
        "pictures of one source, of a few prompts": (pictures, [(name, name) for name in SAME_PROMPTS]),
        "pictures of different sources, of the same prompts": (pictures, list(combinations(SAME_PROMPTS, 2))),
        "MNIST digits of different sources": (digits, list(combinations(digits, 2))),
        "MNIST digits of one source": (digits, [(name, name) for name in digits]),
        "faces of different sources, some of the same latents, without the twins below": (faces, apart_faces),
    }
    false = []
    for kind, (looks, pairs) in kinds.items():
        count, total, same_place = false_finds(looks, pairs)
        false.append(f"| {kind} | {count} | {total:,} | {same_place} |")
    marked = []
    for kind, looks in (("pictures", pictures), ("MNIST digits", digits), ("faces", faces)):
        marked.append(f"| {kind} | {flagged(looks)} |")

    return {
        "found": rows, "false": false, "twins": twins(faces), "flagged": marked,
        "counts": [str(len(chosen)), str(len(sources))],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, required=True, help="on which the threshold was chosen")
    parser.add_argument("--pictures", type=Path, required=True, help="sources of pictures by text-to-image models")
    parser.add_argument("--digits", type=Path, required=True, help="sources of MNIST digits")
    parser.add_argument("--twins", type=Path, required=True, help="sources of faces, some from the same latents")
    parser.add_argument("--why", required=True, help="why the wild sets are looked at again")
    parser.add_argument("--work", type=Path, required=True, help="JSON file that keeps what was found, to go on from")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    kept = Kept(args.work)
    found = kept.get("found", {"most apart": MOST_APART, "seed": args.seed, "places": True}, lambda: findings(args))
    many, sources = found["counts"]
    pictures = [one for one in read_sources(args.pictures) if one.name not in ALIKE_THEMSELVES]
    costs = []
    for said, model, sets, enrolled, asked in (
        ("MNIST digits, 28 px", None, read_sources(args.digits)[:4], 32, 16),
        ("pictures, 256 to 1024 px", "pictures", pictures[:3], 8, 4),
    ):
        ratios = kept.get(
            said, {"enrolled": enrolled, "asked": asked, "rounds": _ROUNDS, "adapted": True},
            lambda: cost(Model.load(model), sets, enrolled, asked),  # noqa: B023
        )  # fmt: skip
        figures = " | ".join(f"{ratio:.2f}" for ratio in ratios.values())
        costs.append(f"| {said} | {len(sets) * enrolled} | {figures} |")
    start = time.monotonic() - kept.seconds
    log_wild_run("t2i, mnist, anime64lineage", f"perceptual hash, at most {MOST_APART} of {BITS} bits apart", args.why)
    text = f"""# Pictures saved anew

Written by `benchmarks/copies.py`. {provenance(args.seed, start)}

An image of a probe that is enrolled is no evidence of who made the others. The same file is known by its SHA-256, the same pixels in another file
by a digest of the decoded pixels: both are left out, and so is all but one of images of a probe that are the same pixel for pixel. What was saved
with loss, resized, cut or mirrored is found by a perceptual hash: `phash` of the library ImageHash with {BITS} bits, of
the whole picture and of the inner 95 % of each side. Two pictures look alike if either's hashes differ in at most {MOST_APART} bits, as they are or mirrored. Such
images stay in; they are named, and the answer is given with and without them (`copies` in JSON).

## Copies found

{many} pictures of {sources} sources (text-to-image models and cameras), drawn at random, each saved anew in one way and looked for among
the {many} originals. *Found*: looks like its original. *Within 20 bits*: of these. *Most like another*: another of the
originals is more like it than its own, or is the only one found. A cut takes 5 % of width and height, at a random place.

| saved anew | found | within 20 bits | most like another | found of the photographs |
| --- | --- | --- | --- | --- |
{chr(10).join(found["found"])}

The threshold was chosen on the photographs of the last column: no two different ones of these are within it.

## Different pictures that look alike

Pairs of different pictures, all that there are. *At the same place*: of those that look alike, pairs of the first images of two sources, of the second, and so on:
where these were drawn from the same latents, they are of the same.

| pairs | look alike | of | at the same place |
| --- | --- | --- | --- |
{chr(10).join(found["false"])}

Models that were given the same latents make the same pictures, image by image, up to rounding. They are no copies of one another, and `lineage` leaves
nothing out.

| twins | same latent, alike | pixel for pixel | other latents, alike |
| --- | --- | --- | --- |
{chr(10).join(found["twins"])}

How many images of a probe are flagged where nothing is a copy: the first half of each source's images is asked, the other half of all sources
is enrolled. Where more than one in fifty of the enrolled pictures has another within {MOST_APART} bits, fewer bits are asked for, 20 at least: by that,
nearly all pictures above that were saved as JPEG, halved or mirrored are found, and one in ten of those that were cut. Of a probe with flagged images the question is asked twice.

| images | within {MOST_APART} bits | taken as alike to | flagged | of | enrolled images |
| --- | --- | --- | --- | --- | --- |
{chr(10).join(found["flagged"])}

## What it costs

Processor time with copies looked for, against the same without: median of {_ROUNDS} ratios, taken in turn in one run. Answers are of one condition. Where the probe has
flagged images, as digits may, the question is asked twice, and that is in it.

| images | enrolled | enrolling | first answer | next answer |
| --- | --- | --- | --- | --- |
{chr(10).join(costs)}

A gallery keeps 96 bytes and the file's name of each image for it.

## Why this hash

Compared once, by hand, on the 125 photographs before one was chosen (this script does not do it again). Each hash of the whole picture alone, mirrored or not; of the
pictures that were cut, how many were nearer their original than the nearest two different photographs are to each other: `phash` of 64 bits 90,
`dhash` of 64 bits 88, `whash` of 64 bits 6, PDQ 109, `phash` of 256 bits 122, `dhash` of 256 bits 124. JPEG 60 moved `phash` of 256 bits by 8 bits
at most and `dhash` by 27; halving the size moved `phash` by 4 and PDQ by 44. At 72 bits, the hash of the inner part beside that of the whole found 118 of 125, the whole alone 101.
"""
    write_atomically(ROOT / "docs/copies.md", text.encode())


if __name__ == "__main__":
    main()
