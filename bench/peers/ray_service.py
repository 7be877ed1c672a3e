"""The same model in Ray Serve with its dynamic batching: ``workers`` replicas with ``@serve.batch``.

    PYTHONPATH=bench python -m peers.ray_service --port 8001 --model crnn --precision int8

POST / with the picture as the body gives ``{"text"}``.
"""

from __future__ import annotations

import signal
import threading
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

from peers.reading import Line, Reading
from peers.service import Service, parse


def application(service: Service) -> Any:
    """Return the deployment, bound to its arguments."""

    class Reader:
        """A replica: decodes and reads in its own process."""

        def __init__(self) -> None:
            self._reading = Reading(service.model, service.precision)

        @serve.batch(max_batch_size=service.max_batch, batch_wait_timeout_s=service.wait_ms / 1000)
        async def read(self, lines: list[Line]) -> list[str]:
            """Read a batch of lines. This blocks the replica's loop, which has no other core to use meanwhile."""
            return self._reading.read(lines)

        async def __call__(self, request: Request) -> dict[str, str]:
            line = self._reading.fit(await request.body())
            return {"text": await self.read(line)}

    deployed = serve.deployment(
        num_replicas=service.workers, max_ongoing_requests=256, ray_actor_options={"num_cpus": 1}
    )
    return deployed(Reader).bind()


if __name__ == "__main__":
    service = parse(__doc__)
    # A core for each replica, and those that Serve's own actors ask for.
    ray.init(num_cpus=service.workers + 2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": service.port})
    serve.run(application(service))
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    done.wait()
    serve.shutdown()
    ray.shutdown()
