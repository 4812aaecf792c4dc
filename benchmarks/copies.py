"""Pictures saved anew: how many are found, how often different pictures look alike, and what finding them costs.

    python benchmarks/copies.py --photographs ZIP --pictures DIR --digits DIR --twins DIR --why WHY

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
from PIL import Image as Pillow
from PIL import ImageOps

from genprint.answers.copies import Copies
from genprint.api import Gallery
from genprint.images.copies import BITS, MOST_APART, Look, alike, alike_within, look
from genprint.images.decoding import Image
from genprint.images.sets import ImageSet, read_sources
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
_ROUNDS = 7


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
    """Of each way: how many pictures saved anew are found, as identical too, and how many look most like another."""
    originals = [seen(image) for image in images]
    for way, save in ways(rng).items():
        anew = [seen(save(Pillow.fromarray(image.pixels))) for image in images]
        pairs = alike(anew, originals)
        first: dict[int, int] = {}
        for pair in pairs:
            first.setdefault(pair.one, pair.other)
        own = [pair for pair in pairs if pair.one == pair.other]
        yield way, len(own), sum(pair.identical for pair in own), sum(i != j for i, j in first.items())


def looks_of(sets: Iterable[ImageSet]) -> dict[str, list[Look]]:
    return {images.name: [look(image) for image in images] for images in sets}


def false_finds(by_source: dict[str, list[Look]], pairs_of: Iterable[tuple[str, str]]) -> tuple[int, int, int]:
    """How many pairs of different pictures look alike, of how many; and how many are the same pixel for pixel."""
    count = total = identical = 0
    for one, other in pairs_of:
        mine, theirs = by_source[one], by_source[other]
        pairs = alike_within(mine) if one == other else alike(mine, theirs)
        total += len(mine) * (len(mine) - 1) // 2 if one == other else len(mine) * len(theirs)
        identical += sum(pair.identical for pair in pairs)
        count += len(pairs)
    return count, total, identical


def flagged(by_source: dict[str, list[Look]]) -> tuple[int, int, int]:
    """Images that look like an enrolled one of any source, of how many; first halves are asked, the others enrolled."""
    asked = {name: looks[: len(looks) // 2] for name, looks in by_source.items()}
    enrolled = [one for looks in by_source.values() for one in looks[len(looks) // 2 :]]
    hit = sum(len({pair.one for pair in alike(looks, enrolled)}) for looks in asked.values())
    return hit, sum(map(len, asked.values())), len(enrolled)


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
        nothing = Copies((), None, 0, ())
        stack.enter_context(patch("genprint.answering.Copies.of", lambda *asked: nothing))
        yield


def cost(model: Model, sets: Sequence[ImageSet], enrolled: int, asked: int) -> tuple[float, float, int]:
    """Time of enrolling, and of a first answer, with copies looked for against without: medians of ratios in turn."""
    ratios: dict[str, list[float]] = {"enrolling": [], "answering": []}
    chosen = [ImageSet.from_files(one.files[:enrolled], one.name) for one in sets]
    probe = ImageSet.from_files(sets[0].files[enrolled : enrolled + asked], "probe")
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(_ROUNDS + 1):
            spent: dict[str, list[float]] = {"enrolling": [], "answering": []}
            for looked in (True, False) if turn % 2 else (False, True):
                with ExitStack() as stack:
                    if not looked:
                        stack.enter_context(without_copies())
                    gallery = Gallery(Path(folder) / f"{turn}{looked}.sqlite", model)
                    for what, ask in (
                        ("enrolling", lambda: gallery.enroll(chosen)),  # noqa: B023
                        ("answering", lambda: gallery.attribute(probe)),  # noqa: B023
                    ):
                        start = time.process_time()
                        ask()
                        spent[what].insert(len(spent[what]) if looked else 0, time.process_time() - start)
            if turn:  # the first warms up
                for what, (before, after) in spent.items():
                    ratios[what].append(after / before)
    enrolling, answering = (float(np.median(ratios[what])) for what in ("enrolling", "answering"))
    return enrolling, answering, len(chosen) * enrolled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, required=True, help="on which the threshold was chosen")
    parser.add_argument("--pictures", type=Path, required=True, help="sources of pictures by text-to-image models")
    parser.add_argument("--digits", type=Path, required=True, help="sources of MNIST digits")
    parser.add_argument("--twins", type=Path, required=True, help="sources of faces, some from the same latents")
    parser.add_argument("--why", required=True, help="why the wild sets are looked at again")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    start, rng = time.monotonic(), np.random.default_rng(args.seed)

    photographs = list(ImageSet.read(args.photographs))
    sources = read_sources(args.pictures)
    every = [image for source in sources for image in list(source)]
    places = np.sort(rng.choice(len(every), min(SAVED, len(every)), replace=False))
    chosen = [every[i] for i in places]
    rows = []
    for (way, found, same, other), (_, chosen_on, _, _) in zip(
        found_rows(chosen, rng), found_rows(photographs, rng), strict=True
    ):
        rows.append(f"| {way} | {found} of {len(chosen)} | {same} | {other} | {chosen_on} of {len(photographs)} |")

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
        "faces of different sources, other latents": (faces, apart_faces),
    }
    false = []
    for kind, (looks, pairs) in kinds.items():
        count, total, identical = false_finds(looks, pairs)
        false.append(f"| {kind} | {count} | {total:,} | {identical} |")
    marked = []
    for kind, looks in (("pictures", pictures), ("MNIST digits", digits), ("faces", faces)):
        hit, asked, enrolled = flagged(looks)
        marked.append(f"| {kind} | {hit} of {asked} | {enrolled:,} |")

    small, large = Model.load(), Model.load("pictures")
    cheap = cost(small, read_sources(args.digits)[:6], 32, 16)
    dear = cost(large, [one for one in sources if one.name not in ALIKE_THEMSELVES][:4], 8, 4)
    log_wild_run("t2i, mnist, anime64lineage", f"perceptual hash, at most {MOST_APART} of {BITS} bits apart", args.why)
    text = f"""# Pictures saved anew

