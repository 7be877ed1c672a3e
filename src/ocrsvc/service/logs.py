"""Logging to standard output, one line an event, as JSON or as text; without image bytes, recognised text, file names.

Logging never blocks: a thread writes the lines, and lines that do not fit into a full queue are dropped and counted.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import queue
import select
import threading
import time
from typing import Any

from ocrsvc.settings import LogFormat, LogLevel

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


_COLLECTING_SECONDS = 0.005
_PIECE_BYTES = 4096  # POSIX' PIPE_BUF: up to here, lines of processes that share a pipe do not mix


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON: time (UTC), level, logger, event, extra fields, and a traceback as one member."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Any] = {
            "ts": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= _extra(record)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """Formats a record for people: local time, level, event, extra fields, and a traceback on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created).astimezone()
        parts = [f"{moment:%H:%M:%S}", f"{record.levelname.lower():7}", _printable(record.getMessage())]
        parts += [f"{key}={_shown(value)}" for key, value in _extra(record).items()]
        line = " ".join(parts)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if text.isprintable() and " " not in text else json.dumps(text, ensure_ascii=False)


def _printable(text: str) -> str:
    """Return ``text`` on one line: what a client sent must not begin a line, nor move the cursor of a terminal."""
    return text if text.isprintable() else json.dumps(text, ensure_ascii=False)[1:-1]


class PatientHandler(logging.Handler):
    """Writes lines to a file descriptor, in order, from its own thread.

    While the pipe is not read, up to ``waiting_lines`` are queued and further ones dropped; a later line says how many.
    """

    def __init__(self, descriptor: int = 1, waiting_lines: int = 4096) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._waiting_lines = waiting_lines
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        # Each is changed by one thread only: under the handler's lock, or by the handler's own thread.
        self._queued = self._full = self._untold = 0
        self._done = self._unwritten = 0

    @property
    def dropped(self) -> int:
        """Return the number of lines that found no place or could not be written."""
        return self._full + self._unwritten

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the line; the caller holds the handler's lock."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="ocrsvc-log", daemon=True)
            self._thread.start()
        if self._queued - self._done >= self._waiting_lines:
            self._full += 1
            self._untold += 1
            return
        line = self.format(record) + "\n"
        if self._untold:
            line = self.format(_of_dropped(self._untold)) + "\n" + line
            self._untold = 0
        self._queued += 1
        self._lines.put(line.encode("utf-8", "backslashreplace"))

    def flush(self, patience_seconds: float = 1.0) -> None:
        """Wait until all lines are written, but at most ``patience_seconds``, because the pipe may not be read."""
        until = time.monotonic() + patience_seconds
        while self._done < self._queued and time.monotonic() < until:
            time.sleep(0.002)

    def _write(self) -> None:
        late: bytes | None = None  # did not fit into the last piece
        while True:
            lines = [late or self._lines.get()]
            late = None
            # Each wake-up of this thread takes time from the others, so it takes all that have come meanwhile.
            select.select((), (), (), _COLLECTING_SECONDS)  # not time.sleep, which a faked clock makes fail
            size = len(lines[0])
            while not self._lines.empty():
                line = self._lines.get()
                size += len(line)
                if size > _PIECE_BYTES:
                    late = line
                    break
                lines.append(line)
            piece = b"".join(lines)
            try:
                while piece:
                    piece = piece[os.write(self._descriptor, piece) :]
            except OSError:  # the reader has closed the pipe, so the error cannot be logged either
                self._unwritten += len(lines)
            self._done += len(lines)


def dropped_lines() -> int:
    """Return the number of log lines that could not be written."""
    return sum(each.dropped for each in logging.root.handlers if isinstance(each, PatientHandler))


def _of_dropped(count: int) -> logging.LogRecord:
    about = {"levelname": "WARNING", "levelno": logging.WARNING, "name": "ocrsvc", "count": count}
    return logging.makeLogRecord({**about, "msg": "log lines dropped: the log was not read in time"})


def configuration(
    level: LogLevel = "info", style: LogFormat = "auto", *, terminal: bool | None = None
) -> dict[str, Any]:
    """Return a ``logging.config`` dictionary that sends everything to standard output.

    The style ``auto`` is text on a terminal and JSON elsewhere; ``terminal`` is for tests.
    """
    if style == "auto":
        style = "text" if (os.isatty(1) if terminal is None else terminal) else "json"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}, "text": {"()": TextFormatter}},
        "handlers": {"stdout": {"()": PatientHandler, "formatter": style}},
        "root": {"handlers": ["stdout"], "level": "ERROR" if level == "error" else "WARNING"},
        "loggers": {
            "ocrsvc": {"level": level.upper()},
            "uvicorn": {"level": level.upper()},
            "uvicorn.access": {"level": "CRITICAL"},
        },
    }
