"""The classic CRNN: its shapes, its gray, and that its export is a model that serving reads with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from available import need_training

need_training()

import onnx
import onnxruntime as ort
import torch

from ocrsvc.machine import cpu
from ocrsvc.models import manifest
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.training.nets import vgg
from ocrsvc.training.nets.vgg import Shape, Vgg
from ocrsvc.training.packing import folder

SMALL = Shape((4, 6, 8, 8, 10, 10, 12), hidden=7, height=32)
CHARSET = "0123456789"


def lines(height: int, count: int, width: int) -> np.ndarray:
    """uint8 noise, whose steps differ."""
    return np.random.default_rng(3).integers(0, 256, (count, height, width, 3), np.uint8)


def images(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() * (2 / 255) - 1


@pytest.fixture(scope="module")
def net() -> Vgg:
    """Random, with the statistics of two batches and a head that does not always say the same."""
    torch.manual_seed(3)
    net = Vgg(SMALL, len(CHARSET) + 1)
    for _ in range(2):
        net(images(lines(32, 4, 64)))
    net.head.weight.data *= 20
    return net.eval().requires_grad_(False)


@pytest.mark.parametrize("height", [32, 48])
@pytest.mark.parametrize("width", [4, 64, 100])
def test_one_step_for_four_pixels(height: int, width: int) -> None:
    net = Vgg(Shape(SMALL.widths, 7, height), 11).eval()
    x = images(lines(height, 2, width))
    assert net.neck(net.backbone(x)).shape == (2, width // 4, 14)
    assert net(x).shape == (2, width // 4, 11)


def test_the_classic_sizes_are_the_classic_net() -> None:
    net = Vgg(Shape(), 37)  # digits, letters and the blank, as in the paper, which counts 8.3 million
    count = sum(p.numel() for p in net.parameters())
    assert 8.0e6 < count < 9.0e6
    assert net.neck.lstm.num_layers == 2
    assert net.head.in_features == 512


def test_only_the_gray_of_a_picture_counts(net: Vgg) -> None:
    colourful = torch.rand(1, 3, 32, 64) * 2 - 1
    gray = (colourful * torch.tensor(vgg.GRAY).reshape(1, 3, 1, 1)).sum(1, keepdim=True)
    assert torch.allclose(net(colourful), net(gray.expand(1, 3, 32, 64)), atol=1e-4)
    assert not torch.allclose(net(colourful), net(colourful.flip(1)), atol=1e-4)


@pytest.mark.parametrize(("widths", "height"), [((1, 2), 32), (SMALL.widths, 40), (SMALL.widths, 0)])
def test_impossible_sizes_are_refused(widths: tuple[int, ...], height: int) -> None:
    with pytest.raises(ValueError, match=r"7 convolutions|multiple of 16"):
        Shape(widths, 7, height)


@pytest.fixture(scope="module")
def model(net: Vgg, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("models") / "vgg"
    description = folder.Description(
        "vgg", "VGG", CHARSET, 32, 4, 127, (64, 128), "drawn", keep_float=("layers.0",)
    )
    folder.write(target, net, description, list(lines(32, 6, 60)))
    return target


@pytest.mark.parametrize("width", [64, 128])
def test_the_graph_says_what_pytorch_says(net: Vgg, model: Path, width: int) -> None:
    pixels = lines(32, 3, width)
    session = ort.InferenceSession(str(model / "model.onnx"), providers=["CPUExecutionProvider"])
    indices, probabilities, features = session.run(None, {"pixels": pixels})
    embedding = net.neck(net.backbone(images(pixels)))
    best = net.head(embedding).softmax(-1).topk(8)
    assert indices.dtype == np.int32
    assert indices.shape == (3, width // 4, 8)
    assert np.allclose(features, embedding, atol=1e-4)
    assert np.allclose(probabilities, best.values, atol=1e-3)
    clear = (best.values[..., 0] - best.values[..., 1] > 0.01).numpy()
    assert clear.mean() > 0.8
    assert np.array_equal(indices[..., 0][clear], best.indices[..., 0].numpy()[clear])


def test_serving_reads_with_it_alone_or_with_a_charset(net: Vgg, model: Path) -> None:
    spec = manifest.load(model)
    assert (spec.input.height, spec.input.width_stride, spec.precisions) == (32, 4, ("fp32", "int8"))
    recogniser = Recogniser(spec, cpu=cpu.inspect(), precision="fp32")
    line = lines(32, 1, 64)[0]
    path = net(images(line[None])).argmax(-1)[0].unique_consecutive().tolist()
    (read,) = recogniser.run(64, [line])
    assert read.text == "".join(CHARSET[c - 1] for c in path if c)
    assert read.text
    chosen = next(character for character in CHARSET if character not in read.text)
    (constrained,) = recogniser.run(64, [line], recogniser.charset(chosen))
    assert set(constrained.text) <= {chosen}


def test_convolutions_are_quantised_and_the_first_is_not(model: Path) -> None:
    graph = onnx.load(model / "model.int8.onnx").graph
    made_by = {name: node for node in graph.node for name in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    quantised = [
        (maker := made_by.get(node.input[0])) is not None and maker.op_type == "DequantizeLinear"
        for node in convolutions
    ]
    assert len(convolutions) == 7
    assert quantised == ["layers.0/" not in node.name for node in convolutions]
    assert quantised.count(False) == 1


def test_a_charset_of_few_characters_and_no_lines_to_calibrate_on(tmp_path: Path) -> None:
    """Fewer classes than the eight best; INT8 weights of an earlier export do not stay behind."""
    (tmp_path / "model.int8.onnx").write_bytes(b"old")
    net = Vgg(SMALL, 3).eval()
    folder.write(tmp_path, net, folder.Description("bits", "VGG", "01", 32, 4, 127, (64,), "drawn"))
    spec = manifest.load(tmp_path)
    assert (spec.precisions, spec.top_k) == (("fp32",), 3)
    assert not (tmp_path / "model.int8.onnx").exists()
    recogniser = Recogniser(spec, cpu=cpu.inspect())
    assert set(recogniser.run(64, [lines(32, 1, 50)[0]])[0].text) <= {"0", "1"}
