"""``ocrsvc serve``: runs the application in uvicorn; a shutdown answers accepted requests first."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType

import uvicorn

from ocrsvc.errors import EngineFailure, Unavailable
from ocrsvc.machine.processes import SAME_SIGNAL_SECONDS, STUCK_STATUS
from ocrsvc.service import native_messages
from ocrsvc.service.app import create_app
from ocrsvc.service.door import Door
from ocrsvc.service.logs import configuration
from ocrsvc.service.metrics_server import MetricsServer
from ocrsvc.service.process_group import ProcessGroup
from ocrsvc.service.protocol import guarded
from ocrsvc.service.state import Service
from ocrsvc.settings import Settings

logger = logging.getLogger("ocrsvc.service")

# Longer than the 60 s of common load balancers. If the service closed idle connections first, a request in transit
# would be lost (a 502 at the client).
KEEP_ALIVE_SECONDS = 75
_JOIN_SECONDS = 1.0  # longest wait for remaining threads once all requests are answered
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(
    settings: Settings, sockets: Sequence[socket.socket] = (), group: ProcessGroup | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, finish accepted requests, and return.

    ``sockets`` are bound already, and perhaps shared with other processes. If given, the service listens on them, not
    on the port of its settings, and only once the models are ready. ``group``: the other processes.

    Raises Unavailable if the models cannot be loaded, SystemExit if the port cannot be opened or the recogniser stops
    working. A second signal ends the process at once.
    """
    app = create_app(settings, load_first=bool(sockets) or settings.listen_when_ready, group=group)
    service: Service = app.state.service
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=configuration(settings.log_level, settings.log_format),
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds),
        ws="none",
    )
    config.http = guarded(Door(service, config.forwarded_allow_ips))
    server = _Server(config, service)
    with native_messages.logged():
        server.run(list(sockets) or None)
    if service.health.failure is not None and service.health.started:
        logger.critical("the recogniser has stopped working: leaving")
        raise SystemExit(STUCK_STATUS)
    if service.health.failure is not None:
        raise Unavailable(f"The models could not be loaded: {service.health.failure}")
    _leave_threads_behind()


class _Server(uvicorn.Server):
    """uvicorn server that tells the service at once when a shutdown begins, and then exits with status 0."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told_at: float | None = None
        self._metrics: MetricsServer | None = None
        self._metrics_task: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, and the second server if the metrics have a port of their own."""
        await super().startup(sockets)
        port = self._service.settings.metrics_port
        if self._service.watchdog is not None:
            self._service.watchdog.start()
        if port is not None and self.started:
            self._metrics = MetricsServer(self._service.metrics, host=self.config.host, port=port)
            self._metrics_task = asyncio.create_task(self._metrics.serve())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down as uvicorn does; the metrics can be read until then."""
        await super().shutdown(sockets)
        if self._service.watchdog is not None:
            self._service.watchdog.stop()
        if self._metrics is not None and self._metrics_task is not None:
            self._metrics.should_exit = True
            await self._metrics_task

    async def on_tick(self, counter: int) -> bool:
        # A process without models is useless: exit, so that its supervisor sees the failure and its cause.
        health = self._service.health
        if health.phase == "ready" and not self._service.engine_alive:
            health.failed(EngineFailure("The scheduler has stopped."))
        if health.phase == "failed":
            self.should_exit = True
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do as uvicorn, but do not raise the signal again at the end, so that a clean shutdown has status 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._loop = asyncio.get_running_loop()
        previous = {each: signal.signal(each, self.handle_exit) for each in _SIGNALS}
        try:
            yield
        finally:
            # Ignore a second signal of an impatient supervisor: the default handler would kill the process.
            told = bool(self._captured_signals)
            for each, handler in previous.items():
                signal.signal(each, signal.SIG_IGN if told else handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; end the process at a second signal, without a word, because logging may be interrupted here.

        A supervisor may send SIGTERM to a process and to its parent, which passes it on: that is one signal.
        """
        now = time.monotonic()
        if self._told_at is None:
            self._told_at = now
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._service.drain)
        elif sig == signal.SIGINT or now - self._told_at > SAME_SIGNAL_SECONDS:
            os._exit(128 + sig)
        super().handle_exit(sig, frame)


def _leave_threads_behind() -> None:
    """Exit with status 0 even if threads are still running, because Python would wait for them.

    A picture may take minutes to decode, and a codec cannot be stopped.
    """
    until = time.monotonic() + _JOIN_SECONDS
    others = [
        each for each in threading.enumerate() if each is not threading.main_thread() and not each.daemon
    ]
    for thread in others:
        thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() for thread in others) and threading.current_thread() is threading.main_thread():
        logger.warning("leaving threads behind that do not end", extra={"threads": len(others)})
        logging.shutdown()
        os._exit(0)
