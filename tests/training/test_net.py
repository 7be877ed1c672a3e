"""Our PyTorch modules are the teacher's graph, number for number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from available import need_training
from drawings import Picture

need_training()

import torch  # noqa: E402

from ocrsvc.buckets import fit, stack  # noqa: E402
from ocrsvc.training import charset, teacher  # noqa: E402
from ocrsvc.training.features import Extractor, normalise  # noqa: E402
from ocrsvc.training.net import EMBEDDING, FEATURES, Backbone, Crnn, Neck, Shape  # noqa: E402
from ocrsvc.training.truths import Truths  # noqa: E402


@pytest.fixture(scope="module")
def lines(draw_line: Callable[..., Picture]) -> np.ndarray:
    """Two lines padded to 320 pixels: uint8 [2,48,320,3]."""
    pictures = [fit(draw_line(text), 48) for text in ("合计 TOTAL 37.20", "永字八法 abc")]
    return stack(pictures, height=48, width=320, pad_value=127)


@pytest.fixture(scope="module")
def backbone(teacher_path: Path) -> Backbone:
    return teacher.load_backbone()


def test_the_backbone_is_the_teachers(backbone: Backbone, lines: np.ndarray) -> None:
    images = normalise(lines)
    session = teacher.open_session([teacher.FEATURES_TENSOR])
    (expected,) = session.run(None, {"x": np.ascontiguousarray(images.numpy())})
    with torch.no_grad():
        features = backbone(images)
    assert features.shape == (2, 40, FEATURES)
    assert np.abs(expected[:, :, 0].transpose(0, 2, 1)).max() > 1  # there is something to compare
    assert torch.allclose(features, torch.from_numpy(expected[:, :, 0]).transpose(1, 2), atol=1e-3)


def test_the_neck_alone_makes_the_teachers_embeddings(backbone: Backbone, lines: np.ndarray) -> None:
    images = normalise(lines)
    (expected,) = teacher.open_session([teacher.EMBEDDING_TENSOR]).run(
        None, {"x": np.ascontiguousarray(images.numpy())}
    )
    with torch.no_grad():
        maps = backbone(images).transpose(1, 2)[:, :, None].numpy()
    (embedding,) = teacher.open_neck().run(None, {teacher.FEATURES_TENSOR: np.ascontiguousarray(maps)})
    assert embedding.shape == (2, 40, EMBEDDING)
    assert np.allclose(embedding, expected, atol=1e-3 * np.abs(expected).max())


def test_the_teacher_reads_over_our_charset(teacher_path: Path, lines: np.ndarray) -> None:
    """Backbone in bfloat16, neck, rows of the head that our charset needs: the text comes out."""
    truths = Truths(charset.load(), teacher.load_head())
    _, embedding = Extractor()(list(lines), 320)
    classes, confidence = truths.paths(torch.from_numpy(embedding.astype(np.float32)))
    readings = [truths.read(path).replace(" ", "") for path in classes.tolist()]
    assert readings == ["合计TOTAL37.20", "永字八法abc"]
    assert float(confidence.median()) > 0.9


def test_the_extractor_gives_the_teacher_its_padding(teacher_path: Path, lines: np.ndarray) -> None:
    """Features are those of the bucket, embeddings those of 320 pixels, cut to the bucket's frames."""
    extractor = Extractor()
    narrow = [line[:, :128] for line in lines]
    features, embedding = extractor(narrow, 128)
    assert features.shape == (2, 16, FEATURES)
    assert embedding.shape == (2, 16, EMBEDDING)
    padded = [np.pad(line, ((0, 0), (0, 192), (0, 0)), constant_values=127) for line in narrow]
    wide_features, wide = extractor(padded, 320)
    assert np.array_equal(embedding, wide[:, :16])
    assert not np.allclose(features, wide_features[:, :16], atol=1e-2)


def test_head_rows_are_the_teachers_and_new_ones_are_unlikely(teacher_path: Path) -> None:
    head = teacher.load_head()
    assert head.weight.shape == (EMBEDDING, len(head.characters)) == (120, 18710)
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


def test_without_the_wheel_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(FileNotFoundError, match="pip install --no-deps rapidocr"):
        teacher.model_path()


@pytest.mark.parametrize("width", [8, 64, 200])
def test_shapes(width: int) -> None:
    net = Crnn(Shape(classes=11, width=8, hidden=4)).eval()
    with torch.no_grad():
        assert net(torch.zeros(3, 3, 48, width)).shape == (3, width // 8, 11)


def test_rows_do_not_mix(lines: np.ndarray) -> None:
    torch.manual_seed(1)
    net = Crnn(Shape(classes=11, width=8, hidden=4)).eval()
    images = normalise(lines)
    with torch.no_grad():
        together, alone = net(images), net(images[1:])
    assert torch.allclose(together[1:], alone, atol=1e-5)


def test_the_neck_sees_the_whole_line() -> None:
    """The last frame changes what the first says, through the BiLSTM."""
    torch.manual_seed(1)
    neck = Neck(width=16, hidden=8).eval()
    features = torch.randn(1, 40, FEATURES)
    changed = features.clone()
    changed[:, -1] += 5
    with torch.no_grad():
        assert not torch.equal(neck(features)[0, 0], neck(changed)[0, 0])
