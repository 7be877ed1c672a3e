"""Log lines: one JSON object each on standard output. No image bytes, no recognised text, no file names."""

from __future__ import annotations

import datetime
import json
import logging
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


def configuration(level: str = "INFO") -> dict[str, Any]:
    """Return a ``logging.config`` dictionary: everything to standard output."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}
        },
        "root": {"handlers": ["stdout"], "level": "WARNING"},
        "loggers": {
            "ocrsvc": {"level": level},
            "uvicorn": {"level": level},
            "uvicorn.access": {"level": "CRITICAL"},
        },
    }
