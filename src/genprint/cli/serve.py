"""The command that serves."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated

import typer

from genprint.cli.common import errors, tell
from genprint.cli.loading import load_model
from genprint.cli.options import DEFAULT_GALLERY, GalleryFile, Model


def serve(
    gallery: GalleryFile = DEFAULT_GALLERY,
    host: Annotated[str, typer.Option(help="Address to listen on; any but this machine's own needs --token-file.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(exists=True, help="Lines 'read TOKEN' or 'enroll TOKEN'; enroll includes read."),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.0001, max=0.5, help="False attributions wanted at most.")] = 0.05,
    originals: Annotated[
        bool,
        typer.Option(
            help="Keep up to 32 images of each source that is enrolled here, for processed probes; never served."
        ),
    ] = False,
    model: Model = None,
) -> None:
    """Serves the API (OpenAPI at /openapi.json) and a page over one gallery.

    A gallery that is there is read by the model it was enrolled with; a new one by --model, else by the model for
    thumbnails.

    Stops on Ctrl-C or SIGTERM when the requests it has begun are done.
    """
    with errors():
        import uvicorn

        from genprint.gallery.store import GalleryStore
        from genprint.service.app import create_app
        from genprint.service.settings import Tokens, is_loopback

        if token_file is None and not is_loopback(host):
            raise ValueError(f"--host {host} lets others in: give --token-file, or listen on 127.0.0.1")
        listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        loaded = load_model(model, gallery=GalleryStore(gallery, None))
        app = create_app(loaded, gallery, Tokens(token_file), rate=rate, originals=originals)
        config = uvicorn.Config(
            app, server_header=False, log_level="warning", timeout_graceful_shutdown=60,
            h11_max_incomplete_event_size=16384,
        )  # fmt: skip
        tell(f"serving {gallery} on http://{host}:{listening.getsockname()[1]}")
        uvicorn.Server(config).run(sockets=[listening])
