"""The benches of the running server, with tiny numbers: the load generator, the real server, the naive one."""

from __future__ import annotations

import contextlib
import json
import random
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import load
import memory
import mixed
import overhead
import pictures
import pytest
import serving
import stripe_data
import systems
import throughput
import tiny_model
from peers.reading import Reading

pytestmark = pytest.mark.timeout(
    180
)  # servers start in seconds, but not on a machine that is busy with others


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_model.write(folder)
    return folder / "tiny"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stripe_data.write(tmp_path_factory.mktemp("lines"))


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[serving.Server]:
    """The real server: one for all tests here, which takes seconds to start."""
    with serving.ours(model=model, workers=1) as running:
        yield running


@pytest.fixture
def one_server(server: serving.Server, monkeypatch: pytest.MonkeyPatch) -> serving.Server:
    """Every bench of ours meets the server that runs."""

    @contextlib.contextmanager
    def ours(**_: object) -> Iterator[serving.Server]:
        yield server

    monkeypatch.setattr(serving, "ours", ours)
    return server


@contextlib.contextmanager
def _echo(protocol: str) -> Iterator[tuple[int, list[bytes], set[object]]]:
    """A server that answers 200, or 503 to the body ``no``: its port, bodies, and its clients' addresses."""
    bodies: list[bytes] = []
    clients: set[object] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = protocol

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append(body)
            clients.add(self.client_address)
            self.send_response(503 if body == b"no" else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, bodies, clients
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("protocol", "connections"), [("HTTP/1.1", 2), ("HTTP/1.0", 12)])
def test_clients_keep_their_connections_where_the_server_does(
    tmp_path: Path, protocol: str, connections: int
) -> None:
    files = load.save(tmp_path, [load.request(body, path="/x") for body in (b"yes", b"no", b"too")])
    with _echo(protocol) as (port, bodies, clients):
        outcome = load.run(port, [load.Stream("lines", files, clients=2, count=12)], 60)
    assert sorted(bodies) == sorted([b"yes", b"no", b"too"] * 4)
    assert len(clients) == connections
    answers = outcome.streams["lines"]
    assert sorted(answers.status) == [200] * 8 + [503] * 4
    assert answers.errors == 4
    assert len(answers.good()) == answers.done(60, outcome.begun) == 8
    assert outcome.cpu_seconds > 0


def test_requests_at_random_times_count_from_when_they_were_due(tmp_path: Path) -> None:
    files = load.save(tmp_path, [load.request(b"yes", path="/x")])
    streams = [load.Stream("a", files, per_second=500, count=100, seed=1)]
    with _echo("HTTP/1.1") as (port, bodies, _):
        outcome = load.run(port, streams, 60)
    answers = outcome.streams["a"]
    assert len(bodies) == len(answers.ms) == 100
    assert answers.errors == 0
    assert min(answers.ms) > 0


def test_nobody_there_is_an_error_and_no_time(tmp_path: Path) -> None:
    files = load.save(tmp_path, [load.request(b"yes", path="/x")])
    outcome = load.run(serving.free_port(), [load.Stream("a", files, clients=1, count=3)], 60)
    assert outcome.streams["a"].status == [0, 0, 0]
    assert outcome.streams["a"].good() == []


def test_a_server_that_ends_early_is_told_with_what_it_said() -> None:
    command = [sys.executable, "-c", "print('no model here')"]
    with (
        pytest.raises(SystemExit, match="no model here"),
        serving.started(command, 1, {}, lambda port: False),
    ):
        pass


def test_pages_are_laid_out_from_lines(data: Path) -> None:
    crops = pictures.decode(pictures.line_files(data, 3))
    assert len(crops) == 5
    page = pictures.page(crops, 7, random.Random(0), 800)
    assert page.shape[1] == 800
    assert page.shape[0] > 4 * 34


