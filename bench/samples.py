"""What a running server holds, looked at again and again: memory, descriptors, threads, processes, work inside."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields

import exchange
import psutil
import serving
from exchange import Client

REQUESTS_INSIDE = "ocrsvc_requests_inside"
LINES_OUTSTANDING = "ocrsvc_lines_outstanding"
PIXELS_INSIDE = "ocrsvc_decode_pixels_inflight"
_MEGABYTE = 1e6


@dataclass(frozen=True)
class Sample:
    """One look, ``seconds`` after the first. Processes are the server and its decoders; other figures of them all.

    ``own_megabytes`` is the RSS of the server's own process, ``megabytes`` of all, where shared pages count in each.
    """

    seconds: float
    requests: int  # answered so far
    own_megabytes: float
    megabytes: float
    descriptors: int
    threads: int
    processes: int
    requests_inside: float
    pixels_inside: float


async def gauges(port: int) -> dict[str, float]:
    """Return all samples of /metrics by name and labels, asked over a connection of its own."""
    answer = await Client(port).ask(exchange.request(b"", "/metrics", method="GET"), fresh=True)
    lines = (line for line in answer.body.decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


class Sampler:
    """Takes ``samples`` of a server while it is ``watching``. ``count`` says how many requests have been answered."""

    def __init__(self, server: serving.Server) -> None:
        self.samples: list[Sample] = []
        self.requests = 0
        self._server = server
        self._begun = time.monotonic()

    async def look(self) -> Sample:
        """Take one sample."""
        values = await gauges(self._server.port)
        own = megabytes = 0.0
        descriptors = threads = processes = 0
        for process in self._server.tree():
            with contextlib.suppress(psutil.NoSuchProcess), process.oneshot():
                rss = process.memory_info().rss / _MEGABYTE
                descriptors += process.num_fds()
                threads += process.num_threads()
                megabytes, processes = megabytes + rss, processes + 1
                own = rss if process.pid == self._server.process.pid else own
        sample = Sample(
            round(time.monotonic() - self._begun, 1),
            self.requests,
            round(own, 2),
            round(megabytes, 2),
            descriptors,
            threads,
            processes,
            values[REQUESTS_INSIDE],
            values[PIXELS_INSIDE],
        )
        self.samples.append(sample)
        return sample

    @contextlib.asynccontextmanager
    async def watching(self, every_seconds: float) -> AsyncIterator[None]:
        """Take a sample now and again for the time of the block."""

        async def watch() -> None:
            while True:
                await self.look()
                await asyncio.sleep(every_seconds)

        task = asyncio.create_task(watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def settle(self, patience_seconds: float = 60.0) -> Sample:
        """Return a sample once nothing is inside, or after the patience."""
        until = time.monotonic() + patience_seconds
        while True:
            sample = await self.look()
            if not (sample.requests_inside or sample.pixels_inside) or time.monotonic() > until:
                return sample
            await asyncio.sleep(0.2)


def columns(samples: Sequence[Sample]) -> dict[str, list[float]]:
    """Return the samples by field, which is shorter as JSON."""
    return {each.name: [getattr(sample, each.name) for sample in samples] for each in fields(Sample)}


def slope_per_hour(samples: Sequence[Sample], name: str) -> float:
    """Return how a figure moved in the second half of the time, by least squares, in an hour."""
    late = [sample for sample in samples if sample.seconds >= samples[-1].seconds / 2]
    if len(late) < 2:
        return 0.0
    hours, values = [each.seconds / 3600 for each in late], [getattr(each, name) for each in late]
    return statistics.linear_regression(hours, values).slope
