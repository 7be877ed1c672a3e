"""Prometheus metrics of one service. Each service has its own registry, so that two in one process do not clash.

Labels come from small closed sets (route patterns, stages, status codes), never from a path, file name or client.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping

import onnxruntime
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from ocrsvc import __version__
from ocrsvc.machine import cgroup, memory
from ocrsvc.service.job_metrics import JobMetrics
from ocrsvc.service.logs import dropped_lines
from ocrsvc.service.record import RequestRecord
from ocrsvc.service.scheduler_metrics import SchedulerMetrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STAGE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LAG_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


class _Registry(CollectorRegistry):
    """Registry without the creation times of counters, which the text format would show as extra gauges."""

    def collect(self) -> Iterator[Metric]:
        for metric in super().collect():
            metric.samples = [each for each in metric.samples if not each.name.endswith("_created")]
            yield metric


class Metrics:
    """All metrics of the service; ``scheduler`` observes the batcher, ``jobs`` the jobs."""

    def __init__(self) -> None:
        self.registry = _Registry()
        ProcessCollector(registry=self.registry)
        self.registry.register(_DroppedLines())
        self.scheduler = SchedulerMetrics(self.registry)
        self.jobs = JobMetrics(self.registry)
        self._requests = Counter(
            "ocrsvc_requests_total",
            "Requests by route and status.",
            ("route", "code"),
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "ocrsvc_request_duration_seconds",
            "Time from the request's head to the end of its answer.",
            ("route",),
            buckets=_REQUEST_SECONDS,
            registry=self.registry,
        )
        self._stage_seconds = Histogram(
            "ocrsvc_stage_duration_seconds",
            "Time of a document in each stage.",
            ("stage",),
            buckets=_STAGE_SECONDS,
            registry=self.registry,
        )
        self._rejected = Counter(
            "ocrsvc_rejected_total", "Requests refused, by problem.", ("reason",), registry=self.registry
        )
        self._lines = Counter("ocrsvc_document_lines_total", "Lines in the answers.", registry=self.registry)
        self._pages = Counter("ocrsvc_document_pages_total", "Pages in the answers.", registry=self.registry)
        self._pixels = Counter(
            "ocrsvc_document_pixels_total", "Pixels of the pages read.", registry=self.registry
        )
        self._body_bytes = Counter(
            "ocrsvc_body_bytes_total", "Bytes of request bodies.", registry=self.registry
        )
        self._lag = Histogram(
            "ocrsvc_event_loop_lag_seconds",
            "How late the event loop wakes up.",
            buckets=_LAG_SECONDS,
            registry=self.registry,
        )
        self.requests_inside = Gauge(
            "ocrsvc_requests_inside",
            "Requests let in and not answered.",
            registry=self.registry,
        )
        self.body_bytes_held = Gauge(
            "ocrsvc_body_bytes_held", "Bytes of request bodies in memory.", registry=self.registry
        )
        self.pixels_inside = Gauge(
            "ocrsvc_decode_pixels_inflight", "Decoded pixels in memory.", registry=self.registry
        )
        self.pixels_waiting = Gauge(
            "ocrsvc_decode_pixels_waiting", "Pixels that wait to be decoded.", registry=self.registry
        )
        memory_limit = Gauge(
            "ocrsvc_memory_limit_bytes",
            "Memory that the process may use: the container's limit, or all of the machine's.",
            registry=self.registry,
        )
        memory_limit.set(cgroup.memory_bytes() or memory.total_bytes())
        self.ready = Gauge("ocrsvc_ready", "1 while /readyz says yes.", registry=self.registry)
        self._build = Gauge(
            "ocrsvc_build_info",
            "Always 1; the labels say what runs.",
            ("version", "onnxruntime", "machine", "model"),
            registry=self.registry,
        )
        self._cpus = Gauge(
            "ocrsvc_effective_cpus", "Processors that the process may use.", registry=self.registry
        )

    def describe_build(self, *, model: str, cpus: int) -> None:
        """Publish the versions, the model and the number of processors."""
        self._build.labels(__version__, onnxruntime.__version__, platform.machine(), model).set(1)
        self._cpus.set(cpus)

    def request_ended(self, route: str, status: int, spent_seconds: float, record: RequestRecord) -> None:
        """Count one request; status 499 means that the client disconnected."""
        self._requests.labels(route, str(status)).inc()
        self._request_seconds.labels(route).observe(spent_seconds)
        if record.problem and status >= 400:
            self._rejected.labels(record.problem).inc()
        self._lines.inc(record.lines)
        self._pages.inc(record.pages)
        self._pixels.inc(record.pixels)
        self._body_bytes.inc(record.body_bytes)

    def document_read(self, stages_ms: Mapping[str, float]) -> None:
        """Record the time of each stage of one document."""
        for stage, spent_ms in stages_ms.items():
            if stage == "total":
                continue  # not a stage; the requests' histogram has it
            self._stage_seconds.labels(stage).observe(spent_ms / 1000)

    def loop_lagged(self, seconds: float) -> None:
        """Record how late the event loop was."""
        self._lag.observe(seconds)

    def render(self) -> bytes:
        """Return all metrics in the text exposition format."""
        return generate_latest(self.registry)


class _DroppedLines(Collector):
    """Counter of lines that the log has lost; the log counts them itself, because it knows of no metrics."""

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "ocrsvc_log_lines_dropped",
            "Log lines dropped because the log was not read in time.",
            dropped_lines(),
        )
