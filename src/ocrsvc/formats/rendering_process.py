"""A process that renders one document and ends: a hostile PDF then takes neither the service's memory nor its time.

It reads the name of a format, the document and the rendering from standard input, pickled, and writes a byte that says
how it went, followed by the file or by the problem as JSON. What becomes a document only here, because making it takes
time and memory as well, has a method ``document``.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import resource
import sys

from ocrsvc.errors import OcrError, UnmodifiablePdf, Unprocessable
from ocrsvc.formats import Format, find
from ocrsvc.results import Document

DONE, FAILED = b"D", b"F"


def main(address_bytes: int, cpu_seconds: int) -> None:
    """Render what standard input says, within these limits on address space and processor time."""
    with contextlib.suppress(OSError, ValueError):  # not all systems can set these limits
        resource.setrlimit(resource.RLIMIT_AS, (address_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    name, document, rendering = pickle.load(sys.stdin.buffer)  # noqa: S301  (from the service)
    try:
        format_ = find(name)
        answer = DONE + format_.render(
            document if isinstance(document, Document) else document.document(), rendering
        )
    except MemoryError:
        answer = _failed(too_costly(format_))
    except OcrError as error:
        answer = _failed(error)
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    os._exit(0)  # what libraries tidy up at the end does not matter


def too_costly(format_: Format) -> OcrError:
    """Return the error of a rendering that is too much for the limits."""
    if format_.needs_source:
        return UnmodifiablePdf(
            "Adding text to this file takes too much time or memory; ask for another format, such as hocr."
        )
    return Unprocessable("Writing this reading takes too much time or memory; send fewer pages.")


def _failed(error: OcrError) -> bytes:
    return FAILED + json.dumps({"slug": error.slug, "detail": error.detail}).encode()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
