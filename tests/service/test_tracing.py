"""Traces are off unless they are asked for; tests/e2e/test_traces.py sees some."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from ocrsvc.reading.stage_log import MOST_ENTRIES, StageLog
from ocrsvc.service.record import RequestRecord
from ocrsvc.service.tracing import open_tracing

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_SERVICE_NAME": "ocr"},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "True"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_no_traces_unless_they_are_asked_for(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert open_tracing(environment) is None
    assert caplog.records == []


def test_another_protocol_is_refused_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert open_tracing({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_missing_extra_is_said_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "ocrsvc.service.otel_tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    assert open_tracing(ENDPOINT) is None
    assert "pip install 'ocrsvc[otel]'" in caplog.text


def test_without_traces_nothing_of_the_extra_is_imported() -> None:
    code = (
        "import sys; from ocrsvc.service.app import create_app; from ocrsvc.settings import Settings;"
        "create_app(Settings()); print([n for n in sys.modules if n.startswith(('opentelemetry.sdk',"
        " 'opentelemetry.exporter'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_stages_are_recorded_only_for_a_trace() -> None:
    record = RequestRecord("r")
    with record.stage("receive"):
        pass
    record.stage_log = StageLog()
    with pytest.raises(ValueError, match="why"), record.stage("receive"):
        raise ValueError("why")
    (stage,) = record.stage_log.stages
    assert (stage.name, stage.ended >= stage.begun) == ("receive", True)


def test_a_long_document_does_not_fill_the_memory() -> None:
    log = StageLog()
    for _ in range(MOST_ENTRIES + 5):
        log.add("decode", 0.0, 1.0)
    assert len(log.stages) == MOST_ENTRIES
