"""Whether this process is alive (restart it otherwise) and whether it is ready (send it requests)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ocrsvc.errors import ShuttingDown, Unavailable

Phase = Literal["starting", "ready", "draining", "failed"]


@dataclass(slots=True)
class Health:
    """The phase of the process. Liveness never depends on load: a busy process must not be restarted."""

    phase: Phase = "starting"
    failure: BaseException | None = None

    def became_ready(self) -> None:
        """All models are loaded and warm."""
        if self.phase == "starting":
            self.phase = "ready"

    def failed(self, error: BaseException) -> None:
        """The models cannot be loaded, or the engine has died: only a new process helps."""
        self.phase, self.failure = "failed", error

    def drain(self) -> None:
        """A shutdown has begun: finish what is here, take nothing new."""
        if self.phase != "failed":
            self.phase = "draining"

    def check_alive(self, *, engine_alive: bool) -> None:
        """Raise Unavailable if only a restart helps."""
        if self.phase == "failed":
            raise Unavailable("The models could not be loaded; the log tells why.", phase=self.phase)
        if self.phase == "ready" and not engine_alive:
            raise Unavailable("The recogniser has stopped working.", phase="failed")

    def check_ready(self, *, engine_alive: bool) -> None:
        """Raise Unavailable if a request that comes now would not be answered."""
        self.check_alive(engine_alive=engine_alive)
        if self.phase == "starting":
            raise Unavailable("The models are being loaded.", retry_after_seconds=2, phase=self.phase)
        if self.phase == "draining":
            raise ShuttingDown("The service is shutting down.", retry_after_seconds=2, phase=self.phase)
