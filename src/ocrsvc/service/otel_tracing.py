"""Exports the trace of each request over OTLP; imported only if traces are wanted (tracing.py)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from http import HTTPStatus

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from starlette.types import Scope

from ocrsvc import __version__
from ocrsvc.reading.stage_log import StageLog
from ocrsvc.service.record import RequestRecord
from ocrsvc.service.trace_context import TraceContext

_TRACED = "/api/"  # probes are asked every few seconds, and files of the page say nothing
_NANOSECONDS = 1_000_000_000


class OtelTracing:
    """Traces requests with a provider of its own, so that two services in one process do not clash.

    A thread exports finished spans; if the collector is slow, spans are dropped, and requests never wait.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        named = Resource({"service.name": "ocrsvc", "service.version": __version__})
        self._provider = TracerProvider(
            resource=Resource.create().merge(named).merge(OTELResourceDetector().detect()),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("ocrsvc", __version__)

    def begin(self, scope: Scope, record: RequestRecord) -> OtelTrace | None:
        """Begin the trace of a request to the API, as part of its caller's, unless it is not sampled."""
        if not scope["path"].startswith(_TRACED):
            return None
        span = self._tracer.start_span(
            scope["method"],
            context=_context_of(record.trace) if record.trace else None,
            kind=SpanKind.SERVER,
            attributes={"http.request.method": scope["method"], "ocrsvc.request_id": record.request_id},
        )
        own = span.get_span_context()
        parent = record.trace.parent_id if record.trace else ""
        sampled = span.is_recording()
        record.trace = TraceContext(f"{own.trace_id:032x}", f"{own.span_id:016x}", parent, sampled)
        if not sampled:
            return None
        record.stage_log = StageLog()
        return OtelTrace(self._tracer, span)

    def close(self) -> None:
        """Export what is left and stop."""
        self._provider.shutdown()


class OtelTrace:
    """The span of one request; its stages become children, at its end."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span

    def end(self, route: str, status: int, record: RequestRecord) -> None:
        """End the span of the request, and export its stages and waits."""
        span = self._span
        span.set_attributes(
            {
                "http.route": route,
                "http.response.status_code": status,
                "ocrsvc.pages": record.pages,
                "ocrsvc.lines": record.lines,
                "ocrsvc.pixels": record.pixels,
                "ocrsvc.body_bytes": record.body_bytes,
            }
        )
        if isinstance(name := getattr(span, "name", None), str):
            span.update_name(f"{name} {route}")
        if record.problem:
            span.set_attribute("error.type", record.problem)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            span.set_status(Status(StatusCode.ERROR))
        if record.stage_log is not None:
            self._export(record.stage_log)
        span.end()

    def _export(self, log: StageLog) -> None:
        context = set_span_in_context(self._span)
        # Spans have the time of day, stages that of a clock that is never set.
        offset = time.time_ns() - round(time.perf_counter() * _NANOSECONDS)

        def export(name: str, begun: float, ended: float, attributes: Mapping[str, str | int] | None) -> None:
            start = offset + round(begun * _NANOSECONDS)
            child = self._tracer.start_span(name, context=context, start_time=start, attributes=attributes)
            child.end(offset + round(ended * _NANOSECONDS))

        for stage in log.stages:
            export(stage.name, stage.begun, stage.ended, None)
        for wait in log.waits:
            attributes: dict[str, str | int] = {"ocrsvc.model": wait.model, "ocrsvc.batch_lines": wait.rows}
            export("queue", wait.begun, wait.ended, attributes)


def _context_of(trace: TraceContext) -> Context:
    caller = SpanContext(
        trace_id=int(trace.trace_id, 16),
        span_id=int(trace.parent_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if trace.sampled else TraceFlags.DEFAULT),
    )
    return set_span_in_context(NonRecordingSpan(caller))
