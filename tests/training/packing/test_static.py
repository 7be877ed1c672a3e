"""Graphs of fixed shape read what the graph of any shape reads."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import tiny_model

from ocrsvc.machine import cpu
from ocrsvc.models import manifest
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.training.commands import cli
from ocrsvc.training.packing import static


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with graphs of three lines."""
    source = tmp_path_factory.mktemp("static")
    tiny_model.write(source)
    command = [
        "export",
        "--static-buckets",
        "3",
        "--from",
        str(source / "tiny"),
        "--model",
        str(source / "out"),
    ]
    assert cli.main(command) == 0
    return source / "out"


def test_each_bucket_has_a_graph_of_its_own_shape(folder: Path) -> None:
    for width in tiny_model.WIDTHS:
        model = onnx.load(folder / f"fp32-{width}.onnx")
        shape = [each.dim_value for each in model.graph.input[0].type.tensor_type.shape.dim]
        assert shape == [3, tiny_model.HEIGHT, width, 3]
        assert {each.domain for each in model.opset_import} == {""}


@pytest.mark.parametrize("count", [1, 3, 7])
def test_they_read_the_same_whatever_the_batch(folder: Path, count: int) -> None:
    lines = [tiny_model.draw(text) for text in ["12", "中文", "A7", "B", "0", "99", "X Y"][:count]]
    any_shape = Recogniser(tiny_model.manifest(), cpu=cpu.inspect())
    fixed = Recogniser(manifest.load(folder), cpu=cpu.inspect())
    assert fixed.id.digest == any_shape.id.digest
    for charset in (None, any_shape.charset("digits")):
        answers = [each.run(64, lines, charset) for each in (fixed, any_shape)]
        assert [line.text for line in answers[0]] == [line.text for line in answers[1]]
        assert [line.free and line.free.text for line in answers[0]] == [
            line.free and line.free.text for line in answers[1]
        ]


def test_what_cannot_be_made_is_told(folder: Path, tmp_path: Path) -> None:
    spec = tiny_model.manifest()
    with pytest.raises(ValueError, match="has an attention decoder, which has no fixed shape"):
        static.export(tiny_model.manifest(decoder=True), tmp_path / "new", 3)
    with pytest.raises(ValueError, match="there already"):
        static.export(spec, folder, 3)
    with pytest.raises(ValueError, match="0 lines"):
        static.export(spec, tmp_path / "new", 0)
    with pytest.raises(SystemExit, match="--from"):
        cli.main(["export", "--static-buckets", "--model", str(tmp_path / "new")])
    with pytest.raises(SystemExit, match="--stage"):
        cli.main(["export", "crnn", "--model", str(tmp_path / "new")])
