"""The Dockerfiles and compose.yaml keep their promises as far as that can be seen without a container engine.

``containers/check`` runs a built image and sees the rest. Here the same entry point, with the same variables and
the same health check, runs as a process.
"""

from __future__ import annotations

import functools
import json
import os
import re
import runpy
import shlex
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from drawings import DrawnPage
from running_server import RunningServer

from ocrsvc.settings import Settings

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "Dockerfile.x86", ROOT / "Dockerfile.arm64"]
HEALTH_CHECK = ROOT / "containers" / "healthcheck"
SECRETS = re.compile(r"index-url|trusted-host|password|token", re.IGNORECASE)

Instruction = tuple[str, str]


@functools.cache
def instructions(path: Path) -> tuple[Instruction, ...]:
    """(name, argument) of every instruction, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text("utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return tuple(
        (name.upper(), " ".join(rest.split()))
        for name, _, rest in (line.partition(" ") for line in lines if line)
    )


def stages(path: Path) -> list[list[Instruction]]:
    """The instructions of every stage, its FROM first."""
    found: list[list[Instruction]] = []
    for each in instructions(path):
        if each[0] == "FROM":
            found.append([])
        if found:
            found[-1].append(each)
    return found


def last(path: Path, name: str) -> str:
    """The argument of the last ``name`` of the stage that becomes the image."""
    return [argument for each, argument in stages(path)[-1] if each == name][-1]


def pairs(path: Path, name: str) -> dict[str, str]:
    """What LABEL or ENV of the last stage set."""
    arguments = [argument for each, argument in stages(path)[-1] if each == name]
    return dict(word.split("=", 1) for argument in arguments for word in shlex.split(argument))


@pytest.fixture(params=FILES, ids=lambda path: path.name)
def dockerfile(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_both_are_the_same_but_for_the_platform() -> None:
    x86, arm64 = (list(instructions(path)) for path in FILES)
    different = [(a, b) for a, b in zip(x86, arm64, strict=True) if a != b]
    assert different == [
        (
            ("FROM", "--platform=linux/amd64 ${BASE} AS python"),
            ("FROM", "--platform=linux/arm64 ${BASE} AS python"),
        )
    ]


def test_the_base_is_the_builders_choice(dockerfile: Path) -> None:
    assert instructions(dockerfile)[0][0] == "ARG"
    assert instructions(dockerfile)[0][1].startswith("BASE=")
    assert len(stages(dockerfile)) > 1


def test_it_does_not_run_as_root(dockerfile: Path) -> None:
    user, group = map(int, last(dockerfile, "USER").split(":"))
    assert user >= 1000
    assert group >= 1000


def test_commands_are_lists_not_shell_lines(dockerfile: Path) -> None:
    assert json.loads(last(dockerfile, "ENTRYPOINT")) == ["/usr/bin/tini", "--", "/opt/ocrsvc/bin/ocrsvc"]
    assert json.loads(last(dockerfile, "CMD")) == ["serve"]
    options, _, command = last(dockerfile, "HEALTHCHECK").partition(" CMD ")
    assert json.loads(command) == ["/opt/ocrsvc/bin/healthcheck"]
    assert {"--interval=10s", "--timeout=5s", "--start-period=60s"} <= set(options.split())
    assert last(dockerfile, "STOPSIGNAL") == "SIGTERM"


def test_labels_are_those_of_oci(dockerfile: Path) -> None:
    names = {name.removeprefix("org.opencontainers.image.") for name in pairs(dockerfile, "LABEL")}
    assert names == {"title", "description", "licenses", "version", "revision", "created"}


def test_nothing_of_the_builder_gets_into_the_image(dockerfile: Path) -> None:
    """Package sources come as mounted secrets; the image takes one folder of the build stage."""
    assert not SECRETS.search(dockerfile.read_text("utf-8"))
    assert [argument for name, argument in stages(dockerfile)[-1] if name == "COPY"] == [
        "--from=build /opt/ocrsvc /opt/ocrsvc"
    ]
    assert not {"RUN", "ADD"} & {name for name, _ in stages(dockerfile)[-1]}
    for lock in ("requirements.txt", "build-requirements.txt"):
        assert not re.search(r"^--|://", (ROOT / "containers" / lock).read_text("utf-8"), re.MULTILINE)


def test_the_variables_are_settings(dockerfile: Path) -> None:
    known = {f"OCRSVC_{name.upper()}" for name in Settings.model_fields}
    variables = pairs(dockerfile, "ENV")
    assert {name for name in variables if name.startswith("OCRSVC_")} <= known
    assert not {
        name for name in variables if "ANONYMOUS" in name or "KEY" in name
    }  # open only if that is meant
    assert variables["OCRSVC_CACHE_DIR"].startswith("/tmp/")  # noqa: S108
    assert last(dockerfile, "EXPOSE") == str(Settings.model_fields["port"].default)


def copied(path: Path) -> Iterator[str]:
    """What the build takes out of the checkout."""
    for stage in stages(path):
        for name, argument in stage:
            if name == "COPY" and not argument.startswith("--from"):
                yield from argument.split()[:-1]


def test_everything_that_is_copied_exists_and_is_sent(dockerfile: Path) -> None:
    sent = {
        line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")
    }
    for path in copied(dockerfile):
        assert (ROOT / path).exists()
        assert {path, path.split("/")[0]} & sent


def test_everything_that_the_wheel_is_made_of_is_copied(dockerfile: Path) -> None:
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]
    wheel = hatch["build"]["targets"]["wheel"]
    parts = [*wheel["packages"], *wheel["force-include"], *wheel["shared-data"]]
    parts.append(hatch["metadata"]["hooks"]["custom"]["path"])
    there = set(copied(dockerfile))
    absent = [each for each in parts if not {each, each.split("/")[0]} & there]
    assert absent == []


def test_the_scripts_are_programs() -> None:
    for name in ("base-image", "build", "check", "healthcheck", "install", "lock", "sbom"):
        assert os.access(ROOT / "containers" / name, os.X_OK), name


def test_compose_hardens_and_waits_long_enough() -> None:
    service: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]["ocrsvc"]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(each.startswith("127.0.0.1:") for each in service["ports"])
    drain = float(service["environment"]["OCRSVC_DRAIN_SECONDS"])
    assert drain == Settings.model_fields["drain_seconds"].default
    assert float(service["stop_grace_period"].rstrip("s")) > drain
    assert (ROOT / service["build"]["dockerfile"]) in FILES
    known = {f"OCRSVC_{name.upper()}" for name in Settings.model_fields}
    assert set(service["environment"]) <= known


def health(port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-IS", str(HEALTH_CHECK)],
        env={"OCRSVC_PORT": str(port)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_entry_point_serves_is_healthy_and_stops(
    tmp_path: Path, draw_page: Callable[..., DrawnPage], png: Callable[..., bytes]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    refused = health(port)
    assert refused.returncode == 1
    assert f"port {port}" in refused.stderr

    program, *arguments = json.loads(last(FILES[0], "ENTRYPOINT"))[2:] + json.loads(last(FILES[0], "CMD"))
    command = [str(Path(sys.executable).with_name(Path(program).name)), *arguments]
    variables = pairs(FILES[0], "ENV") | {
        "OCRSVC_PORT": str(port),
        "OCRSVC_ALLOW_ANONYMOUS": "true",
        "OCRSVC_CACHE_DIR": str(tmp_path / "cache"),
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
    }
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=variables, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT
        )
    server = RunningServer(f"http://127.0.0.1:{port}", process, log)
    try:
        server.wait_until_ready()
        assert health(port).returncode == 0
        page = draw_page()
        answer = httpx.post(f"{server.url}/api/ocr", files={"image": png(page.image)}, timeout=50).json()
        assert "TOTAL" in answer["text"]
        process.send_signal(signal.SIGTERM)
        assert server.wait() == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert health(port).returncode == 1
    # Nothing else was written: no file of the libraries either.
    assert {path.name for path in tmp_path.iterdir()} <= {"log", "cache"}


def test_the_health_check_tells_starting_from_ready(tmp_path: Path) -> None:
    """A service that listens and is not ready is unhealthy, and the reason is told."""
    answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 8\r\nConnection: close\r\n\r\nstarting"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(30)
        environment = {"OCRSVC_PORT": str(listener.getsockname()[1])}
        asking = subprocess.Popen(
            [sys.executable, "-IS", str(HEALTH_CHECK)], env=environment, stderr=subprocess.PIPE, text=True
        )
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(answer)
        _, said = asking.communicate(timeout=30)
    assert asking.returncode == 1
    assert said.strip() == "503 starting"


def test_parity_goes_on_after_the_last_picture_that_both_sides_may_have_whole(tmp_path: Path) -> None:
    whole = runpy.run_path(str(ROOT / "containers" / "parity"), run_name="parity")["whole"]
    readings = tmp_path / "arm64.jsonl"
    assert whole(readings) == 0
    rows = [json.dumps({"file": name, "model": model}) + "\n" for name in "abc" for model in ("m", "n")]
    readings.write_text("".join(rows[:5]) + rows[5][:7], "utf-8")  # killed within the second row of c
    assert whole(readings) == 2
    assert readings.read_text("utf-8") == "".join(rows[:4])
