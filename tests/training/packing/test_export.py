"""From weights to a model folder: the ONNX graph says what PyTorch says, INT8 nearly so, the manifest fits."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from available import need_training
from drawings import Picture
from numpy.typing import NDArray

need_training()

import onnx
import onnxruntime as ort
import torch
import yaml
from onnx import numpy_helper
from training.tiny_training import RECIPE

from ocrsvc.machine import cpu
from ocrsvc.models import manifest
from ocrsvc.models.buckets import fit, stack
from ocrsvc.recognition import ctc
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.settings import Precision
from ocrsvc.training.commands import cli
from ocrsvc.training.data.features import BUCKETS, Extractor
from ocrsvc.training.data.targets import Truths
from ocrsvc.training.learning.state import Recipe, State, donor_net
from ocrsvc.training.nets import teacher
from ocrsvc.training.nets.net import Crnn, normalise
from ocrsvc.training.packing import export, package, quantize
from ocrsvc.training.packing import folder as folder_module

pytestmark = pytest.mark.timeout(240)
KEPT = ("/stem/", "/gate/")  # of the recipe
CHARSET = "0123456789.合计日期元 "
TEXTS = ("合计 37.20", "日期 2026", "12", "合计 37.20 2026.11.21", "0.5", "合", "3.5元", "99元 46 8")
WIDTH = 640  # a bucket that all of them fit into


@pytest.fixture(scope="module", autouse=True)
def denormals() -> None:
    """Denormals as they are: a thread that ran our engine takes them for zero, and tests before these did."""
    torch.set_flush_denormal(False)


@pytest.fixture(scope="module")
def lines(draw_line: Callable[..., Picture]) -> list[NDArray[np.uint8]]:
    return [fit(draw_line(text), 48) for text in TEXTS]


@pytest.fixture(scope="module", params=["small", "tiny"])
def net(
    request: pytest.FixtureRequest, teacher_path: Path, tiny_path: Path, lines: list[NDArray[np.uint8]]
) -> Crnn:
    """A net as training begins, over a few characters, its BiLSTM at work, and a head that learnt to read ``lines``.

    It learnt the teacher's reading, with noise, so that its classes are as far apart as those of a net that was trained
    in earnest. Two weights are denormal numbers.
    """
    net = donor_net(request.param, CHARSET, seed=4).eval()
    truths, extractor = Truths(CHARSET, teacher.load_head()), Extractor()
    pixels = stack(lines, height=48, width=WIDTH, pad_value=127)
    goals = truths.paths(torch.from_numpy(extractor(pixels)[1]).float())[0]
    with torch.no_grad():
        net.neck.recurrent.project.weight.normal_(std=0.05)
        frames = net.neck(net.backbone(normalise(pixels)))
        net.neck.reduce.weight[0, 0] = 1e-40
        net.get_parameter("neck.recurrent.lstm.weight_hh_l0")[0, 0] = -1e-35
    spread = frames.flatten(0, 1).std(0)
    optimiser = torch.optim.Adam(net.head.parameters(), lr=0.05)
    for _ in range(150):
        logits = net.head(frames + 0.3 * spread * torch.randn(frames.shape))
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), goals.flatten()).backward()
        optimiser.step()
    with torch.no_grad():  # the same readings, less sure of themselves: more than one class has a probability
        net.head.weight.mul_(0.12)
        net.head.bias.mul_(0.12)
    return net.requires_grad_(False)


@pytest.fixture(scope="module")
def checkpoint(net: Crnn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a stage leaves it."""
    path = tmp_path_factory.mktemp("checkpoint") / "neck" / "last.pt"
    path.parent.mkdir()
    recipe = Recipe(shape=net.shape.name, epochs=7)
    optimiser = torch.optim.AdamW(net.parameters())
    State(deepcopy(net), net, optimiser).save(path, recipe, CHARSET)
    return path


