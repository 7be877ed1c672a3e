"""Serves /metrics on a port of its own, which need not be reachable by those who use the service."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ocrsvc.service.metrics import CONTENT_TYPE, Metrics
from ocrsvc.service.protocol import BoundedProtocol

logger = logging.getLogger("ocrsvc.service")


class MetricsServer(uvicorn.Server):
    """Second server on the event loop of the first, which handles signals and says when to end."""

    def __init__(self, metrics: Metrics, *, host: str, port: int) -> None:
        async def answer(_: Request) -> Response:
            return Response(metrics.render(), media_type=CONTENT_TYPE)

        config = uvicorn.Config(
            Starlette(routes=[Route("/metrics", answer)]),
            host=host,
            port=port,
            http=BoundedProtocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the first server."""
        yield

    def _log_started_message(self, listeners: object) -> None:
        """Name the port; uvicorn's own message is that of the service."""
        ports = [each.getsockname()[1] for server in self.servers for each in server.sockets]
        logger.info("metrics have a port of their own", extra={"port": ports[0] if ports else None})
