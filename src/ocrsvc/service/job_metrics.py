"""Prometheus metrics of jobs: ends and pages are counted as they happen, the store is read at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ocrsvc.jobs.store import Usage


class JobMetrics:
    """Watcher of the jobs that this process reads. Labels are states and outcomes, never ids."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._ended = Counter(
            "ocrsvc_jobs_ended_total",
            "Jobs that this process ended, by outcome.",
            ("outcome",),
            registry=registry,
        )
        self._pages = Counter(
            "ocrsvc_job_pages_total", "Pages of jobs, by outcome.", ("outcome",), registry=registry
        )

        for outcome in ("done", "failed"):  # a series that begins at 1 has no increase
            self._ended.labels(outcome)
        for outcome in ("read", "failed"):
            self._pages.labels(outcome)

    def watch(self, usage: Callable[[], Usage], *, limit_bytes: int, usable: Callable[[], bool]) -> None:
        """Call ``usage`` and ``usable`` at each scrape and publish the results; ``limit_bytes``: most for all jobs."""
        self._registry.register(_StoreCollector(usage, limit_bytes, usable))

    def page_stored(self, *, failed: bool) -> None:
        self._pages.labels("failed" if failed else "read").inc()

    def job_ended(self, outcome: str) -> None:
        self._ended.labels(outcome).inc()


class _StoreCollector(Collector):
    def __init__(self, usage: Callable[[], Usage], limit_bytes: int, usable: Callable[[], bool]) -> None:
        self._usage = usage
        self._limit_bytes = limit_bytes
        self._usable = usable

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        usage = self._usage()
        jobs = GaugeMetricFamily("ocrsvc_jobs", "Jobs in the store, by state.", labels=("state",))
        for state, count in usage.jobs.items():
            jobs.add_metric((state,), count)
        yield jobs
        yield GaugeMetricFamily("ocrsvc_jobs_held_bytes", "Bytes of jobs in the store.", usage.held_bytes)
        yield GaugeMetricFamily(
            "ocrsvc_jobs_limit_bytes", "Most bytes of jobs in the store.", self._limit_bytes
        )
        yield GaugeMetricFamily(
            "ocrsvc_job_store_usable", "1 if the store could be used at the last attempt.", self._usable()
        )
