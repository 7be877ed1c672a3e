"""Records of `ocrsvc tune`: kept, found again, and ignored where they do not hold; real files, every fault caused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_model

from ocrsvc.diagnosis import configuration, tuned
from ocrsvc.diagnosis.choice import Figure
from ocrsvc.diagnosis.tuned import Candidate, Key, Record, Step
from ocrsvc.machine.cpu import Cpu, inspect
from ocrsvc.models.registry import Registry
from ocrsvc.settings import Settings

CPU = Cpu("x86_64", "Test", 4, 2.5, 2, frozenset({"avx2", "avx"}), signature="Maker 1 2 3")


def key(**changes: object) -> Key:
    return replace(tuned.key_of(tiny_model.manifest(), CPU), **changes)  # type: ignore[arg-type]


def step(*values: dict[str, tuned.Value], chosen: int = 0) -> Step:
    figure = Figure(100.0, 0.1, 0.01, 7)
    return Step(tuple(Candidate(each, figure) for each in values), chosen)


def record(of: Key, *steps: Step, measured_at: str = "2026-11-21T12:00:00+00:00") -> Record:
    return Record(of, measured_at, 45.0, 0.98, steps)


FASTER = (
    step({"workers": 2, "run_threads": 1}, {"workers": 1, "run_threads": 2}, chosen=1),
    step({"t_max_ms": 40.0}, {"t_max_ms": 20.0}, {"t_max_ms": 80.0}, chosen=2),
    step({"arena": True}, {"arena": False}),
)


def test_what_is_stored_is_found_again(tmp_path: Path) -> None:
    kept = record(key(), *FASTER)
    path = tuned.store(tmp_path / "new" / "folder", kept)
    found = tuned.find(tmp_path / "new" / "folder", key())
    assert (found.record, found.path, found.warning) == (kept, path, "")
    assert [each.name for each in path.parent.iterdir()] == [path.name]  # no draft left behind


def test_only_what_left_its_default_is_a_choice() -> None:
    assert record(key(), *FASTER).choice == {"workers": 1, "run_threads": 2, "t_max_ms": 80.0}
    assert record(key(), step({"arena": True}, {"arena": False})).choice == {}


@pytest.mark.parametrize(
    ("explicit", "left"),
    [
        ((), {"workers", "run_threads", "t_max_ms"}),
        (("workers",), {"t_max_ms"}),  # threads of a run make sense beside their workers only
        (("run_threads", "host"), {"t_max_ms"}),
        (("t_max_ms",), {"workers", "run_threads"}),
    ],
)
def test_what_is_explicit_wins(explicit: tuple[str, ...], left: set[str]) -> None:
    assert set(tuned.usable(record(key(), *FASTER), explicit)) == left


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cpu": "Other"}, "cpu Test, was Other"),
        ({"signature": "Maker 1 2 4"}, "signature"),
        ({"flags": ("avx",)}, "flags"),
        ({"onnxruntime": "1.0.0"}, "onnxruntime"),
        ({"cores": 4}, "cores 2, was 4"),
        ({"affinity": 8}, "affinity"),
        ({"quota": None}, "quota 2.5, was None"),
        ({"weights": {"fp32": "0" * 64}}, "weights"),
        ({"format": 0}, "format"),
    ],
)
def test_a_record_holds_for_its_key_only(tmp_path: Path, change: dict[str, object], told: str) -> None:
    path = tuned.store(tmp_path, record(key(**change), *FASTER))
    found = tuned.find(tmp_path, key())
    assert (found.record, found.warning) == (None, "")  # an old record is no fault ...
    assert told in found.stale
    path.rename(tuned.path_of(tmp_path, key()))
    found = tuned.find(tmp_path, key())
    assert found.record is None
    assert told in found.warning  # ... but a file that was brought here is one
    assert "\n" not in found.warning


def test_of_other_models_nothing_is_said_and_of_several_records_the_newest(tmp_path: Path) -> None:
    tuned.store(tmp_path, record(key(model="other"), *FASTER))
    assert tuned.find(tmp_path, key()).stale == ""
    tuned.store(tmp_path, record(key(cores=8), *FASTER, measured_at="2026-11-22T00:00:00+00:00"))
    tuned.store(tmp_path, record(key(cores=9), *FASTER, measured_at="2026-11-20T00:00:00+00:00"))
    (tmp_path / "tiny-broken.json").write_bytes(b"{")
    assert tuned.find(tmp_path, key()).stale == "cores 2, was 8"


def corruptions() -> list[bytes]:
    good = json.loads(tuned.dump(record(key(), *FASTER)))
    stranger = json.loads(json.dumps(good))
    stranger["steps"][0]["candidates"][1]["values"] = {"host": "0.0.0.0"}  # noqa: S104 - must not get through
    beyond = {**good, "steps": [{**good["steps"][0], "chosen": 9}]}
    wrong: list[object] = [stranger, beyond, {**good, "key": {}}, [], None]
    parts = [json.dumps(each).encode() for each in wrong]
    return [b"", b"{", b"\xff\xfe\x00", tuned.dump(record(key(), *FASTER))[:-40], *parts]


@pytest.mark.parametrize("content", corruptions(), ids=lambda content: repr(content[:12]))
def test_a_broken_file_is_a_warning_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tuned.path_of(tmp_path, key())
    path.write_bytes(content)
    found = tuned.find(tmp_path, key())
    assert found.record is None
    assert str(path) in found.warning
    assert "\n" not in found.warning


def test_a_folder_in_the_place_of_the_file_is_a_warning(tmp_path: Path) -> None:
    tuned.path_of(tmp_path, key()).mkdir()
    assert "cannot be read" in tuned.find(tmp_path, key()).warning


def test_a_place_that_cannot_be_written_is_an_error_of_store_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        tuned.store(tmp_path / "file" / "tuned", record(key(), *FASTER))
    assert tuned.find(tmp_path / "file" / "tuned", key()).record is None
    assert tuned.look_up(Settings(cache_dir=tmp_path / "file" / "below")) == tuned.Found()


def test_the_name_of_a_model_is_no_path(tmp_path: Path) -> None:
    path = tuned.path_of(tmp_path, key(model="../../etc/发票"))
    assert path.parent == tmp_path
    assert tuned.store(tmp_path, record(key(model="../../etc/发票"))).is_file()


def test_a_user_without_a_home_has_no_records(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")  # as in a container with an unknown user

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert tuned.look_up(Settings()) == tuned.Found()


# --- settings in force ---


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Key:
    """This machine with the small model as default and an empty cache folder; gives the key."""
    tiny_model.write(tmp_path / "models")
    monkeypatch.setenv("OCRSVC_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("OCRSVC_MODEL", "tiny")
    monkeypatch.setenv("OCRSVC_CACHE_DIR", str(tmp_path / "cache"))
    return tuned.key_of(Registry(Settings()).spec("tiny"), inspect())


def keep(of: Key, *steps: Step) -> Path:
    return tuned.store(tuned.folder_of(Settings()), record(of, *steps))


def test_tuned_values_take_the_place_of_defaults(machine: Key) -> None:
    assert configuration.load_tuned().tuned == []
    keep(machine, *FASTER)
    sourced = configuration.load_tuned(port=0, host=None)
    settings, origins = sourced.settings, sourced.origins
    assert (settings.workers, settings.run_threads, settings.t_max_ms) == (1, 2, 80.0)
    assert set(sourced.tuned) == {"workers", "run_threads", "t_max_ms"}
    assert (origins["port"], origins["model"], origins["host"]) == ("flag", "environment", "default")
    assert configuration.load().t_max_ms == 40.0  # other commands are not touched


def test_environment_and_flags_win(machine: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(machine, *FASTER)
    monkeypatch.setenv("OCRSVC_T_MAX_MS", "33")
    monkeypatch.setenv("OCRSVC_RUN_THREADS", "3")
    sourced = configuration.load_tuned()
    assert sourced.tuned == []
    assert (sourced.settings.t_max_ms, sourced.settings.run_threads, sourced.settings.workers) == (
        33,
        3,
        None,
    )
    assert sourced.origins["t_max_ms"] == "environment"
    sourced = configuration.load_tuned(workers=machine.cores)
    assert (sourced.settings.workers, sourced.origins["workers"]) == (machine.cores, "flag")


def test_tuning_can_be_ignored(machine: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    path = keep(machine, *FASTER)
    assert configuration.load_tuned(tune=False).tuned == []
    monkeypatch.setenv("OCRSVC_TUNE", "false")
    path.write_bytes(b"{")
    sourced = configuration.load_tuned()
    assert (sourced.tuned, sourced.found) == ([], tuned.Found())  # nobody even looks


def test_fewer_workers_than_cores_are_another_machine(machine: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(replace(machine, cores=1), *FASTER)
    monkeypatch.setenv("OCRSVC_WORKERS", "1")
    assert configuration.load_tuned().tuned == ["t_max_ms"]


def test_values_that_no_setting_can_take_are_a_warning(machine: Key) -> None:
    path = keep(machine, step({"t_max_ms": 40.0}, {"t_max_ms": -1.0}, chosen=1))
    sourced = configuration.load_tuned()
    assert sourced.settings.t_max_ms == 40.0
    assert (sourced.tuned, sourced.found.record) == ([], None)
    assert str(path) in sourced.found.warning
    assert "OCRSVC_T_MAX_MS" in sourced.found.warning


def test_work_on_own_files_keeps_its_limits(machine: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(machine, *FASTER)
    monkeypatch.setenv("OCRSVC_MAX_PAGES", "7")
    settings = configuration.load_tuned(offline=True).settings
    assert (settings.deadline_seconds, settings.max_pages, settings.t_max_ms) == (3600, 7, 80)


def test_an_unknown_model_is_told_where_it_is_opened(machine: Key) -> None:
    keep(machine, *FASTER)
    assert configuration.load_tuned(model="gone").tuned == []
