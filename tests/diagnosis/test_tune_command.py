"""`ocrsvc tune`, and `read` and `serve` with what it left behind: real processes, on a model of a few hundred bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_model
from available import model_name
from drawings import Picture

from ocrsvc.commands import cli
from ocrsvc.diagnosis import tuned
from ocrsvc.diagnosis.choice import Figure
from ocrsvc.diagnosis.evaluation import normal
from ocrsvc.diagnosis.tuned import Candidate, Record, Step
from ocrsvc.machine.cpu import inspect
from ocrsvc.models.registry import Registry
from ocrsvc.settings import Settings

pytestmark = pytest.mark.timeout(120)
LINE = "合计 TOTAL 37.20"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small model is the default; gives the cache folder, which is not there yet."""
    tiny_model.write(tmp_path / "models")
    monkeypatch.setenv("OCRSVC_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("OCRSVC_MODEL", "tiny")
    monkeypatch.setenv("OCRSVC_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(*arguments: str, status: int = 0, **variables: str) -> tuple[str, str]:
    """Run ``ocrsvc`` in this environment, check its exit status, return standard output and error."""
    command = [sys.executable, "-m", "ocrsvc", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **variables}, timeout=100, check=False
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def test_what_is_measured_is_kept_and_told(tiny: Path) -> None:
    out, _ = run("tune", "--seconds", "2", "--json")
    body = json.loads(out)
    (path,) = (tiny / "tuned").iterdir()
    record = tuned.find(path.parent, tuned.key_of(Registry(Settings()).spec("tiny"), inspect())).record
    assert record is not None
    assert json.loads(tuned.dump(record)) == body
    assert body["key"]["model"] == "tiny"
    assert body["seconds"] > 0
    knobs = {name for step in record.steps for name in step.candidates[0].values}
    assert knobs >= {"arena", "t_max_ms"}


def test_people_are_told_what_was_chosen(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tune", "--seconds", "0.3"]) == 0
    out, _ = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("tiny on ")
    assert any(line.startswith("* arena=True") and "the default" in line for line in lines)
    assert sum("t_max_ms=" in line for line in lines) >= 4
    assert lines[-1].startswith("kept in ")
    assert Path(lines[-1].removeprefix("kept in ")).is_file()


def test_what_cannot_be_kept_is_told_and_is_no_failure(
    tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write_bytes(b"")  # a file where the folder should be: nobody, not even root, can write below it
    monkeypatch.setenv("OCRSVC_T_MAX_MS", "33")
    monkeypatch.setenv("OCRSVC_TUNE", "false")
    assert cli.main(["tune", "--seconds", "0.01"]) == 0
    _, errors = capsys.readouterr()
    assert f"{tiny / 'tuned'} cannot be written" in errors
    assert "try more --seconds" in errors
    assert "OCRSVC_T_MAX_MS is set and wins" in errors
    assert "OCRSVC_TUNE is off" in errors


@pytest.mark.parametrize("seconds", ["0", "-1", "many", "nan", "1e9"])
def test_a_time_that_is_none_is_wrong_usage(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["tune", f"--seconds={seconds}"])
    assert ended.value.code == 2
    assert "--seconds" in capsys.readouterr().err


def test_an_unknown_model_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tune", "--model", "gone"]) == 2
    assert "'gone'" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["serve"], ["doctor"], ["read", "x.png"]], ids=lambda words: words[0])
def test_tuning_can_be_ignored_by_each_command_that_uses_it(command: list[str]) -> None:
    assert cli.parser().parse_args([*command, "--no-tune"]).tune is False
    assert cli.parser().parse_args(command).tune is None


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A broken record of the real model on this machine."""
    monkeypatch.setenv("OCRSVC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("OCRSVC_MODEL", model_name())
    settings = Settings()
    key = tuned.key_of(Registry(settings).spec(settings.model), inspect())
    path = tuned.path_of(tuned.folder_of(settings), key)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{")
    return path


def test_read_warns_of_a_broken_file_and_reads(
    broken: Path, tmp_path: Path, draw_line: Callable[..., Picture], png: Callable[[Picture], bytes]
) -> None:
    picture = tmp_path / "line.png"
    picture.write_bytes(png(draw_line(LINE)))
    out, errors = run("read", str(picture))
    assert normal(out) == normal(LINE)
    assert errors.startswith(f"ocrsvc: {broken} is not what `ocrsvc tune` writes")
    assert errors.count("\n") == 1


def test_serve_logs_what_it_uses_and_what_it_cannot_use(tiny: Path) -> None:
    """It ends by itself: beside the small model there is no detector."""

    def logged() -> list[dict[str, object]]:
        out, _ = run("serve", "--port", "0", status=1)
        return [json.loads(line) for line in out.splitlines()]

    key = tuned.key_of(Registry(Settings()).spec("tiny"), inspect())
    path = tuned.path_of(tiny / "tuned", key)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{")
    (warning,) = [line for line in logged() if line["level"] == "warning"]
    assert str(path) in str(warning["event"])

    figure = Figure(100.0, 0.1, 0.01, 7)
    step = Step((Candidate({"t_max_ms": 40.0}, figure), Candidate({"t_max_ms": 80.0}, figure)), 1)
    tuned.store(path.parent, Record(key, "2026-11-21T12:00:00+00:00", 45.0, 1.0, (step,)))
    (line,) = [line for line in logged() if line["event"] == "tuned"]
    assert (line["level"], line["t_max_ms"]) == ("info", 80.0)
