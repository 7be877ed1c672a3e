"""Schemathesis makes requests from the OpenAPI document, right and wrong ones, and checks the answers against it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from available import missing
from running_server import StartServer

EXAMPLES = 4  # of each operation and each of right and wrong input; a few hundred requests in all
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)
# Schemathesis takes the schema of a stream of events for that of each event; OpenAPI 3.1 describes the whole stream.
EXCLUDED = "/events$"

pytestmark = pytest.mark.timeout(900)


def test_no_request_that_the_description_allows_or_forbids_is_our_fault(
    start_server: StartServer, tmp_path: Path
) -> None:
    if importlib.util.find_spec("schemathesis") is None:
        missing("schemathesis is not installed: make setup")
    server = start_server(workers=1)
    command = [sys.executable, "-m", "schemathesis.cli", "run", "--exclude-path-regex", EXCLUDED]
    command += [f"{server.url}/openapi.json", "--phases", "examples,fuzzing", "--seed", "1", "--no-shrink"]
    command += ["--max-examples", str(EXAMPLES), "--checks", ",".join(CHECKS), "--continue-on-failure"]
    command += ["--suppress-health-check", "all", "--request-timeout", "120", "--warnings", "off"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert httpx.get(f"{server.url}/readyz", timeout=60).status_code == 200
    assert "unexpected failure" not in server.log_text()
