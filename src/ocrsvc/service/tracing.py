"""Traces of requests by OpenTelemetry, if its own variables ask for them and the extra ``otel`` is installed.

The variables (``OTEL_*``) are OpenTelemetry's, which reads most of them itself. Nothing of it is imported unless
traces are wanted.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from starlette.types import Scope

from ocrsvc.service.record import RequestRecord

logger = logging.getLogger("ocrsvc.service")

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HTTP = "http/protobuf"


class RequestTrace(Protocol):
    """The trace of one request."""

    def end(self, route: str, status: int, record: RequestRecord) -> None:
        """Export the request and its stages."""


class Tracing(Protocol):
    """Begins traces. Its methods do not block, except ``close``."""

    def begin(self, scope: Scope, record: RequestRecord) -> RequestTrace | None:
        """Begin the trace of a request and set the record's ``trace`` and ``stage_log``; None if it has no trace."""

    def close(self) -> None:
        """Export what is left and stop; takes seconds if the collector does not answer."""


def open_tracing(environment: Mapping[str, str]) -> Tracing | None:
    """Return what traces requests, or None if the environment does not ask for traces, or the extra is missing."""
    if not _wanted(environment):
        return None
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), _HTTP)
    if protocol != _HTTP:
        logger.warning("no traces: only OTLP over HTTP is supported", extra={"protocol": protocol})
        return None
    try:
        from ocrsvc.service.otel_tracing import OtelTracing
    except ImportError as error:
        logger.warning("no traces: pip install 'ocrsvc[otel]'", extra={"cause": str(error)})
        return None
    return OtelTracing(environment)


def _wanted(environment: Mapping[str, str]) -> bool:
    disabled = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    exporter = environment.get("OTEL_TRACES_EXPORTER") or "otlp"
    return exporter == "otlp" and not disabled and any(environment.get(name) for name in _ENDPOINTS)
