"""End-to-end training: the lower convolutions stay, the upper ones move, the teacher is the whole one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import pytest
from available import need_training
from drawings import Picture
from tiny_training import TrainingRun

need_training()

import torch  # noqa: E402

from ocrsvc.buckets import fit, stack  # noqa: E402
from ocrsvc.training import charset, export, finetune, teacher  # noqa: E402
from ocrsvc.training.features import Extractor  # noqa: E402
from ocrsvc.training.finetune import Recipe, Source, Student  # noqa: E402
from ocrsvc.training.net import Crnn, Shape  # noqa: E402

pytestmark = pytest.mark.timeout(240)
RECIPE = Recipe(minutes=0.01, frames=64, first=5)


@pytest.fixture
def net(teacher_path: Path) -> Crnn:
    torch.manual_seed(2)
    net = Crnn(Shape(len(charset.load()) + 1, 8, 4))
    net.backbone = teacher.load_backbone()
    return net


@pytest.fixture
def checkpoint(net: Crnn, tmp_path: Path) -> Path:
    """As a fit leaves it."""
    path = tmp_path / "last.pt"
    torch.save(
        {
            "average_neck": net.neck.state_dict(),
            "average_head": net.head.state_dict(),
            "charset": charset.load(),
            "recipe": {"width": 8, "hidden": 4},
        },
        path,
    )
    return path


def test_the_goal_is_what_the_whole_teacher_says(net: Crnn, draw_line: Callable[..., Picture]) -> None:
    """The teacher shares the student's frozen half; its vectors are those that the shards hold."""
    lines = [fit(draw_line(text), 48) for text in ("合计 37.20", "TOTAL 12")]
    bucket = 256
    _, expected = Extractor()(lines, bucket)
    pixels = stack(lines, height=48, width=bucket, pad_value=127)
    embedding, goal = Student(net, 5)(pixels)
    assert embedding.shape == goal.shape == (2, 32, 120)
    difference = np.abs(goal.numpy() - expected.astype(np.float32)).mean() / np.abs(expected).mean()
    assert difference < 0.02


def test_only_the_upper_part_learns(net: Crnn, draw_line: Callable[..., Picture]) -> None:
    student = Student(net, 5)
    line = fit(draw_line("合计 37.20"), 48)
    embedding, goal = student(stack([line], height=48, width=320, pad_value=127))
    (embedding - goal).square().mean().backward()  # type: ignore[no-untyped-call]
    moved = {".".join(name.split(".")[:3]) for name, p in net.named_parameters() if p.grad is not None}
    assert {"backbone.middle.5", "backbone.middle.6", "backbone.high.0", "backbone.high.1"} <= moved
    assert not any(part.startswith(("backbone.stem", "backbone.low")) for part in moved)
    assert "backbone.middle.4" not in moved
    assert any(part.startswith("neck") for part in moved)


def test_the_stream_mixes_drawn_and_real_lines(tiny_run: TrainingRun) -> None:
    source = Source(real=(tiny_run.real,), held_out=1)
    taken = [s.source for s in islice(finetune._stream(source, replace(RECIPE, real_share=0.4), 1), 120)]
    assert 30 <= taken.count("receipts") <= 66
    assert set(taken) == {"receipts", "drawn"}
    assert {s.source for s in islice(finetune._stream(Source(), RECIPE, 1), 10)} == {"drawn"}


def test_the_feeder_packs_batches_of_one_bucket(font_path: Path) -> None:
    class Enough(Exception):
        pass

    class Packets(Queue):  # type: ignore[type-arg]
        def put(self, item: Any, *_: Any) -> None:
            super().put(item)
            if self.qsize() == 5:
                raise Enough

    packets = Packets()
    with pytest.raises(Enough):
        finetune._feed(Source(), RECIPE, 1, packets)  # type: ignore[arg-type]
    for bucket, pixels, labels in _drained(packets):
        assert pixels.dtype == np.uint8
        assert pixels.shape == (len(labels), 48, bucket, 3)
        assert len(labels) * bucket >= RECIPE.frames * 8
        assert all(isinstance(text, str) and source == "drawn" for text, source, _ in labels)


def _drained(packets: Queue[Any]) -> Iterator[Any]:
    while not packets.empty():
        yield packets.get()


def test_a_minute_of_it_moves_the_upper_half_and_can_be_exported(
    net: Crnn, checkpoint: Path, tmp_path: Path, font_path: Path
) -> None:
    """A second here: one step at least, on lines that another process draws."""
    path = finetune.finetune(checkpoint, Source(), RECIPE, tmp_path / "finetune")
    content = torch.load(path, weights_only=True)
    assert content["step"] >= 1
    assert content["recipe"]["fit"] == {"width": 8, "hidden": 4}
    assert content["recipe"]["finetune"]["first"] == 5
    tuned, characters = export.load(path)
    assert characters == charset.load()
    before, after = net.backbone.state_dict(), tuned.backbone.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith(("stem", "low")))
    assert any(not torch.equal(before[name], after[name]) for name in before if name.startswith("high"))
    assert not torch.equal(net.head.weight, tuned.head.weight)