Written by `benchmarks/copies.py`. {provenance(args.seed, start)}

An image of a probe that is enrolled is no evidence of who made the others. The same file is known by its SHA-256, the same pixels in another file
by a digest of the decoded pixels: both are left out, and so is all but one of images of a probe that are the same pixel for pixel. What was saved
with loss, resized, cut or mirrored is found by a perceptual hash: `phash` of [ImageHash](https://pypi.org/project/ImageHash/) with {BITS} bits, of
the whole picture and of the inner 95 % of each side. Two pictures look alike if either's hashes differ in at most {MOST_APART} bits, as they are or mirrored. Such
images stay in; they are named, and the answer is given with and without them (`copies` in JSON).

## Copies found

{len(chosen)} pictures of {len(sources)} sources (text-to-image models and cameras), drawn at random, each saved anew in one way and looked for among
the {len(chosen)} originals. *Found*: looks like its original. *Pixel for pixel*: of these, known to be identical. *Most like another*: another of the
originals is more like it than its own, or is the only one found. A cut takes 5 % of width and height, at a random place.

| saved anew | found | pixel for pixel | most like another | found of the photographs |
| --- | --- | --- | --- | --- |
{chr(10).join(rows)}

The threshold was chosen on the photographs of the last column: no two different ones of these are within it.

## Different pictures that look alike

Pairs of different pictures, all that there are.

| pairs | look alike | of | pixel for pixel |
| --- | --- | --- | --- |
{chr(10).join(false)}

Models that were given the same latents make the same pictures, image by image, up to rounding. They are no copies of one another, and `lineage` leaves
nothing out.

| twins | same latent, alike | pixel for pixel | other latents, alike |
| --- | --- | --- | --- |
{chr(10).join(twins(faces))}

How many images of a probe are flagged where nothing is a copy: the first half of each source's images is asked, the other half of all sources
is enrolled. It is these whose answer is given twice, which takes twice the time.

| images | flagged | enrolled images |
| --- | --- | --- |
{chr(10).join(marked)}

## What it costs

Processor time with copies looked for, against the same without: median of {_ROUNDS} ratios, taken in turn in one run. Answers are first answers of a gallery
just enrolled, in which nothing looked alike or, of digits, what the table above says.

| images | enrolled | enrolling | answering |
| --- | --- | --- | --- |
| MNIST digits, 28 px | {cheap[2]} | {cheap[0]:.2f} | {cheap[1]:.2f} |
| pictures, 256 to 1024 px | {dear[2]} | {dear[0]:.2f} | {dear[1]:.2f} |

A gallery keeps 96 bytes and the file's name of each image for it. Other hashes were compared on the photographs and every second picture before one was chosen:
the 64 bits that are usual (`phash`, `dhash`, `whash`) confuse different pictures as soon as they find what was cut; PDQ and `dhash` of 256 bits find as much as
`phash` of 256 does; halving the size moves PDQ by up to 44 bits and `phash` by 4. A hash of the inner part finds 94 % of the photographs that
were cut, where the whole alone finds 81 %.
"""
    write_atomically(ROOT / "docs/copies.md", text.encode())


if __name__ == "__main__":
    main()
