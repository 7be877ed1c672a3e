"""Liveness (restart the process if it is not alive) and readiness (send it requests only if it is ready)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ocrsvc.errors import ShuttingDown, Unavailable

Phase = Literal["starting", "ready", "draining", "failed"]


@dataclass(slots=True)
class Health:
    """Phase of the process. Liveness never depends on load, because a busy process must not be restarted."""

    phase: Phase = "starting"
    failure: BaseException | None = None
    started: bool = False

    def became_ready(self) -> None:
        """Record that all models are loaded and warm."""
        if self.phase == "starting":
            self.phase = "ready"
            self.started = True

    def failed(self, error: BaseException) -> None:
        """Record that the models cannot be loaded or the engine has died; only a restart helps."""
        self.phase, self.failure = "failed", error

    def drain(self) -> None:
        """Record that a shutdown has begun: accepted requests are finished, new ones refused."""
        if self.phase != "failed":
            self.phase = "draining"

    def check_alive(self, *, engine_alive: bool) -> None:
        """Raise Unavailable if only a restart helps."""
        if self.phase == "failed":
            raise Unavailable("The models could not be loaded; the log has the cause.", phase=self.phase)
        if self.phase == "ready" and not engine_alive:
            raise Unavailable("The recogniser has stopped working.", phase="failed")

    def check_started(self) -> None:
        """Raise Unavailable until the models have been loaded once."""
        if self.started:
            return
        if self.phase == "failed":
            raise Unavailable("The models could not be loaded; the log has the cause.", phase=self.phase)
        raise Unavailable("The models are being loaded.", retry_after_seconds=2, phase=self.phase)

    def check_open(self, *, engine_alive: bool, given_up: bool) -> None:
        """Raise Unavailable if a request would not be answered.

        One that comes over an open connection as a shutdown begins is: its client cannot know yet.
        """
        if self.phase != "draining" or given_up:
            self.check_ready(engine_alive=engine_alive)

    def check_ready(self, *, engine_alive: bool) -> None:
        """Raise Unavailable if requests should go elsewhere."""
        self.check_alive(engine_alive=engine_alive)
        if self.phase == "starting":
            raise Unavailable("The models are being loaded.", retry_after_seconds=2, phase=self.phase)
        if self.phase == "draining":
            raise ShuttingDown("The service is shutting down.", retry_after_seconds=2, phase=self.phase)
