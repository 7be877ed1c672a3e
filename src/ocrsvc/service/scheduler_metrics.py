"""Prometheus metrics of the scheduler: events are counted as they happen, the load is read at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ocrsvc.reading.run_cache import CacheUsage
from ocrsvc.scheduling.batcher import Load
from ocrsvc.scheduling.observer import BatchReport, Outcome, Refusal, Release

_ROWS = (1, 2, 4, 8, 16, 32, 64)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class SchedulerMetrics:
    """Observer of the batcher. Labels are models, bucket widths (few by design) and closed sets of words."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._rows = self._histogram("ocrsvc_batch_rows", "Lines in a batch.", _ROWS)
        self._seconds = self._histogram("ocrsvc_batch_duration_seconds", "Time of a batch.", _SECONDS)
        self._waited = Histogram(
            "ocrsvc_queue_duration_seconds",
            "How long the oldest line of a batch had waited.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._releases = self._counter(
            "ocrsvc_batch_releases_total",
            "Why a batch was not larger: full, t_max, spread, empty, short.",
            "reason",
            of=get_args(Release),
        )
        self._outcomes = self._counter(
            "ocrsvc_lines_total", "How lines ended.", "outcome", of=get_args(Outcome)
        )
        self._refusals = self._counter(
            "ocrsvc_submissions_refused_total",
            "Lines of a page that the queue limit refused.",
            "reason",
            of=get_args(Refusal),
        )
        self._failed = self._counter("ocrsvc_batch_failures_total", "Batches that failed.", "model")
        self._splits = self._counter(
            "ocrsvc_batch_splits_total", "Failed batches cut in two to find the line that broke them."
        )
        self._units = self._counter("ocrsvc_units_total", "Columns of pixels read, with padding.")
        self._padding = self._counter("ocrsvc_padding_units_total", "Columns of pixels that were padding.")
        self._busy = self._counter("ocrsvc_worker_busy_seconds_total", "Time that workers spent in models.")

    def watch(self, load: Callable[[], Load]) -> None:
        """Call ``load`` at each scrape and publish the result."""
        self._registry.register(_LoadCollector(load))

    def watch_cache(self, usage: Callable[[], CacheUsage]) -> None:
        """Call ``usage`` at each scrape and publish the result."""
        self._registry.register(_CacheCollector(usage))

    def released(self, release: Release, rows: int, queue_seconds: float) -> None:
        self._releases.labels(release).inc()
        self._waited.observe(queue_seconds)

    def ran(self, report: BatchReport) -> None:
        bucket = (report.model, str(report.width))
        self._rows.labels(*bucket).observe(report.rows)
        self._seconds.labels(*bucket).observe(report.seconds)
        self._units.inc(report.width * report.rows)
        self._padding.inc(max(0, report.width * report.rows - report.used_pixels))
        self._busy.inc(report.seconds)
        failures = self._failed.labels(
            report.model
        )  # there at 0 before the first failure, which rates then see
        if report.failed:
            failures.inc()

    def split(self, rows: int) -> None:
        self._splits.inc()

    def settled(self, outcome: Outcome) -> None:
        self._outcomes.labels(outcome).inc()

    def refused(self, reason: Refusal) -> None:
        self._refusals.labels(reason).inc()

    def _counter(self, name: str, help_text: str, *labels: str, of: tuple[str, ...] = ()) -> Counter:
        counter = Counter(name, help_text, labels, registry=self._registry)
        for value in of:  # a series that begins at 1 has no increase
            counter.labels(value)
        return counter

    def _histogram(self, name: str, help_text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, help_text, ("model", "bucket"), buckets=buckets, registry=self._registry)


class _LoadCollector(Collector):
    """Collector that reads the scheduler's load at each scrape, on the scheduler's event loop."""

    def __init__(self, load: Callable[[], Load]) -> None:
        self._load = load

    def describe(self) -> Iterator[Metric]:
        return iter(())  # otherwise the registry would call `collect` while no event loop runs

    def collect(self) -> Iterator[Metric]:
        load = self._load()
        waiting = GaugeMetricFamily("ocrsvc_queue_lines", "Lines that wait.", labels=("model", "bucket"))
        lines: dict[tuple[str, str], int] = {}
        for lane, count in load.queued.items():
            key = (lane.model, str(lane.width))  # no charset: requests could make any number of labels
            lines[key] = lines.get(key, 0) + count
        for key, count in lines.items():
            waiting.add_metric(key, count)
        yield waiting
        yield GaugeMetricFamily("ocrsvc_lines_outstanding", "Lines queued or running.", load.outstanding)
        yield GaugeMetricFamily(
            "ocrsvc_queue_eta_seconds", "Until all accepted work is done.", load.eta_seconds
        )
        yield GaugeMetricFamily(
            "ocrsvc_queue_oldest_seconds", "Age of the oldest waiting line.", load.oldest_queued_seconds
        )
        yield GaugeMetricFamily(
            "ocrsvc_run_longest_seconds", "Age of the oldest running batch.", load.longest_run_seconds
        )
        yield GaugeMetricFamily("ocrsvc_workers_busy", "Workers in a model.", load.busy)
        yield GaugeMetricFamily("ocrsvc_workers", "Threads that run models.", load.workers)


class _CacheCollector(Collector):
    """Collector that reads the counts of the cache of runs at each scrape."""

    def __init__(self, usage: Callable[[], CacheUsage]) -> None:
        self._usage = usage

    def collect(self) -> Iterator[Metric]:
        usage = self._usage()
        yield CounterMetricFamily("ocrsvc_run_cache_hits", "Inputs whose answer was known.", usage.hits)
        yield CounterMetricFamily("ocrsvc_run_cache_misses", "Inputs that a model had to read.", usage.misses)
        yield CounterMetricFamily(
            "ocrsvc_run_cache_evictions", "Answers that made room for others.", usage.evictions
        )
        yield GaugeMetricFamily("ocrsvc_run_cache_entries", "Answers that are kept.", usage.entries)
        yield GaugeMetricFamily("ocrsvc_run_cache_bytes", "Bytes of answers that are kept.", usage.held_bytes)
