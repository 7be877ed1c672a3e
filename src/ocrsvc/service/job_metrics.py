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

    def watch(self, usage: Callable[[], Usage]) -> None:
        """Call ``usage`` at each scrape and publish the result."""
        self._registry.register(_UsageCollector(usage))

    def page_stored(self, *, failed: bool) -> None:
        self._pages.labels("failed" if failed else "read").inc()

    def job_ended(self, outcome: str) -> None:
        self._ended.labels(outcome).inc()


class _UsageCollector(Collector):
    def __init__(self, usage: Callable[[], Usage]) -> None:
        self._usage = usage

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        usage = self._usage()
        jobs = GaugeMetricFamily("ocrsvc_jobs", "Jobs in the store, by state.", labels=("state",))
        for state, count in usage.jobs.items():
            jobs.add_metric((state,), count)
        yield jobs
        yield GaugeMetricFamily("ocrsvc_jobs_held_bytes", "Bytes of jobs in the store.", usage.held_bytes)
