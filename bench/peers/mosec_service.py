"""The same model in mosec with its dynamic batching: ``workers`` processes that take batches off its queue.

    PYTHONPATH=bench python -m peers.mosec_service --port 8001 --model crnn --precision int8

POST /inference with the picture as the body gives ``{"text"}``.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

import mosec

from peers.reading import Line, Reading
from peers.service import Service, parse

_SERVICE = "OCRSVC_BENCH_SERVICE"  # mosec makes the worker in its process without arguments
_TIMEOUT_MS = 60_000


class Reader(mosec.Worker):
    """Decodes and reads in one process: a second stage would send pixels from process to process."""

    def __init__(self) -> None:
        super().__init__()
        service = Service(**json.loads(os.environ[_SERVICE]))
        self._reading = Reading(service.model, service.precision)

    def deserialize(self, data: bytes) -> Line:
        """Return the picture of the request, decoded and scaled."""
        return self._reading.fit(data)

    def forward(self, data: list[Line]) -> list[dict[str, str]]:
        """Read a batch of lines."""
        return [{"text": text} for text in self._reading.read(data)]


if __name__ == "__main__":
    service = parse(__doc__)
    os.environ[_SERVICE] = json.dumps(asdict(service))
    server = mosec.Server()
    server.append_worker(
        Reader, num=service.workers, max_batch_size=service.max_batch, max_wait_time=service.wait_ms
    )
    # It reads the command line itself.
    sys.argv[1:] = ["--address", "127.0.0.1", "--port", str(service.port), "--timeout", str(_TIMEOUT_MS)]
    sys.argv += ["--log-level", "warning"]
    server.run()
