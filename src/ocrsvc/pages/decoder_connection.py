"""Connection of the service to one decoder process: start it, ask it, end it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from ocrsvc.errors import Unavailable
from ocrsvc.pages import messages

logger = logging.getLogger("ocrsvc.decoders")

_JOIN_SECONDS = 5.0  # time limit for a killed process to end


class DecoderConnection:
    """One process and its socket; Unavailable if it cannot be started. All methods except ``kill`` block."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # so that it finds the same modules
            "OPENBLAS_NUM_THREADS": "1",
        }
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "ocrsvc.pages.decoder_process", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,  # codecs write warnings about damaged pictures
                    # Ctrl-C in a terminal must reach only the service, which finishes its running requests.
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise _unavailable(str(error)) from error
        self._connection = ours
        self._killed = False
        self.last_input: int | None = None
        try:
            messages.receive(ours, most_files=0)  # the process reports that it is ready
        except messages.Closed as error:
            raise _unavailable(f"it ended with status {self.end()}") from error

    @property
    def usable(self) -> bool:
        """Return whether the process runs and was not killed."""
        return not self._killed and self._process.poll() is None

    def ask(self, message: dict[str, Any], files: Sequence[int]) -> dict[str, Any]:
        """Return the answer to a message, or ``{"ended": "memory" | "seconds" | "crash"}`` if the process ended."""
        self.last_input = message["input"]
        try:
            messages.send(self._connection, message, files)
            answer, _ = messages.receive(self._connection, most_files=0)
        except messages.Closed:
            killed = self._killed
            status = self.end()
        else:
            return answer
        if status == -signal.SIGXCPU:
            return {"ended": "seconds"}
        if not killed:
            logger.warning("a decoder process has ended", extra={"status": status})
        return {"ended": "memory" if status == -signal.SIGKILL else "crash"}

    def kill(self) -> None:
        """Kill the process without waiting for its end."""
        self._killed = True
        self._process.kill()

    def end(self) -> int | None:
        """Kill the process and return its exit status; None if it takes too long to end."""
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_JOIN_SECONDS)
        self._connection.close()
        return self._process.returncode


def _unavailable(cause: str) -> Unavailable:
    return Unavailable(f"No process that decodes pictures can be started: {cause}.", retry_after_seconds=5)
