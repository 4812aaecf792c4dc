"""XMP packets (ISO 16684-1), as far as they say how an image was made. Read without entities, and not without end."""

from __future__ import annotations

from xml.parsers import expat

LONGEST = 2**20  # bytes of a packet; longer ones are not read

_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
#: Properties that are read, by namespace and name.
DIGITAL_SOURCE_TYPE = f"{_IPTC} DigitalSourceType"
AI_SYSTEM = f"{_IPTC} AISystemUsed"
CREATOR_TOOL = "http://ns.adobe.com/xap/1.0/ CreatorTool"
PROVENANCE = "http://purl.org/dc/terms/ provenance"
_WANTED = (DIGITAL_SOURCE_TYPE, AI_SYSTEM, CREATOR_TOOL, PROVENANCE)
_RESOURCE = "http://www.w3.org/1999/02/22-rdf-syntax-ns# resource"


class XmpError(ValueError):
    """The packet cannot be read; the message says why."""


def read_xmp(packet: bytes | str) -> dict[str, str]:
    """Those of the properties above that a packet holds: as attributes, elements, or references to a resource.

    Raises:
        XmpError: it is no whole XML, is longer than ``LONGEST``, or declares a document type, which XMP has not: by
            that, a few lines could expand to gigabytes, or refer to files.
    """
    content = (packet.encode() if isinstance(packet, str) else packet).rstrip(b"\0 ")
    if len(content) > LONGEST:
        raise XmpError(f"longer than {LONGEST >> 20} MiB")
    found: dict[str, str] = {}
    open_name, text = "", [""]

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal open_name, text
        found.update({wanted: value for wanted, value in attributes.items() if wanted in _WANTED})
        if name in _WANTED:
            open_name, text = name, [attributes.get(_RESOURCE, "")]

    def characters(more: str) -> None:
        if open_name:
            text.append(more)

    def end(name: str) -> None:
        nonlocal open_name
        if name == open_name:
            found[name], open_name = "".join(text), ""

    def refuse(*_: object) -> None:
        raise XmpError("it declares a document type")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, characters
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, UnicodeError, LookupError) as error:
        raise XmpError(str(error)) from None
    return {name: value.strip() for name, value in found.items() if value.strip()}
