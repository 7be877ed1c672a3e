"""Send one picture or PDF to the service and print its lines, each with its confidence.

    python examples/read_sync.py http://localhost:8000 receipt.jpg

Needs httpx: pip install httpx
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import httpx

TIMEOUT_SECONDS = 120.0
API_KEY = os.environ.get("API_KEY")  # for a service that asks for one
HEADERS = {"Authorization": f"Bearer {API_KEY}"} if API_KEY else {}


class Refused(Exception):
    """The service answered with a problem document (RFC 9457)."""


def read(client: httpx.Client, path: Path) -> dict[str, Any]:
    """Return the reading of one file; Refused with the reason if the service does not read it."""
    with path.open("rb") as file:
        answer = client.post("/api/ocr", files={"image": (path.name, file)})
    if not answer.is_success:
        raise Refused(problem_of(answer))
    reading: dict[str, Any] = answer.json()
    return reading


def problem_of(answer: httpx.Response) -> str:
    """Return the problem that an answer holds, in one line."""
    if answer.headers.get("content-type") != "application/problem+json":
        return f"HTTP {answer.status_code}"
    problem = answer.json()
    return f"{problem['title']} ({problem['status']}): {problem['detail']}"


def main() -> int:
    """Read the file that the command line names; the exit status is 1 if that fails."""
    if len(sys.argv) != 3:
        print("usage: read_sync.py URL FILE", file=sys.stderr)
        return 2
    service, path = sys.argv[1], Path(sys.argv[2])
    try:
        with httpx.Client(base_url=service, headers=HEADERS, timeout=TIMEOUT_SECONDS) as client:
            reading = read(client, path)
    except (Refused, httpx.HTTPError, OSError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 1
    for line in reading["lines"]:
        mark = "?" if line["needs_review"] else " "
        print(f"{line['confidence']:.2f} {mark} {line['text']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
