"""Renders in processes of their own what is made of bytes that a client sent: its document, its reading."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pickle
import sys

from ocrsvc.errors import by_slug
from ocrsvc.formats import Format, Rendering
from ocrsvc.formats.rendering_process import DONE, FAILED, too_costly
from ocrsvc.results import Document
from ocrsvc.service.given_reading import GivenReading

_AT_ONCE = 2  # each may take the memory below
_MEMORY_BYTES, _MEMORY_PER_INPUT = 2**30, 6  # address space: this, and so many times the input
_CPU_SECONDS = 60  # 20 pages take a tenth of a second; compressing 64 million pixels takes ten
_END_SECONDS = 5.0  # from the end of the answer to that of the process
_CHUNK_BYTES = 1 << 18


class IsolatedRendering:
    """Starts a process for each rendering, a few at a time, and kills it if nobody waits for it any more."""

    def __init__(self, *, memory_bytes: int = _MEMORY_BYTES) -> None:
        self._memory_bytes = memory_bytes
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def render(self, format_: Format, document: Document | GivenReading, rendering: Rendering) -> bytes:
        """Return the document in this format; raises what its renderer raises, UnmodifiablePdf at a limit.

        A reading that a client has given becomes a document in the process; Unprocessable at a limit without a source.
        """
        message = pickle.dumps((format_.name, document, rendering))
        most = self._memory_bytes + _MEMORY_PER_INPUT * len(rendering.source or b"")
        async with self._places:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "ocrsvc.formats.rendering_process"),
                *(str(most), str(_CPU_SECONDS)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in a terminal must reach only the service
            )
            try:
                answer = await _exchange(process, message, most, format_)
                async with asyncio.timeout(_END_SECONDS):
                    await process.wait()
            except BaseException:
                # Not always: to kill a process that has just ended takes its status away from asyncio.
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                raise
        if answer[:1] == FAILED:
            problem = json.loads(answer[1:])
            raise by_slug(problem["slug"])(problem["detail"])
        if answer[:1] != DONE:
            raise too_costly(format_)
        return bytes(memoryview(answer)[1:])


async def _exchange(
    process: asyncio.subprocess.Process, message: bytes, most_bytes: int, format_: Format
) -> bytearray:
    """Send ``message`` and return the answer; an error for more than ``most_bytes``."""
    assert process.stdin is not None  # noqa: S101  (for the type checker)
    assert process.stdout is not None  # noqa: S101
    process.stdin.write(message)
    with contextlib.suppress(ConnectionError):  # it has ended; what it said before counts
        await process.stdin.drain()
    process.stdin.close()
    answer = bytearray()
    while chunk := await process.stdout.read(_CHUNK_BYTES):
        answer += chunk
        if len(answer) > most_bytes:
            raise too_costly(format_)
    return answer
