"""A Ray cluster of two nodes: nodes, workers and drivers of bulk runs, and replicas of the service, are killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import drawings
import httpx
import psutil
import pytest
import tiny_model
from available import need_ray
from scaleout.bulk_scans import draw_scans

need_ray()
import duckdb
import pyarrow.parquet as pq
from scaleout import slow_store

pytestmark = [pytest.mark.timeout(1800), pytest.mark.filterwarnings("default")]

START_SECONDS = 600.0  # seconds, but not on a machine that is busy with others
PORTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
REQUESTS = 200


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def add_node(cluster: Any) -> Any:
    """Add a node of one CPU; its ports are given, because Ray ends one whose helpers do not name theirs in 15 s."""
    ports = {name: free_port() for name in PORTS}
    return cluster.add_node(
        wait=False, num_cpus=1, include_dashboard=False, object_store_memory=80 * 2**20, **ports
    )


def wait_until(happened: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    until = time.monotonic() + START_SECONDS
    while not happened():
        assert time.monotonic() < until
        if process is not None and process.poll() is not None:
            pytest.fail(f"ended too early: {process.communicate()}")
        time.sleep(0.02)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Any]:
    """Two nodes of one CPU; the first is the head, where the drivers are."""
    environment = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_register_timeout_seconds": "600",
        "RAY_worker_niceness": "0",  # 15 is too nice for a machine that is busy
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "600",
        "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "600",
        "PYTHONPATH": slow_store.install(tmp_path_factory.mktemp("plugin")),
        # For the replicas, which inherit it from their node; the drivers of bulk runs name them, too.
        "OCRSVC_MODELS_DIR": str(models_dir),
        "OCRSVC_MODEL": "tiny",
        "OCRSVC_ALLOW_ANONYMOUS": "true",
        "OCRSVC_DETECTOR_SIDE_PIXELS": "320",
    }
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        from ray.cluster_utils import Cluster

        made = Cluster()
        add_node(made)
        add_node(made)
        yield made
        made.shutdown()


@contextlib.contextmanager
def driver(cluster: Any, models_dir: Path, source: Path, results: Path, *more: str) -> Iterator[Any]:
    """Yield a running ``ocrsvc bulk``."""
    command = [sys.executable, "-m", "ocrsvc", "bulk", f"slow://{source}", str(results)]
    command += ["--mode", "line", "--address", cluster.address, "--cores", "1", *more]
    environment = {**os.environ, "OCRSVC_MODELS_DIR": str(models_dir), "OCRSVC_MODEL": "tiny"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def parts(results: Path) -> dict[str, int]:
    """The parts with the time when they were written."""
    return {each.name: each.stat().st_mtime_ns for each in results.glob("part-*")}


def test_a_run_survives_its_driver_a_node_and_a_poisoned_file(
    cluster: Any, models_dir: Path, tmp_path: Path
) -> None:
    expected = draw_scans(tmp_path / "scans", 40, 2)
    (tmp_path / "scans" / "0030-poison.png").write_bytes(drawings.encode(tiny_model.draw("0030")))
    expected["0030-poison.png", None] = None
    arguments = (cluster, models_dir, tmp_path / "scans", tmp_path / "out")
    with driver(*arguments) as process:
        wait_until(lambda: len(parts(tmp_path / "out")) >= 3, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = parts(tmp_path / "out")
    with driver(*arguments) as process:
        wait_until(lambda: len(parts(tmp_path / "out")) >= len(before) + 2, process)
        cluster.remove_node(cluster.worker_nodes.copy().pop(), allow_graceful=False)
        _, told = process.communicate()
    assert process.returncode == 1, told
    after = parts(tmp_path / "out")
    assert {name: after[name] for name in before} == before
    table = pq.read_table(tmp_path / "out")
    found = list(zip(table["path"].to_pylist(), table["page"].to_pylist(), strict=True))
    assert Counter(found) == Counter(dict.fromkeys(expected, 1))
    assert dict(zip(found, table["text"].to_pylist(), strict=True)) == expected
    problems = duckdb.read_parquet(f"{tmp_path}/out/*.parquet").filter("problem is not null")
    assert problems.project("path, problem.type").order("path").fetchall() == [
        ("0030-poison.png", "/problems/worker-killed"),
        ("broken.jpg", "/problems/undecodable-image"),
        ("empty.png", "/problems/empty-input"),
    ]
    for more, status, words in (
        ((), 0, f"{len(expected) - 4} done before"),  # files: two documents have three pages each
        (("--layout", "tables"), 2, "another run (option layout was lines, now tables)"),
    ):
        with driver(*arguments, *more) as process:
            _, told = process.communicate()
        assert (process.returncode, words in told) == (status, True), told
    assert parts(tmp_path / "out") == after


def test_clients_of_a_killed_replica(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that was in the replica is lost, and answered when it is sent again; the next replica takes over."""
    import ray
    from ray import serve

    from ocrsvc.scaleout.serve import build

    monkeypatch.setenv("OCRSVC_ALLOW_ANONYMOUS", "true")
    ray.init(address=cluster.address, log_to_driver=False)
    port = free_port()
    try:
        with contextlib.suppress(TimeoutError):  # of Ray, after 60 s; it goes on nevertheless
            serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
        serve.run(build({"cores": 0.5, "min_replicas": 2, "max_replicas": 2}), name="ocrsvc")
        picture = drawings.encode(tiny_model.draw("0123"))
        seen: Counter[object] = Counter()

        def ask() -> object:
            try:
                answer = httpx.post(
                    f"http://127.0.0.1:{port}/api/ocr?mode=line", content=picture, timeout=120
                )
            except httpx.TransportError as error:
                return type(error).__name__
            return answer.json()["text"] if answer.status_code == 200 else answer.status_code

        def client() -> None:
            for _ in range(REQUESTS // 4):
                while (answer := ask()) != "0123":
                    seen[answer] += 1
                    time.sleep(0.2)
                seen[answer] += 1

        clients = [threading.Thread(target=client) for _ in range(4)]
        for each in clients:
            each.start()
        wait_until(lambda: seen["0123"] >= REQUESTS // 4)
        replicas = [
            each for each in psutil.process_iter() if "ServeReplica:ocrsvc" in " ".join(cmdline(each))
        ]
        assert len(replicas) == 2
        replicas[0].kill()
        for each in clients:
            each.join()
        assert seen["0123"] == REQUESTS
        assert set(seen) <= {"0123", 500, 503, "RemoteProtocolError", "ReadError"}, seen
        assert sum(seen.values()) - REQUESTS <= 40, seen
        wait_until(lambda: replicas_running(serve) == 2)
    finally:
        serve.shutdown()
        ray.shutdown()


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def replicas_running(serve: Any) -> int:
    deployment = serve.status().applications["ocrsvc"].deployments["ocrsvc"]
    return int(deployment.replica_states.get("RUNNING", 0))
