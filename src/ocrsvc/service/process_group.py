"""Metrics of several processes behind one port: whichever of them is asked there answers for all.

Otherwise each scrape would show the counters of another process, and rates would be wrong. The processes hand each
other their metrics through Unix sockets in a folder that their parent has made, so that no port and no access to the
service is needed. Their series differ in the label ``process``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger("ocrsvc.service")

_PATIENCE_SECONDS = 2.0  # for a process whose event loop is busy; Prometheus itself gives up after 10
_UP = "ocrsvc_process_up"
_UP_HEAD = [f"# HELP {_UP} 1 if the process gave its metrics.", f"# TYPE {_UP} gauge"]


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """Place of this process among ``count`` others: its ``number`` from 0, their ``folder``, their ``port``."""

    folder: Path
    number: int
    count: int
    port: int

    def socket_path(self, number: int) -> Path:
        """Return where the process of this number gives its metrics."""
        return self.folder / f"{number}.sock"


class SharedMetrics:
    """Gives the metrics of this process to the others of its group, and collects those of all."""

    def __init__(self, group: ProcessGroup, render: Callable[[], bytes]) -> None:
        self._group = group
        self._render = render
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to answer the other processes."""
        path = self._group.socket_path(self._group.number)
        path.unlink(missing_ok=True)  # of a process in this place that was killed
        try:
            self._server = await asyncio.start_unix_server(self._answer, path)
        except OSError as error:
            logger.warning("the metrics are not shared", extra={"cause": str(error)})

    def close(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.close()

    async def collect(self) -> bytes:
        """Return the metrics of all processes; one that does not answer has ``ocrsvc_process_up`` 0."""
        numbers = range(self._group.count)
        texts = await asyncio.gather(*(self._text(number) for number in numbers))
        return merged({str(number): text for number, text in zip(numbers, texts, strict=True)})

    async def _text(self, number: int) -> str | None:
        if number == self._group.number:
            return self._render().decode()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self._group.socket_path(number))
                try:
                    return (await reader.read()).decode()
                finally:
                    writer.close()
        return None

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(self._render())
            await writer.drain()
        writer.close()


def merged(texts: Mapping[str, str | None]) -> bytes:
    """Return one exposition of several; each sample gets the label ``process``, and a family is in one piece.

    ``texts``: the metrics of each process, in the text format as prometheus_client writes it; None if it gave none.
    """
    heads: dict[str, list[str]] = {_UP: _UP_HEAD}
    samples: dict[str, list[str]] = {_UP: []}
    for process, text in texts.items():
        label = f'process="{process}"'
        samples[_UP].append(f"{_UP}{{{label}}} {float(text is not None)}")
        family = ""
        for line in (text or "").splitlines():
            if line.startswith("# HELP "):
                family = line.split(" ", 3)[2]
                heads[family] = [line]
                samples.setdefault(family, [])
            elif line.startswith("#"):
                heads[family].append(line)
            else:
                samples[family].append(_labelled(line, label))
    lines = [line for family, head in heads.items() for line in (*head, *samples[family])]
    return ("\n".join(lines) + "\n").encode()


def _labelled(sample: str, label: str) -> str:
    name, brace, rest = sample.partition("{")
    if brace and " " not in name:
        return f"{name}{{{label},{rest}"
    name, _, value = sample.partition(" ")
    return f"{name}{{{label}}} {value}"
