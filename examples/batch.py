"""Send many files in one request to /api/ocr/batch and print each text as soon as it arrives.

    python examples/batch.py http://localhost:8000 scans/*.jpg

The answer is JSON Lines, in the order in which the files are finished. A file that cannot be read has an error
instead of a text; the other files are still read.
Needs httpx: pip install httpx
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

TIMEOUT_SECONDS = 120.0
API_KEY = os.environ.get("API_KEY")  # for a service that asks for one
HEADERS = {"Authorization": f"Bearer {API_KEY}"} if API_KEY else {}


class Refused(Exception):
    """The service answered with a problem document (RFC 9457)."""


def readings(client: httpx.Client, paths: list[Path]) -> Iterator[dict[str, Any]]:
    """Yield one object for each file as it is finished; Refused if the service refuses the whole request."""
    with ExitStack() as stack:
        files = [("images", (path.name, stack.enter_context(path.open("rb")))) for path in paths]
        answer = stack.enter_context(client.stream("POST", "/api/ocr/batch", files=files))
        if not answer.is_success:
            answer.read()
            raise Refused(problem_of(answer))
        yield from map(json.loads, answer.iter_lines())


def problem_of(answer: httpx.Response) -> str:
    """Return the problem that an answer holds, in one line."""
    if answer.headers.get("content-type") != "application/problem+json":
        return f"HTTP {answer.status_code}"
    return described(answer.json())


def described(problem: dict[str, Any]) -> str:
    """Return a problem document as one line."""
    return f"{problem['title']} ({problem['status']}): {problem['detail']}"


def main() -> int:
    """Read the files that the command line names; the exit status is 1 if one of them fails."""
    if len(sys.argv) < 3:
        print("usage: batch.py URL FILE...", file=sys.stderr)
        return 2
    service, paths = sys.argv[1], [Path(name) for name in sys.argv[2:]]
    status = 0
    try:
        with httpx.Client(base_url=service, headers=HEADERS, timeout=TIMEOUT_SECONDS) as client:
            for reading in readings(client, paths):
                path = paths[reading["index"]]
                if "error" in reading:
                    print(f"{path}: {described(reading['error'])}", file=sys.stderr)
                    status = 1
                else:
                    print(f"--- {path}\n{reading['text']}", flush=True)
    except (Refused, httpx.HTTPError, OSError) as error:
        print(f"batch.py: {error}", file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
