"""The metrics of a running server, the dashboard and the alerts that use them; promtool judges both."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from available import missing
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from running_server import RunningServer

from ocrsvc.service.process_group import merged

pytestmark = pytest.mark.timeout(180)

DEPLOY = Path(__file__).parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
NAME = re.compile(r"\b((?:ocrsvc|process)_[a-z_]+)\b")
OF_SEVERAL_PROCESSES = {"ocrsvc_process_up"}  # test_numa_processes.py has them


@pytest.fixture(scope="module")
def promtool() -> Callable[..., str]:
    """``promtool(arguments, input=text)`` -> what it printed; fails unless it is content."""
    found = shutil.which("promtool")
    if found is None:
        missing("no promtool: install the package prometheus")

    def run(*arguments: str, **options: Any) -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [str(found), *arguments], capture_output=True, text=True, cwd=PROMETHEUS, **options
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def exposition(server: RunningServer, draw_line: Callable[..., Any], png: Callable[..., bytes]) -> str:
    """The metrics of a server that has read something."""
    answer = httpx.post(f"{server.url}/api/ocr", content=png(draw_line("No. 24417")), timeout=60)
    assert answer.status_code == 200
    assert httpx.post(f"{server.url}/api/ocr", content=b"no picture").status_code == 415
    return httpx.get(f"{server.url}/metrics").text


def families(text: str) -> dict[str, str]:
    """Name -> type of each family, of which there must be a sample."""
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    samples = set(re.findall(r"^([a-z_]+)[{ ]", text, re.MULTILINE))
    empty = {name for name in kinds if not any(each.startswith(name) for each in samples)}
    assert empty <= {"ocrsvc_queue_lines"}  # no line waits
    return kinds


def names_in(path: Path) -> set[str]:
    """The metrics that a file names."""
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        panels = json.loads(text)["panels"]
        text = "\n".join(target["expr"] for panel in panels for target in panel.get("targets", ()))
    else:
        text = re.sub(r"docs/\S+|#.*", "", text)
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in NAME.findall(text)}


def test_the_names_follow_the_conventions(exposition: str, promtool: Callable[..., str]) -> None:
    assert promtool("check", "metrics", input=exposition) == ""
    two = merged({"0": exposition, "1": exposition, "2": None}).decode()
    assert promtool("check", "metrics", input=two) == ""


def test_every_metric_has_a_type_a_unit_and_a_help_text(exposition: str) -> None:
    kinds = families(exposition)
    assert len(kinds) > 40
    for name, kind in kinds.items():
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(ms|milliseconds|kilobytes|megabytes|percent)\b", name)
        assert kind != "histogram" or name.endswith(("_seconds", "_rows"))
    helps = dict(re.findall(r"^# HELP (\S+) (.+)$", exposition, re.MULTILINE))
    assert helps.keys() == kinds.keys()


def test_labels_are_few(exposition: str) -> None:
    """A label value comes from a closed set, so there are no more series than these."""
    values: dict[str, set[str]] = {}
    for name, value in re.findall(r'([a-z_]+)="([^"]*)"', exposition):
        values.setdefault(name, set()).add(value)
    assert values.keys() <= {
        "route", "code", "stage", "reason", "outcome", "model", "bucket", "state", "le",
        "version", "onnxruntime", "machine",
    }  # fmt: skip
    assert max(len(each) for name, each in values.items() if name != "le") < 25
    assert len(exposition.splitlines()) < 1500


@pytest.mark.parametrize("name", ["grafana/dashboard.json", "prometheus/alerts.yaml"])
def test_what_is_shown_and_watched_exists(exposition: str, name: str) -> None:
    used = names_in(DEPLOY / name) - OF_SEVERAL_PROCESSES
    assert len(used) > 15
    assert used <= families(exposition).keys()


def test_the_rules_are_valid_and_fire_when_they_should(promtool: Callable[..., str]) -> None:
    promtool("check", "config", "prometheus.yaml")
    promtool("test", "rules", "alerts_test.yaml")


def test_each_alert_is_tested_and_in_the_runbook() -> None:
    alerts = re.findall(r"alert: (\w+)", (PROMETHEUS / "alerts.yaml").read_text("utf-8"))
    tested = re.findall(r'alertname="(\w+)"', (PROMETHEUS / "alerts_test.yaml").read_text("utf-8"))
    assert len(alerts) > 10
    assert set(alerts) == set(tested)
    runbook = (DEPLOY.parent / "docs" / "operations.md").read_text("utf-8").partition("\n## Runbook\n")[2]
    assert re.findall(r"^### (\w+)$", runbook, re.MULTILINE) == alerts
    anchors = re.findall(r"operations\.md#(\w+)", (PROMETHEUS / "alerts.yaml").read_text("utf-8"))
    assert anchors == [alert.lower() for alert in alerts]


def test_grafana_knows_each_member_of_the_dashboard() -> None:
    """Grafana's own types read the dashboard and write all of it again."""
    given = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text("utf-8"))
    written = json.loads(JSONEncoder().encode(Dashboard.from_json(given)))
    assert unknown(given, written) == []


def unknown(given: Any, written: Any, path: str = "") -> list[str]:
    """The members of ``given`` that ``written`` lacks or has with other values."""
    if isinstance(given, dict) and isinstance(written, dict):
        inner = [(value, written.get(name), f"{path}.{name}") for name, value in given.items()]
    elif isinstance(given, list) and isinstance(written, list) and len(given) == len(written):
        inner = [(*pair, f"{path}[{number}]") for number, pair in enumerate(zip(given, written, strict=True))]
    else:
        return [] if given == written else [path]
    return [each for one in inner for each in unknown(*one)]


def test_the_queries_of_the_dashboard_can_be_parsed(promtool: Callable[..., str], tmp_path: Path) -> None:
    panels = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text("utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    assert len(queries) > 25
    rules = "".join(
        f"      - record: panel:{number}\n        expr: {json.dumps(query)}\n"
        for number, query in enumerate(each.replace("$__rate_interval", "5m") for each in queries)
    )
    path = tmp_path / "rules.yaml"
    path.write_text(f"groups:\n  - name: panels\n    rules:\n{rules}")
    promtool("check", "rules", str(path))