def test_throughput_of_the_real_server(
    one_server: serving.Server,
    model: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, plot = tmp_path / "out.json", tmp_path / "out.svg"
    arguments = [str(data), "--model", str(model), "--rounds", "1", "--clients", "1,3", "--seconds", "0.3"]
    arguments += ["--warm-seconds", "0.1", "--workers", "1", "--systems", "ours,nonesuch"]
    monkeypatch.setattr(sys, "argv", ["throughput.py", *arguments, "--json", str(out)])
    with pytest.raises(SystemExit, match="no system 'nonesuch'; there are ours, naive, mosec, litserve, ray"):
        throughput.main()
    sys.argv[sys.argv.index("ours,nonesuch")] = "ours,absent"
    sys.argv += ["--plot", str(plot)]
    known = systems.listed

    def listed(*arguments: object) -> dict[str, systems.System]:
        found = known(*arguments)  # type: ignore[arg-type]
        absent = systems.System(
            "absent", "", "no_such_package[extra]", found["ours"].requests, found["ours"].start
        )
        return found | {"absent": absent}

    monkeypatch.setattr(throughput, "listed", listed)
    throughput.main()
    printed = capsys.readouterr().out
    assert "absent left out, not installed: pip install 'no_such_package[extra]'" in printed
    assert "of the limit per CPU" in printed
    document = json.loads(out.read_text("utf-8"))
    assert document["limit"]["lines_per_second"]["median"] > 0
    points = document["systems"]["ours"]
    assert list(points) == ["1", "3"]
    for figures in points.values():
        assert figures["errors"] == 0
        assert 0 < figures["p50_ms"]["median"] <= figures["p99_ms"]["median"]
    assert plot.exists()


def test_mixed_load_on_the_real_server(
    one_server: serving.Server,
    model: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out.json"
    arguments = [str(data), "--model", str(model), "--rounds", "1", "--seconds", "0.3", "--page-lines", "6"]
    arguments += ["--calibration-seconds", "0.4", "--json", str(out), "--plot", str(tmp_path / "out.svg")]
    monkeypatch.setattr(sys, "argv", ["mixed.py", *arguments])
    mixed.main()
    assert "x idle p50" in (tmp_path / "out.svg").read_text("utf-8")
    assert "laid out, 6 lines" in capsys.readouterr().out
    document = json.loads(out.read_text("utf-8"))
    phases = document["phases"]
    assert sorted(phases) == sorted(mixed.PHASES)
    assert phases["full"]["pages"] >= 1
    assert phases["lines"]["pages"] == phases["idle"]["lines_beside"] == 0
    assert sum(each["errors"] for each in phases.values()) == 0


def test_memory_of_the_real_server(
    one_server: serving.Server,
    model: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(memory, "POINTS", 3)
    monkeypatch.setattr(memory, "REST_SECONDS", 0.1)
    out = tmp_path / "out.json"
    arguments = [str(data), "--model", str(model), "--requests", "30", "--page-every", "10", "--clients", "2"]
    arguments += ["--pictures", "20", "--page-pictures", "2", "--json", str(out)]
    monkeypatch.setattr(sys, "argv", ["memory.py", *arguments])
    memory.main()
    assert "MB per 1000 requests; 0 errors" in capsys.readouterr().out
    document = json.loads(out.read_text("utf-8"))
    assert [point["requests"] for point in document["rss"]] == [0, 10, 20, 30]
    assert all(20 < point["megabytes"] < 2000 for point in document["rss"])


def test_overhead_of_the_real_server(
    model: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out.json"
    arguments = [str(data), "--model", str(model), "--rounds", "1", "--seconds", "0.4", "--clients", "2"]
    arguments += ["--json", str(out), "--plot", str(tmp_path / "out.svg")]
    monkeypatch.setattr(sys, "argv", ["overhead.py", *arguments])
    overhead.main()
    assert "picture decoding" in (tmp_path / "out.svg").read_text("utf-8")
    document = json.loads(out.read_text("utf-8"))
    spent = {name: value["median"] for name, value in document["ms_per_request"].items()}
    assert set(spent) == {"cpu", "decode", "onnxruntime", "rest"}
    assert all(value > 0 for value in spent.values())
    assert spent["cpu"] == pytest.approx(spent["decode"] + spent["onnxruntime"] + spent["rest"], abs=0.01)
    calls = {name.rpartition(" ")[2]: each["calls"] for name, each in document["functions"].items()}
    assert 0.4 < calls["collapse"] < 1.5, "CTC decoding: batches of one or two lines"
    assert "ocrsvc" in document["packages"]
    assert "the rest" in capsys.readouterr().out


def test_what_the_frameworks_run_reads_lines_of_several_widths(model: Path) -> None:
    reading = Reading(str(model), "fp32")
    texts = ["12", "0123456789ABXY", "AB", "中文"]
    lines = [reading.fit(cv2.imencode(".png", tiny_model.draw(text))[1].tobytes()) for text in texts]
    assert reading.read(lines) == texts


def test_the_naive_service_answers(model: Path, data: Path) -> None:
    naive = systems.listed(str(model), "fp32", 1, 1, 0)["naive"]
    assert naive.missing is None
    requests = naive.requests(pictures.line_files(data, 3))
    with naive.start(requests[0]) as running:
        status, answer = serving.ask(running.port, requests[1])
        assert status == 200
        assert json.loads(answer).keys() == {"text", "confidence"}
        assert serving.ask(running.port, load.request(b"no picture", path="/ocr"))[0] == 400
        assert running.cpu_seconds() > 0


@pytest.mark.parametrize(("best", "expected"), [([0, 1, 1, 0, 1, 2], "aab"), ([0, 0], ""), ([2, 2, 2], "b")])
def test_the_naive_decoding_merges_repeats(best: list[int], expected: str) -> None:
    import numpy as np
    from peers.naive_flask import decode

    text, confidence = decode(np.array(best, np.int32), np.full(len(best), 0.5, np.float32), "ab")
    assert text == expected
    assert confidence == (0.5 if expected else 0.0)
