"""Read files with a client that is made from the document of the service.

One request for the first file, and one for all of them.

    pip install openapi-python-client
    openapi-python-client generate --url http://localhost:8000/openapi.json \
        --config openapi-python-client.yaml --meta none --output-path ocrsvc_api
    python read.py http://localhost:8000 receipt.jpg other.png
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from ocrsvc_api.api.reading import read, read_many
from ocrsvc_api.client import AuthenticatedClient, Client
from ocrsvc_api.models import BatchLine, Mode, PictureForm, PicturesForm, Problem, Reading
from ocrsvc_api.types import File


def opened(path: Path) -> File:
    """Return a file as the generated client takes it."""
    return File(payload=path.open("rb"), file_name=path.name, mime_type="application/octet-stream")


def main(url: str, paths: list[Path]) -> int:
    """Read the files; the exit status is 1 if one of them fails."""
    key = os.environ.get("API_KEY")  # for a service that asks for one
    client = AuthenticatedClient(url, token=key) if key else Client(url)
    one = read.sync(client=client, body=PictureForm(image=opened(paths[0])), mode=Mode.AUTO)
    if not isinstance(one, Reading):
        print(described(one), file=sys.stderr)
        return 1
    for line in one.lines:
        print(f"{line.confidence:.2f} {line.text}")

    many = read_many.sync_detailed(client=client, body=PicturesForm(images=[opened(path) for path in paths]))
    if isinstance(many.parsed, Problem):
        print(described(many.parsed), file=sys.stderr)
        return 1
    status = 0
    for text in many.content.splitlines():  # JSON Lines
        reading = BatchLine.from_dict(json.loads(text))
        print(f"--- {reading.file}")
        if isinstance(reading.error, Problem):
            print(f"{reading.file}: {described(reading.error)}", file=sys.stderr)
            status = 1
        else:
            print(reading.text)
    return status


def described(problem: Problem | None) -> str:
    """Return a problem document as one line."""
    return f"{problem.title} ({problem.status}): {problem.detail}" if problem else "no answer"


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: read.py URL FILE...")
    sys.exit(main(sys.argv[1], [Path(name) for name in sys.argv[2:]]))