@pytest.fixture(scope="module")
def folder(checkpoint: Path, font_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder of that checkpoint."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    package.package(yaml.safe_load(RECIPE), checkpoint, folder, [], [])
    return folder


def open_graph(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("width", [64, 160, 400])
def test_the_graph_says_what_pytorch_says(
    net: Crnn, folder: Path, lines: list[NDArray[np.uint8]], width: int, rows: int
) -> None:
    pixels = stack([line[:, :width] for line in lines[:rows]], height=48, width=width, pad_value=127)
    indices, probabilities, features = open_graph(folder / "model.onnx").run(None, {"pixels": pixels})
    with torch.no_grad():
        embedding = net.neck(net.backbone(normalise(pixels)))
        expected = net.head(embedding).softmax(-1)
    best = expected.topk(export.TOP_K)
    assert indices.dtype == np.int32
    assert probabilities.dtype == features.dtype == np.float32
    assert indices.shape == probabilities.shape == (rows, width // 8, export.TOP_K)
    assert np.allclose(features, embedding.numpy(), atol=1e-3)
    assert np.allclose(probabilities, best.values.numpy(), atol=1e-3)
    clear = best.values[..., 0] - best.values[..., 1] > 0.01
    assert clear.float().mean() > 0.9
    assert np.array_equal(indices[..., 0][clear.numpy()], best.indices[..., 0].numpy()[clear.numpy()])
    assert len(np.unique(indices[..., 0])) > 1


def test_probabilities_are_sorted_and_of_all_classes(folder: Path, lines: list[NDArray[np.uint8]]) -> None:
    indices, probabilities = open_graph(folder / "model.onnx").run(
        ["indices", "probabilities"], {"pixels": stack(lines[:2], height=48, width=320, pad_value=127)}
    )
    assert (np.diff(probabilities, axis=-1) <= 0).all()
    total = probabilities.sum(-1)  # of eight classes of twenty
    assert (total < 1.0001).all()
    assert (total < 0.999).any()
    assert (total > 0.5).all()
    assert all(len(set(row)) == export.TOP_K for row in indices.reshape(-1, export.TOP_K).tolist())


def test_a_line_does_not_depend_on_its_company(folder: Path, lines: list[NDArray[np.uint8]]) -> None:
    graph = open_graph(folder / "model.onnx")
    pixels = stack(lines[:3], height=48, width=320, pad_value=127)
    together = graph.run(["probabilities"], {"pixels": pixels})[0]
    alone = [graph.run(["probabilities"], {"pixels": pixels[i : i + 1]})[0] for i in range(3)]
    assert np.allclose(together, np.concatenate(alone), atol=1e-5)


def test_denormal_weights_are_flushed(net: Crnn, folder: Path) -> None:
    """They would make the LSTM's products many times slower on processors that trap them."""
    assert export.tiny(net.neck.reduce.weight.detach().numpy()).any()
    for tensor in onnx.load(folder / "model.onnx").graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32:
            assert not export.tiny(array).any(), tensor.name


def test_tiny_is_told_by_bits() -> None:
    values = np.array([0, -0.0, 1e-40, -1e-31, 1e-29, -1], np.float32)
    assert export.tiny(values).tolist() == [False, False, True, True, False, False]


def test_the_head_can_be_applied_to_the_features(
    net: Crnn, folder: Path, lines: list[NDArray[np.uint8]]
) -> None:
    """What serving does for a charset constraint."""
    stored = np.load(folder / "head.npz")
    assert stored["weight"].dtype == np.float16
    assert stored["weight"].shape == (len(CHARSET) + 1, net.shape.embedding)
    assert stored["bias"].dtype == np.float32
    pixels = stack(lines[:1], height=48, width=320, pad_value=127)
    indices, probabilities, features = open_graph(folder / "model.onnx").run(None, {"pixels": pixels})
    logits = features[0] @ stored["weight"].astype(np.float32).T + stored["bias"]
    softmax = np.exp(logits - logits.max(-1, keepdims=True))
    softmax /= softmax.sum(-1, keepdims=True)
    at = np.take_along_axis(softmax, indices[0].astype(np.int64), -1)
    assert np.allclose(at, probabilities[0], atol=0.02)


def test_int8_is_smaller_and_mostly_agrees(
    net: Crnn, folder: Path, lines: list[NDArray[np.uint8]], tmp_path: Path
) -> None:
    """Calibrated on the same lines: those of the packaged graph depend on the faces of the machine.

    The narrow layers of tiny have less to spare, and its weights were not trained for INT8.
    """
    all_frames, characters = {"small": (0.93, 0.85), "tiny": (0.85, 0.75)}[net.shape.name]
    exact, small = folder / "model.onnx", tmp_path / "model.int8.onnx"
    quantize.to_int8(exact, small, lines, BUCKETS, 127, keep_float=KEPT)
    assert small.stat().st_size < 0.45 * exact.stat().st_size
    best: list[tuple[int, int]] = []
    graphs = open_graph(exact), open_graph(small)
    for line in lines:
        pixels = stack([line], height=48, width=BUCKETS.of(line.shape[1]), pad_value=127)
        a, b = (graph.run(["indices"], {"pixels": pixels})[0] for graph in graphs)
        best += zip(a[0, :, 0].tolist(), b[0, :, 0].tolist(), strict=True)
    assert len({a for a, _ in best}) > 8
    assert np.mean([a == b for a, b in best]) > all_frames
    assert np.mean([a == b for a, b in best if a or b]) > characters  # blanks are easy


def test_convolutions_are_quantised_and_the_lstm_is_not(net: Crnn, folder: Path) -> None:
    graph = onnx.load(folder / "model.int8.onnx").graph
    made_by = {name: node for node in graph.node for name in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    ours = [
        name for name, part in net.named_modules() if isinstance(part, (torch.nn.Conv1d, torch.nn.Conv2d))
    ]
    assert len(convolutions) == len(ours)
    for node in convolutions:
        maker = made_by.get(node.input[0])
        quantised = maker is not None and maker.op_type == "DequantizeLinear"
        assert quantised == (not any(part in node.name for part in KEPT)), node.name
    kept = sum(any(part in f"{name}/".replace(".", "/") for part in KEPT) for name in ours)
    assert sum(any(part in node.name for part in KEPT) for node in convolutions) == kept >= 8
    (lstm,) = [node for node in graph.node if node.op_type == "LSTM"]
    stored = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for matrix in lstm.input[1:3]:  # float16 in the file, float32 when it runs
        cast = made_by[matrix]
        assert cast.op_type == "Cast"
        assert cast.attribute[0].i == onnx.TensorProto.FLOAT
        assert stored[cast.input[0]] == onnx.TensorProto.FLOAT16


def test_calibration_sees_what_serving_makes(lines: list[NDArray[np.uint8]]) -> None:
    """Every line in its own bucket; one that is too wide loses its end."""
    wide = np.zeros((48, BUCKETS.widest + 1, 3), np.uint8)
    narrow = np.zeros((48, 90, 3), np.uint8)
    batches = list(quantize.batches([*lines, *[narrow] * 9, wide, wide, wide], BUCKETS, 127))
    short = [len(batch) for batch in batches if batch.shape[2] == 96]
    count = 9 + sum(BUCKETS.of(line.shape[1]) == 96 for line in lines)
    assert short == [8] * (count // 8) + [count % 8] * (count % 8 > 0)
    widest = [batch.shape for batch in batches if batch.shape[2] == BUCKETS.widest]
    assert widest == [(2, 48, BUCKETS.widest, 3), (1, 48, BUCKETS.widest, 3)]
    assert sum(len(batch) for batch in batches) == len(lines) + 12
    first = lines[0]
    held = [line for batch in batches for line in batch if batch.shape[2] == BUCKETS.of(first.shape[1])]
    assert any(
        np.array_equal(line[:, : first.shape[1]], first) and (line[:, first.shape[1] :] == 127).all()
        for line in held
    )
    reader = quantize.Calibration(batches)
    fed = [reader.get_next() for _ in range(len(batches) + 1)]
    assert fed[-1] is None
    assert all(set(item) == {"pixels"} for item in fed[:-1] if item)
    assert len(reader) == len(batches)
    reader.set_range(1, 2)  # as ONNX Runtime asks for it, so that it need not keep what all batches make
    again = reader.get_next()
    assert again is not None
    assert np.array_equal(again["pixels"], batches[1])
    assert reader.get_next() is None


def test_calibration_takes_no_more_lines_than_fit_into_memory(lines: list[NDArray[np.uint8]]) -> None:
    many = [lines[0]] * 200 + [lines[1]] * 200
    batches = list(quantize.batches(many, BUCKETS, 127))
    assert quantize.MOST_LINES * 0.8 < sum(len(batch) for batch in batches) <= quantize.MOST_LINES
    shown = [line for batch in batches for line in batch]
    for line in lines[:2]:  # of both ends of the list
        assert any(np.array_equal(other[:, : line.shape[1]], line) for other in shown)


def test_the_manifest_is_one_that_serving_takes(folder: Path) -> None:
    spec = manifest.load(folder)
    assert (spec.name, spec.kind, spec.charset, spec.top_k) == ("tiny", "recogniser", CHARSET, 8)
    assert spec.precisions == ("fp32", "int8")
    assert spec.buckets == BUCKETS
    assert spec.licence == "Apache-2.0"
    assert spec.recipe["calibration"] == {"lines": 8, "seed": 5}
    assert spec.recipe["neck"]["epochs"] == 7  # of the checkpoint, where the recipe has other numbers
    assert "whole" not in spec.recipe  # a stage that comes later and was not run
    for name, file in spec.files.items():
        assert len(file.read()) == file.size, name  # read() checks the hash
    raw = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert raw["scores"] == {}
    assert {entry["path"] for entry in raw["files"].values()} == {
        path.name for path in folder.iterdir() if path.name != "manifest.json"
    }


def test_the_engine_reads_with_it_what_pytorch_reads(
    net: Crnn, folder: Path, lines: list[NDArray[np.uint8]]
) -> None:
    recogniser = Recogniser(manifest.load(folder), cpu=cpu.inspect(), precision="fp32")
    line = lines[0]
    (read,) = recogniser.run(320, [line])
    with torch.no_grad():
        best = net(normalise(stack([line], height=48, width=320, pad_value=127))).softmax(-1).max(-1)
    runs = ctc.collapse(best.indices.numpy(), best.values.numpy())
    (expected,) = ctc.lines(runs, widths=[line.shape[1]], alphabet=CHARSET, stride=8, reach_pixels=24)
    assert read.text == expected.text
    assert read.text.replace(" ", "") == "合计37.20"


def test_a_manifest_names_the_commit_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that of the folder in which the command happens to run; and a machine without git is no obstacle."""
    here = folder_module.commit()
    monkeypatch.chdir(tmp_path)
    assert folder_module.commit() == here
    monkeypatch.setenv("PATH", str(tmp_path))
    assert folder_module.commit() == ""


def test_an_entry_describes_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    expected: dict[str, Any] = {
        "path": "a",
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "bytes": 3,
    }
    assert folder_module.entry(tmp_path / "a") == expected


def test_weights_can_be_quantised_anew(folder: Path, lines: list[NDArray[np.uint8]], tmp_path: Path) -> None:
    """On other lines and with other nodes in float32; the float32 graph says the same as before."""
    spec = manifest.load(folder)
    made = package.again(spec, tmp_path / "again", lines, ["/backbone/", "/neck/"])
    assert made.recipe["keep_float"] == ["/backbone/", "/neck/"]
    assert made.charset == spec.charset
    before, after = (onnx.load(path / "model.int8.onnx").graph for path in (folder, tmp_path / "again"))
    assert [node.op_type for node in after.node].count(
        "DequantizeLinear"
    ) == 3  # the head: input, weight, bias
    assert [node.op_type for node in before.node].count("DequantizeLinear") > 20
    pixels = {"pixels": stack(lines[:2], height=48, width=320, pad_value=127)}
    one, two = (open_graph(path / "model.onnx").run(None, pixels) for path in (folder, tmp_path / "again"))
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(one, two, strict=True))
    with pytest.raises(ValueError, match="is there already"):
        package.again(spec, tmp_path / "again", lines)
    with pytest.raises(ValueError, match="no lines to calibrate on"):
        package.again(spec, tmp_path / "other", [])


def test_logits_are_never_rounded(folder: Path) -> None:
    """One scale for 7 000 classes, of which a percentile clips the best, would make them alike."""
    graph = onnx.load(folder / "model.int8.onnx").graph
    (softmax,) = [node for node in graph.node if node.op_type == "Softmax" and "/neck/" not in node.name]
    (maker,) = [node for node in graph.node if softmax.input[0] in node.output]
    assert maker.op_type == "Gemm"
    assert next(node for node in graph.node if maker.input[0] in node.output).op_type == "DequantizeLinear"


def test_int8_can_be_made_of_weights_that_learnt_to_be_rounded(
    net: Crnn,
    folder: Path,
    lines: list[NDArray[np.uint8]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They have a head of their own, which a reading with a charset goes by; fp32 keeps its own."""
    learnt = deepcopy(net)
    with torch.no_grad():
        learnt.head.bias[3] += 100.0  # whatever it sees, it reads class 3
    rounded = tmp_path / "rounded" / "last.pt"
    rounded.parent.mkdir()
    optimiser = torch.optim.AdamW(learnt.parameters())
    State(deepcopy(learnt), learnt, optimiser).save(rounded, Recipe(shape=net.shape.name), CHARSET)
    spec = package.again(manifest.load(folder), tmp_path / "model", lines, rounded=rounded)
    assert spec.recipe["rounded"]["shape"] == net.shape.name
    changed: tuple[tuple[Precision, bool], ...] = (("fp32", False), ("int8", True))
    for precision, only in changed:
        recogniser = Recogniser(spec, cpu=cpu.inspect(), precision=precision)
        for charset in (None, recogniser.charset(CHARSET)):
            (line,) = recogniser.run(WIDTH, lines[:1], charset)
            assert (set(line.text) == {CHARSET[2]}) is only, (precision, charset)
    # Made anew of weights that have learnt no such thing it says so.
    (tmp_path / "img").mkdir()
    cv2.imwrite(str(tmp_path / "img" / "0.png"), lines[0])
    (tmp_path / "manifest.jsonl").write_text(json.dumps({"file": "img/0.png", "text": "1"}), "utf-8")
    source, target = str(tmp_path / "model"), str(tmp_path / "anew")
    cli.main(
        ["quantize", source, "--model", target, "--data", str(tmp_path), "--held-out", "0", "--drawn", "0"]
    )
    assert "learnt to be rounded" in capsys.readouterr().out
    assert not manifest.load(tmp_path / "anew").int8_learnt_apart
