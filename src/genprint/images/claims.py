"""What image files say of how they were made: claims, which anybody can forge or strip, apart from any fingerprint.

Read are XMP (IPTC Photo Metadata 2025.1; ISO 16684-1), EXIF (CIPA DC-008), text chunks of PNG, as generators' user
interfaces write them, and C2PA manifests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image as Pillow

from genprint.images import xmp
from genprint.images.manifest import ABSENT, NOT_CHECKED, Manifest, TrustList, read_manifest, source_type
from genprint.words import shortened

SOURCE_TYPE, SETTINGS, MODEL, SOFTWARE, UNREADABLE = (
    "digital source type", "generation settings", "model", "software", "unreadable",
)  # fmt: skip
_LONGEST = 2**20  # characters of a text in which a model's name is looked for
_TOO_LONG = "settings longer than a million characters"
_MODELS = 3  # of a workflow, that are told


@dataclass(frozen=True)
class Statement:
    """What a file says in one place.

    Attributes:
        field: what it is about: 'digital source type', 'generation settings', 'model', 'software', 'description',
            'source', 'AI system', 'camera make', 'camera model'; or 'unreadable'.
        value: what it says, printable; of generation settings, who writes such; of what is unreadable, why.
        where: 'IPTC', 'XMP', 'EXIF' or 'PNG text'.
    """

    field: str
    value: str
    where: str

    def __str__(self) -> str:
        about = "" if self.field == SOURCE_TYPE else f"{self.field}: "
        return f"{about}{self.value} ({self.where})"


@dataclass(frozen=True)
class Claims:
    """What one file says of how it was made."""

    statements: tuple[Statement, ...] = ()
    manifest: Manifest = Manifest(ABSENT)


def read_claims(image: Pillow.Image, content: bytes, trust: TrustList = TrustList()) -> Claims:
    """What a file says of how its image was made.

    What cannot be read is said to be so; it is no error.

    Args:
        image: that was decoded from it.
        content: of the file.
        trust: by which a C2PA manifest is checked.
    """
    statements: list[Statement] = []
    manifest = read_manifest(content, trust)
    readers: dict[str, Callable[[Pillow.Image], Iterator[Statement]]] = {"PNG text": _of_png, "EXIF": _of_exif}
    for where, read in readers.items():
        try:
            statements += read(image)
        except Exception as error:  # Pillow raises many things on bad metadata; the pixels are good all the same
            statements.append(Statement(UNREADABLE, shortened(str(error)), where))
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(packet, bytes | str):
        try:
            found = xmp.read_xmp(packet)
        except xmp.XmpError as error:
            statements.append(Statement(UNREADABLE, shortened(str(error)), "XMP"))
        else:
            statements += _of_xmp(found)
            if manifest.state == ABSENT and xmp.PROVENANCE in found:
                elsewhere = f"kept elsewhere, not fetched: {shortened(found[xmp.PROVENANCE])}"
                manifest = Manifest(NOT_CHECKED, problems=(elsewhere,))
    return Claims(tuple(dict.fromkeys(statements)), manifest)


def _of_xmp(found: Mapping[str, str]) -> Iterator[Statement]:
    if value := found.get(xmp.DIGITAL_SOURCE_TYPE):
        yield Statement(SOURCE_TYPE, source_type(value), "IPTC")
    if value := found.get(xmp.AI_SYSTEM):
        yield Statement("AI system", shortened(value), "IPTC")
    if value := found.get(xmp.CREATOR_TOOL):
        yield Statement(SOFTWARE, shortened(value), "XMP")


_PNG_TEXTS = {"Software": SOFTWARE, "Source": "source", "Description": "description"}


def _of_png(image: Pillow.Image) -> Iterator[Statement]:
    if image.format != "PNG":
        return
    texts = {name: value for name, value in image.info.items() if isinstance(value, str)}
    for name, field in _PNG_TEXTS.items():
        if value := shortened(texts.get(name, "")):
            yield Statement(field, value, "PNG text")
    if "parameters" in texts:
        yield from _automatic1111(texts["parameters"], "PNG text")
    for name in ("prompt", "workflow"):
        if name in texts:
            yield from _comfyui(texts[name], "PNG text")


_EXIF = {271: "camera make", 272: "camera model", 305: SOFTWARE, 270: "description"}
_EXIF_IFD, _USER_COMMENT = 0x8769, 0x9286


def _of_exif(image: Pillow.Image) -> Iterator[Statement]:
    exif = image.getexif()
    if not exif and (raw := image.info.get("exif")):  # of broken ones, an error is raised at the first look only
        exif = Pillow.Exif()
        exif.load(raw)
    for tag, field in _EXIF.items():
        value = _decoded(exif.get(tag, ""))
        name, _, rest = value.partition(":")
        if name.lower() in ("prompt", "workflow") and rest.lstrip().startswith("{"):  # as ComfyUI writes them into WebP
            yield from _comfyui(rest, "EXIF")
        elif shown := shortened(value):
            yield Statement(field, shown, "EXIF")
    comment = exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT, "") if _EXIF_IFD in exif else ""
    text = _user_comment(comment) if isinstance(comment, bytes) else _decoded(comment)
    if _STEPS.search(text[:_LONGEST]):
        yield from _automatic1111(text, "EXIF")
    elif text.lstrip().startswith("{") and ('"class_type"' in text or '"widgets_values"' in text):
        yield from _comfyui(text, "EXIF")


def _decoded(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def _user_comment(comment: bytes) -> str:
    """The text of an EXIF UserComment, whose first eight bytes name its encoding."""
    code, text = comment[:8], comment[8:]
    if code != b"UNICODE\0":
        return text.decode("utf-8", "replace")
    # The byte order is nowhere said; of Latin text, the higher bytes are zero.
    big = text[::2].count(0) >= text[1::2].count(0)
    return text.decode("utf-16-be" if big else "utf-16-le", "replace").removeprefix("\ufeff")


_STEPS = re.compile(r"Steps: \d+")
_MODEL = re.compile(r'\bModel: ("[^"]*"|[^,\n]+)')


def _automatic1111(text: str, where: str) -> Iterator[Statement]:
    """Settings as the web interface of Automatic1111 and its kin write them: prompts, then a line ``Steps: ...``."""
    yield Statement(SETTINGS, "as Automatic1111 writes them", where)
    if len(text) > _LONGEST:
        yield Statement(UNREADABLE, _TOO_LONG, where)
        return
    settings = text[text.rfind("Steps: ") :] if "Steps: " in text else ""  # prompts could hold anything
    if found := _MODEL.search(settings):
        yield Statement(MODEL, shortened(found[1].strip('"')), where)


def _comfyui(text: str, where: str) -> Iterator[Statement]:
    """Settings as ComfyUI writes them: a JSON of nodes, as they were run (prompt) or drawn (workflow)."""
    yield Statement(SETTINGS, "as ComfyUI writes them", where)
    if len(text) > _LONGEST:
        yield Statement(UNREADABLE, _TOO_LONG, where)
        return
    try:
        models = dict.fromkeys(_checkpoints(json.loads(text.rstrip("\0"))))
    except (ValueError, RecursionError) as error:
        yield Statement(UNREADABLE, shortened(f"settings that are no JSON: {error}"), where)
        return
    yield from (Statement(MODEL, shortened(name), where) for name in list(models)[:_MODELS])


def _checkpoints(graph: Any) -> Iterator[str]:
    """Files of weights that a graph's loaders name."""
    if not isinstance(graph, dict):
        return
    drawn = graph.get("nodes")
    for node in drawn if isinstance(drawn, list) else graph.values():
        if not isinstance(node, dict):
            continue
        inputs, values = node.get("inputs"), node.get("widgets_values")
        if isinstance(inputs, dict):
            yield from (v for k in ("ckpt_name", "unet_name") if isinstance(v := inputs.get(k), str))
        loads = str(node.get("type", "")).startswith(("CheckpointLoader", "UNETLoader"))
        if loads and isinstance(values, list) and values and isinstance(values[0], str):
            yield values[0]
