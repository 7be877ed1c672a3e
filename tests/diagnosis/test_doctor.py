"""The doctor finds what is wrong: each fault is caused for real, in files, settings or a drawn processor."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocrsvc.diagnosis import configuration, doctor, explanation
from ocrsvc.machine.cpu import Cpu
from ocrsvc.models.registry import Registry, default_models_dir
from ocrsvc.settings import Settings

CPU = Cpu("x86_64", "Test", affinity=4, quota=None, effective=4, flags=frozenset({"avx2", "avx512_vnni"}))
DETECTOR = "ppocrv6-det-small"


def by_name(checks: Iterable[doctor.Check]) -> dict[str, doctor.Check]:
    return {check.name: check for check in checks}


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A folder with a copy of the detector that ships."""
    shutil.copytree(default_models_dir() / DETECTOR, tmp_path / "models" / DETECTOR)
    return tmp_path / "models"


def test_software_is_named() -> None:
    found = by_name(doctor.software())
    assert list(found) == ["version", "onnxruntime", "opencv"]
    assert "CPUExecutionProvider" in found["onnxruntime"].found
    assert cv2.__version__ in found["opencv"].found


def test_more_workers_than_cores_is_a_warning() -> None:
    assert by_name(doctor.processor(CPU, Settings(workers=4)))["cores"].status == "ok"
    assert by_name(doctor.processor(CPU, Settings(workers=5)))["cores"].status == "warning"
    starved = replace(CPU, quota=0.5, effective=1)
    assert by_name(doctor.processor(starved, Settings()))["cores"].status == "warning"


def test_int8_without_the_instructions_is_a_warning() -> None:
    old = replace(CPU, flags=frozenset({"avx"}))
    assert by_name(doctor.processor(old, Settings(precision="int8")))["instructions"].status == "warning"
    assert by_name(doctor.processor(old, Settings()))["instructions"].status == "ok"
    assert by_name(doctor.processor(CPU, Settings(precision="int8")))["instructions"].status == "ok"


def test_a_changed_model_file_is_a_problem(models_dir: Path) -> None:
    settings = Settings(models_dir=models_dir, model=DETECTOR)
    weights = next((models_dir / DETECTOR).glob("*.onnx"))
    assert by_name(doctor.models(Registry(settings), settings, CPU))[f"model {DETECTOR}"].status == "ok"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0x")
    check = by_name(doctor.models(Registry(settings), settings, CPU))[f"model {DETECTOR}"]
    assert check.status == "problem"
    assert "SHA-256" in check.found


def test_a_detector_as_default_model_is_a_problem(models_dir: Path) -> None:
    settings = Settings(models_dir=models_dir, model=DETECTOR)
    assert by_name(doctor.models(Registry(settings), settings, CPU))["default model"].status == "problem"


def test_a_recogniser_as_detector_is_a_problem() -> None:
    settings = Settings(detector="crnn")
    check = by_name(doctor.models(Registry(settings), settings, CPU))["detector"]
    assert (check.status, "is no detector" in check.found) == ("problem", True)
    settings = Settings(model="crnn-fast")
    check = by_name(doctor.models(Registry(settings), settings, CPU))["detector"]
    assert (check.status, check.found) == ("ok", "ppocrv6-det-tiny")


def test_an_unknown_default_model_is_a_problem(models_dir: Path) -> None:
    settings = Settings(models_dir=models_dir, model="gone")
    (check,) = doctor.models(Registry(settings), settings, CPU)
    assert (check.name, check.status) == ("models", "problem")
    assert "'gone'" in check.found


def test_a_cache_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    assert doctor.storage(Settings(cache_dir=tmp_path / "new")).status == "ok"
    (tmp_path / "file").write_bytes(b"")
    assert doctor.storage(Settings(cache_dir=tmp_path / "file" / "below")).status == "warning"


def test_settings_in_force_are_told() -> None:
    assert doctor.in_force(Settings()).found == "all at their defaults"
    assert doctor.in_force(Settings(workers=3)).found == "OCRSVC_WORKERS=3"


def test_threads_of_cores_and_nodes_are_told() -> None:
    smt = replace(CPU, physical=2, nodes=2)
    check = by_name(doctor.processor(smt, Settings()))["cores"]
    assert "4 hardware threads on 2 cores, 2 NUMA nodes" in check.found
    assert (check.status, "--processes-per-numa-node" in check.advice) == ("ok", True)
    plain = by_name(doctor.processor(replace(CPU, physical=4), Settings()))["cores"]
    assert "Test: 4 cores, no cgroup quota" in plain.found
    assert plain.advice == ""


# --- where each choice comes from ---


def test_every_choice_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCRSVC_T_MAX_MS", "33")
    sourced = configuration.load_sourced(workers=3, model=None)
    checks = by_name(doctor.choices(sourced, Registry(sourced.settings), CPU))
    assert list(checks) == [f"choice {name}" for name in explanation.DEFAULTS]
    assert checks["choice precision"].found.startswith("int8 (default): ")
    assert checks["choice workers"].found == "3 (flag): --workers"
    assert checks["choice t_max_ms"].found == "33.0 (environment): OCRSVC_T_MAX_MS"
    assert all(check.status == "ok" and check.found for check in checks.values())


def test_an_unknown_model_does_not_stop_the_explanation(monkeypatch: pytest.MonkeyPatch) -> None:
    sourced = configuration.load_sourced(model="gone")
    checks = by_name(doctor.choices(sourced, Registry(sourced.settings), CPU))
    assert checks["choice precision"].found.startswith("auto (default)")


def test_the_drawn_picture_has_ink() -> None:
    drawn = cv2.imdecode(np.frombuffer(doctor.draw(("OCR",)), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert drawn is not None
    assert 0.02 < (drawn < 128).mean() < 0.5
    assert (drawn[[0, -1]] == 255).all()  # nothing cut off above or below


def test_a_job_store_that_cannot_be_used_is_a_problem(tmp_path: Path) -> None:
    assert doctor.jobs(Settings()).status == "ok"
    good = doctor.jobs(Settings(jobs_path=tmp_path / "new" / "jobs.sqlite"))
    assert (good.status, "no jobs" in good.found) == ("ok", True)
    (tmp_path / "file").write_bytes(b"")
    bad = doctor.jobs(Settings(jobs_path=tmp_path / "file" / "jobs.sqlite"))
    assert bad.status == "problem"
    assert "OCRSVC_JOBS_PATH" in bad.advice
