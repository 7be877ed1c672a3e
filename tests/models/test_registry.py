"""Model folders: manifests, hashes, the registry."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_model

from ocrsvc.errors import CorruptModel, UnknownModel
from ocrsvc.machine import cpu
from ocrsvc.models.manifest import Manifest, ModelFile, load, save
from ocrsvc.models.registry import DETECTOR, Registry, default_models_dir
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.settings import Settings

FAST = cpu.Cpu("x86_64", "", 1, None, 1, frozenset({"avx512_vnni"}))
PLAIN = cpu.Cpu("x86_64", "", 1, None, 1, frozenset({"avx"}))


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(raw | changes, ensure_ascii=False), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_model.write(tmp_path)
    return tmp_path / "tiny"


def test_a_saved_model_is_the_same_when_loaded(folder: Path) -> None:
    want, got = tiny_model.manifest(), load(folder)
    assert (got.name, got.charset, got.input, got.top_k, got.scores) == (
        want.name,
        want.charset,
        want.input,
        want.top_k,
        want.scores,
    )
    for key, file in want.files.items():
        assert got.files[key].read() == file.read()
        assert got.files[key].size == file.size


def test_saving_over_a_model_keeps_the_one_that_is_there(folder: Path) -> None:
    before = (folder / "manifest.json").stat().st_mtime_ns
    save(folder, tiny_model.manifest(), {"fp32": "model.onnx", "head": "head.npz"})
    assert (folder / "manifest.json").stat().st_mtime_ns == before
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_changed_file_is_not_run(folder: Path) -> None:
    path = folder / "model.onnx"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptModel, match="SHA-256"):
        Recogniser(load(folder), cpu=PLAIN)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    with pytest.raises(CorruptModel, match=r"model\.onnx cannot be read"):
        Recogniser(load(folder), cpu=PLAIN)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"charset": tiny_model.CHARSET[::-1]}, "the charset has SHA-256"),
        ({"charset_sha256": "0" * 64}, "the charset has SHA-256"),
        ({"kind": "oracle"}, "kind must be"),
        ({"files": {}}, "neither fp32 nor int8"),
        (
            {"files": {"fp32": {"path": "../../etc/passwd", "sha256": "", "bytes": 1}}},
            "outside the model's folder",
        ),
        ({"files": {"fp32": {"path": "model.onnx"}}}, "sha256"),
        ({"input": {"buckets": [64, 32]}}, "ascending"),
        ({"input": None}, "no manifest"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_corrupt(
    folder: Path, changes: dict[str, Any], message: str
) -> None:
    edit(folder, **changes)
    with pytest.raises(CorruptModel, match=message):
        load(folder)


def test_a_manifest_that_is_no_json_is_corrupt(folder: Path) -> None:
    (folder / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(CorruptModel, match="not JSON"):
        load(folder)


def test_a_charset_with_a_character_twice_is_corrupt(tmp_path: Path) -> None:
    with pytest.raises(CorruptModel, match="a character twice"):
        save(
            tmp_path / "twice",
            tiny_model.manifest(charset=tiny_model.CHARSET + "0"),
            {"fp32": "model.onnx", "head": "head.npz"},
        )


@pytest.mark.parametrize(
    ("files", "machine", "precision", "chosen"),
    [
        ("fp32 int8", FAST, "auto", "int8"),
        ("fp32 int8", PLAIN, "auto", "fp32"),
        ("fp32", FAST, "auto", "fp32"),
        ("int8", PLAIN, "auto", "int8"),
        ("fp32 int8", PLAIN, "int8", "int8"),
        ("fp32 int8", FAST, "fp32", "fp32"),
    ],
)
def test_auto_takes_int8_where_it_ships_and_the_processor_gains(
    files: str, machine: cpu.Cpu, precision: Any, chosen: str
) -> None:
    known = {name: ModelFile(name, 1) for name in files.split()}
    spec = Manifest("m", "recogniser", "", tiny_model.manifest().input, known)
    assert spec.weights(precision, machine) is known[chosen]


def test_some_int8_is_taken_on_request_alone() -> None:
    known = {name: ModelFile(name, 1) for name in ("fp32", "int8")}
    spec = Manifest("m", "recogniser", "", tiny_model.manifest().input, known, int8_on_request=True)
    assert spec.weights("auto", FAST) is known["fp32"]
    assert spec.weights("int8", FAST) is known["int8"]
    assert not spec.int8_learnt_apart
    assert replace(spec, files={**known, "head_int8": known["int8"]}).int8_learnt_apart


def test_the_registry_lists_by_kind_and_opens_by_name(folder: Path) -> None:
    shutil.copytree(folder, folder.parent / "finder")
    edit(folder.parent / "finder", name="finder", kind="detector")
    registry = Registry(Settings(models_dir=folder.parent))
    assert "tiny" in registry.names()
    assert "finder" not in registry.names()
    assert registry.names("detector") == ["finder"]
    assert registry.spec("tiny").name == "tiny"
    assert [spec.name for spec in registry.manifests("detector")] == ["finder"]


def test_the_settings_name_the_detector_or_else_the_default_recogniser(folder: Path) -> None:
    for name in ("finder", "other", DETECTOR):
        shutil.copytree(folder, folder.parent / name)
        edit(folder.parent / name, name=name, kind="detector")

    def found(**settings: Any) -> str:
        return Registry(Settings(models_dir=folder.parent, model="tiny", **settings)).detector().name

    assert found() == DETECTOR
    edit(folder, detector="finder")
    assert found() == "finder"
    assert found(detector="other") == "other"
    assert found(detector=str(folder.parent / "other")) == "other"
    with pytest.raises(UnknownModel, match=f"'tiny' is no detector; there are finder, other, {DETECTOR}"):
        found(detector="tiny")
    with pytest.raises(UnknownModel, match=rf"no model 'gone'\. There are: finder, other, {DETECTOR}\."):
        found(detector="gone")


def test_every_recogniser_that_ships_goes_with_a_detector_that_ships() -> None:
    detectors = Registry(Settings()).names("detector")
    assert {load(default_models_dir() / name).detector for name in ("crnn", "crnn-fast")} <= {"", *detectors}
    assert Registry(Settings(model="crnn-fast")).detector().name == "ppocrv6-det-tiny"


def test_an_unknown_name_is_answered_with_the_known_ones(folder: Path) -> None:
    registry = Registry(Settings(models_dir=folder.parent))
    with pytest.raises(UnknownModel, match=r"There is no model 'nope'\. There are: .*tiny") as caught:
        registry.spec("nope")
    assert "tiny" in caught.value.extra["known"]


def test_a_path_is_a_name_only_if_the_operator_set_it(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "none"
    elsewhere.mkdir()
    assert Registry(Settings(models_dir=elsewhere, model=str(folder))).spec(str(folder)).name == "tiny"
    with pytest.raises(UnknownModel):  # as a request would ask for it
        Registry(Settings(models_dir=elsewhere)).spec(str(folder))


def test_the_checkout_finds_its_own_models() -> None:
    assert default_models_dir().name == "models"
    assert default_models_dir().is_dir()


# --- cascades ---


def cascade(folder: Path, **changes: Any) -> Path:
    """Write a cascade of ``tiny`` and its copy ``other`` beside the folder of ``tiny``."""
    if not (other := folder.parent / "other").exists():
        shutil.copytree(folder, other)
        edit(other, name="other")
    document = {"name": "both", "kind": "cascade", "first": "tiny", "second": "other", "below": 0.8} | changes
    (made := folder.parent / "both").mkdir()
    (made / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    return made


def test_a_cascade_is_a_recogniser_with_the_files_of_both(folder: Path) -> None:
    cascade(folder)
    registry = Registry(Settings(models_dir=folder.parent))
    assert {"both", "other", "tiny"} <= set(registry.names())
    both, tiny = registry.spec("both"), registry.spec("tiny")
    assert both.cascade is not None
    assert (both.cascade.first, both.cascade.second.name, both.cascade.below) == (tiny, "other", 0.8)
    assert (both.kind, both.charset, both.input) == (tiny.kind, tiny.charset, tiny.input)
    assert set(both.files) == set(tiny.files) | {f"other {key}" for key in tiny.files}
    assert both.precisions == tiny.precisions


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"below": 1.5}, "below must be from 0 to 1"),
        ({"below": None}, "no manifest"),
        ({"second": "both"}, "both is a cascade"),
        ({"second": "finder"}, "finder is a detector"),
        ({"second": "../../etc"}, "outside"),
        ({"second": "narrow"}, "differ in charset or input"),
    ],
)
def test_a_cascade_that_cannot_be_is_corrupt(folder: Path, changes: dict[str, Any], message: str) -> None:
    for name, members in (
        ("finder", {"kind": "detector"}),
        ("narrow", {"input": {"height": 32, "buckets": [64]}}),
    ):
        shutil.copytree(folder, folder.parent / name)
        edit(folder.parent / name, name=name, **members)
    with pytest.raises(CorruptModel, match=message):
        load(cascade(folder, **changes))


def test_a_cascade_needs_both_of_its_models(folder: Path) -> None:
    with pytest.raises(UnknownModel, match="nonesuch"):
        load(cascade(folder, second="nonesuch"))
