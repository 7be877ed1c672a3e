"""Send several pictures or PDFs to the service at once and print their texts in the order of the command line.

    python examples/read_async.py http://localhost:8000 scans/*.jpg

The service answers 503 with Retry-After while it is busy: the file is then sent again.
Needs httpx: pip install httpx
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import httpx

TIMEOUT_SECONDS = 120.0
API_KEY = os.environ.get("API_KEY")  # for a service that asks for one
HEADERS = {"Authorization": f"Bearer {API_KEY}"} if API_KEY else {}
CONCURRENT_REQUESTS = 8
MAX_ATTEMPTS = 5


class Refused(Exception):
    """The service answered with a problem document (RFC 9457)."""


async def read(client: httpx.AsyncClient, path: Path) -> str:
    """Return the text of one file; Refused with the reason if the service does not read it."""
    content = await asyncio.to_thread(path.read_bytes)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        answer = await client.post("/api/ocr", content=content, headers={"Accept": "text/plain"})
        if answer.is_success:
            return answer.text
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or attempt == MAX_ATTEMPTS:
            break
        await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
    raise Refused(problem_of(answer))


def problem_of(answer: httpx.Response) -> str:
    """Return the problem that an answer holds, in one line."""
    if answer.headers.get("content-type") != "application/problem+json":
        return f"HTTP {answer.status_code}"
    problem = answer.json()
    return f"{problem['title']} ({problem['status']}): {problem['detail']}"


async def read_all(service: str, paths: list[Path]) -> int:
    """Read all files, print their texts, and return 1 if any of them failed, else 0."""
    free = asyncio.Semaphore(CONCURRENT_REQUESTS)

    async def read_one(client: httpx.AsyncClient, path: Path) -> str:
        async with free:
            return await read(client, path)

    async with httpx.AsyncClient(base_url=service, headers=HEADERS, timeout=TIMEOUT_SECONDS) as client:
        texts = await asyncio.gather(*(read_one(client, path) for path in paths), return_exceptions=True)
    status = 0
    for path, text in zip(paths, texts, strict=True):
        if isinstance(text, str):
            print(f"--- {path}\n{text}", end="")
        elif isinstance(text, Refused | httpx.HTTPError | OSError):
            print(f"{path}: {text}", file=sys.stderr)
            status = 1
        else:
            raise text
    return status


def main() -> int:
    """Read the files that the command line names; the exit status is 1 if one of them fails."""
    if len(sys.argv) < 3:
        print("usage: read_async.py URL FILE...", file=sys.stderr)
        return 2
    return asyncio.run(read_all(sys.argv[1], [Path(name) for name in sys.argv[2:]]))


if __name__ == "__main__":
    sys.exit(main())
