"""The command ``label-studio-ocrsvc``: ``serve`` the backend, ``export`` corrected lines."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn

from label_studio_ocrsvc.backend import application
from label_studio_ocrsvc.export import write_lines
from label_studio_ocrsvc.pictures import Pictures
from ocrsvc import OCR, Client


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="label-studio-ocrsvc", description=__doc__)
    commands = parser.add_subparsers(required=True)
    serve = commands.add_parser(
        "serve", help="serve predictions to Label Studio; LABEL_STUDIO_API_KEY is its token"
    )
    serve.add_argument("--label-studio", default="http://localhost:8080", help="its address (%(default)s)")
    serve.add_argument(
        "--from", dest="origins", action="append", default=[], help="further origin of pictures"
    )
    serve.add_argument("--url", help="address of an ocrsvc service (default: read in this process)")
    serve.add_argument("--api-key-file", type=Path, help="file with the key of that service")
    serve.add_argument("--model", help="name of a recogniser")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument("--port", type=int, default=9090, help="(%(default)s)")
    serve.set_defaults(run=_serve)
    export = commands.add_parser(
        "export", help="cut the corrected lines of a JSON export out of their pictures"
    )
    export.add_argument("export", type=Path, help="JSON file of Label Studio")
    export.add_argument("--pictures", type=Path, required=True, help="folder with the pictures of the tasks")
    export.add_argument("--out", type=Path, required=True, help="folder for manifest.jsonl and img/")
    export.set_defaults(run=_export)
    given = parser.parse_args(arguments)
    status: int = given.run(given)
    return status


def _serve(given: argparse.Namespace) -> int:
    options: dict[str, Any] = {}
    reader: OCR | Client
    if given.url is None:
        reader = OCR(model=given.model)
    else:
        key = given.api_key_file.read_text("utf-8").strip() if given.api_key_file is not None else None
        reader = Client(given.url, api_key=key)
        options["model"] = given.model
    pictures = Pictures(given.label_studio, os.environ.get("LABEL_STUDIO_API_KEY"), given.origins)
    with reader:
        uvicorn.run(application(reader, pictures, options), host=given.host, port=given.port)
    pictures.close()
    return 0


def _export(given: argparse.Namespace) -> int:
    try:
        done = write_lines(given.export, given.pictures, given.out)
    except (ValueError, OSError) as error:
        print(f"label-studio-ocrsvc: {error}", file=sys.stderr)
        return 1
    for reason in done.left_out:
        print(f"left out: {reason}", file=sys.stderr)
    print(f"{done.lines} lines in {given.out / 'manifest.jsonl'}, {len(done.left_out)} left out")
    return 0 if done.lines else 1


if __name__ == "__main__":
    sys.exit(main())
