"""Log lines: one JSON object each on standard output. No image bytes, no recognised text, no file names.

Nobody waits for the log: a thread writes it, and lines that a full pipe does not take are dropped and counted.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import queue
import threading
import time
from typing import Any

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """Writes time (UTC), level, logger, event and the record's extra fields; a traceback as one member."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Any] = {
            "ts": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class PatientHandler(logging.Handler):
    """Writes lines to a file descriptor from a thread of its own, in their order.

    While nobody reads the pipe, up to ``waiting_lines`` wait and further ones are dropped; a line then says how many.
    """

    def __init__(self, descriptor: int = 1, waiting_lines: int = 4096) -> None:
        super().__init__()
        self.dropped = 0
        self._untold = 0
        self._descriptor = descriptor
        self._lines: queue.Queue[bytes] = queue.Queue(waiting_lines)
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Put the line behind those that wait; the caller holds the handler's lock."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="ocrsvc-log", daemon=True)
            self._thread.start()
        line = self.format(record) + "\n"
        if self._untold and not self._lines.full():
            line = self.format(_of_dropped(self._untold)) + "\n" + line
            self._untold = 0
        try:
            self._lines.put_nowait(line.encode("utf-8", "backslashreplace"))
        except queue.Full:
            self.dropped += 1
            self._untold += 1

    def flush(self, patience_seconds: float = 1.0) -> None:
        """Wait until all lines are written, but not for a pipe that nobody reads."""
        until = time.monotonic() + patience_seconds
        while self._lines.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.002)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except OSError:  # whoever read has gone: there is nobody to tell
                self.dropped += 1
            self._lines.task_done()


def dropped_lines() -> int:
    """How many lines of the log could not be written."""
    return sum(each.dropped for each in logging.root.handlers if isinstance(each, PatientHandler))


def _of_dropped(count: int) -> logging.LogRecord:
    about = {"levelname": "WARNING", "levelno": logging.WARNING, "name": "ocrsvc", "count": count}
    return logging.makeLogRecord({**about, "msg": "log lines dropped: nobody read them"})


def configuration(level: str = "INFO") -> dict[str, Any]:
    """Return a ``logging.config`` dictionary: everything to standard output."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stdout": {"()": PatientHandler, "formatter": "json"}},
        "root": {"handlers": ["stdout"], "level": "WARNING"},
        "loggers": {
            "ocrsvc": {"level": level},
            "uvicorn": {"level": level},
            "uvicorn.access": {"level": "CRITICAL"},
        },
    }
