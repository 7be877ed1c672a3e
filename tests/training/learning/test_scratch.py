"""A classic CRNN from nothing: a run that is killed goes on, a seed gives the same weights, digits are learnt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
import yaml
from available import need_training
from drawings import Picture

need_training()

import torch

from ocrsvc.machine import cpu
from ocrsvc.models import manifest
from ocrsvc.models.buckets import fit
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.training.commands import (
    cli,
    step,
)
from ocrsvc.training.data.feed import Batch
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.plain import Plain
from ocrsvc.training.learning import classic, scratch

pytestmark = pytest.mark.timeout(600)

RECIPE: dict[str, Any] = {
    "name": "bits",
    "architecture": "VGG + 2 BiLSTM + CTC",
    "charset": "01",
    "net": {"widths": [4, 6, 8, 8, 8, 8, 12], "hidden": 8, "height": 32},
    "lines": {"texts": "random", "longest": 3, "first_characters": 2, "curriculum_steps": 4, "columns": 256}
    | {"buckets": [64, 160], "seed": 1},
    "scratch": {"steps": 60, "learning_rate": 0.01, "warmup_steps": 5, "score_steps": 5, "dev_lines": 8},
    "calibration": {"lines": 8, "seed": 5},
}


def altered(**parts: dict[str, Any]) -> dict[str, Any]:
    return RECIPE | {name: RECIPE[name] | change for name, change in parts.items()}


def command(recipe: Path, out: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "ocrsvc.training.commands.cli",
        "scratch",
        str(recipe),
        "--out",
        str(out),
        *more,
    ]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def wait_for(condition: Any, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_a_killed_run_goes_on_where_it_was(font_path: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "bits.yaml"
    recipe.write_text(yaml.safe_dump(altered(scratch={"steps": 200})), encoding="utf-8")
    checkpoint = tmp_path / "run" / "scratch" / "last.pt"
    run = subprocess.Popen(command(recipe, tmp_path / "run"), env=environment())
    try:
        wait_for(lambda: checkpoint.exists() or run.poll() is not None, 300, "no checkpoint")
        helpers = psutil.Process(run.pid).children(recursive=True)
        assert helpers
        run.send_signal(signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
    finally:
        run.kill()
        run.wait()
    left = torch.load(checkpoint, weights_only=True)
    assert 5 <= left["step"] < 200
    wait_for(lambda: not any(helper.is_running() for helper in helpers), 120, "processes were left behind")

    again = subprocess.run(
        command(recipe, tmp_path / "run"), env=environment(), capture_output=True, text=True, check=True
    )
    assert again.stdout.startswith(f"going on after step {left['step']}\n")
    assert again.stdout.endswith(f"{tmp_path / 'run' / 'model'}\n")
    done = torch.load(checkpoint, weights_only=True)
    assert done["step"] == 200
    assert done["log"][: len(left["log"])] == left["log"]
    assert [row["step"] for row in done["log"]] == list(range(5, 201, 5))
    last = RECIPE["scratch"]["learning_rate"] * scratch.rate(199, 199 / 200, 5)
    assert done["optimiser"]["param_groups"][0]["lr"] == pytest.approx(last)
    assert done["lines"] > left["lines"]
    assert done["seconds"] > left["seconds"]
    assert manifest.load(tmp_path / "run" / "model").precisions == ("fp32", "int8")
    assert cli.main(["curves", "--out", str(tmp_path / "run")]) == 0
    assert cv2.imread(str(checkpoint.with_name("curves.png"))) is not None


def weights(path: Path) -> dict[str, torch.Tensor]:
    kept: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["average_net"]
    return kept


def test_a_seed_gives_the_same_weights(font_path: Path, tmp_path: Path) -> None:
    runs = []
    for name, seed in (("one", 1), ("two", 1), ("other", 2)):
        content = altered(scratch={"steps": 6, "seed": seed})
        runs.append(weights(scratch.train(classic.plan(content, tmp_path / name, device="cpu"))))
    assert all(torch.equal(runs[0][key], runs[1][key]) for key in runs[0])
    assert not all(torch.equal(runs[0][key], runs[2][key]) for key in runs[0])


def test_a_run_by_the_clock_ends_with_its_schedule(font_path: Path, tmp_path: Path) -> None:
    plan = classic.plan(altered(scratch={"steps": 10**6}), tmp_path, minutes=0.03, device="cpu")
    content = torch.load(scratch.train(plan), weights_only=True)
    assert content["seconds"] >= 1.8
    assert 1 <= content["step"] < 10**6
    written = plan.checkpoint.stat().st_mtime_ns
    scratch.train(plan)  # it is over: nothing is drawn any more
    assert torch.load(plan.checkpoint, weights_only=True)["step"] == content["step"]
    assert plan.checkpoint.stat().st_mtime_ns == written


def test_another_recipe_does_not_go_on(font_path: Path, tmp_path: Path) -> None:
    plan = classic.plan(RECIPE, tmp_path, device="cpu")
    plan.folder.mkdir()
    scratch.start(plan).save(plan)
    other = classic.plan(altered(scratch={"clip": 1.0}, lines={"seed": 9}), tmp_path, device="cpu")
    with pytest.raises(ValueError, match=r"another recipe \(different: lines.seed, scratch.clip\)"):
        scratch.train(other)


def test_the_rate_warms_up_and_ends_at_a_hundredth() -> None:
    assert scratch.rate(0, 0, 10) == pytest.approx(0.1)
    assert scratch.rate(9, 0, 10) == pytest.approx(1)
    assert scratch.rate(50, 0.5, 10) == pytest.approx(0.505)
    assert scratch.rate(100, 1, 10) == pytest.approx(0.01)


def test_averaged_weights_follow_with_their_statistics() -> None:
    a, b = (torch.nn.BatchNorm1d(2) for _ in range(2))
    b(torch.full((8, 2), 4.0))
    b.weight.data.fill_(3.0)
    scratch.follow(a, b, 0.75)
    assert a.weight.tolist() == [1.5, 1.5]
    assert a.running_mean is not None
    assert a.running_mean.tolist() == pytest.approx([0.1, 0.1])
    assert a.num_batches_tracked is not None
    assert int(a.num_batches_tracked) == 1


def test_ctc_begins_at_blanks_and_reads_repeats(font_path: Path, tmp_path: Path) -> None:
    plan = classic.plan(RECIPE, tmp_path, device="cpu")
    assert scratch.start(plan).net.head.bias.tolist() == [plan.recipe.blank_bias, 0, 0]
    reader = scratch.Reader("01", "cpu")
    certain = torch.full((1, 8, 3), -20.0)
    for frame, label in enumerate((0, 1, 1, 0, 1, 2, 2, 0)):  # "0", again "0", "1"
        certain[0, frame, label] = 20.0
    assert float(reader.loss(certain, ("001",))) < 1e-3
    assert float(reader.loss(certain, ("01",))) > 5
    batch = Batch(np.zeros((1, 32, 32, 3), np.uint8), ("001",))
    reader.logits = lambda net, batch: certain  # type: ignore[method-assign]
    assert reader.score(scratch.start(plan).net, [batch]) == 1
    assert reader.score(scratch.start(plan).net, [Batch(batch.pixels, ("01",))]) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"name": "x"}, "has no 'charset'"),
        (RECIPE | {"charset": "011"}, "a character twice"),
        (altered(net={"widths": [1]}), "7 convolutions"),
        (altered(scratch={"epochs": 3}), "section 'scratch' of the recipe has epochs; known are steps"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said(
    font_path: Path, tmp_path: Path, content: dict[str, Any], message: str
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(SystemExit, match=message):
        cli.main(["scratch", str(path), "--out", str(tmp_path)])


def test_there_is_nothing_to_export_before_the_first_checkpoint(font_path: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"there is no .*last.pt yet: train first"):
        cli.main(["scratch", "vgg-digits", "--out", str(tmp_path), "--export-only"])


@pytest.mark.parametrize(("name", "characters"), [("vgg-crnn", 11455), ("vgg-digits", 10)])
def test_the_recipes_that_ship_make_plans(
    font_path: Path, tmp_path: Path, name: str, characters: int
) -> None:
    plan = classic.plan(step.recipe(name), tmp_path, device="cpu")
    assert len(plan.order.charset) == characters
    assert plan.workers == 1
    assert step.recipe(name)["calibration"].keys() == {"lines", "seed"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_digits_are_learnt_from_nothing_in_minutes(
    draw_line: Callable[..., Picture], library: Library, tmp_path: Path
) -> None:
    """The recipe that ships, but with shorter lines and fewer steps; its own figure is in docs/training.md."""
    recipe = yaml.safe_load((step.RECIPES / "vgg-digits.yaml").read_text(encoding="utf-8"))
    recipe["lines"] |= {"longest": 6, "first_characters": 2, "curriculum_steps": 200, "columns": 3072}
    recipe["lines"]["buckets"] = [64, 96, 128, 160, 224]
    recipe["scratch"] |= {"steps": 700}
    shorter = tmp_path / "digits.yaml"
    shorter.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    subprocess.run(command(shorter, tmp_path), env=environment(), check=True)
    spec = manifest.load(tmp_path / "model")
    plain = Plain(library, "0123456789", 77_777)
    drawn: list[tuple[Picture, str]] = []
    while len(drawn) < 600:
        text = plain.line(1, 6)
        image = plain.draw(text)
        if image is not None:
            drawn.append((fit(image, spec.input.height), text))
    for precision in ("fp32", "int8"):
        recogniser = Recogniser(spec, cpu=cpu.inspect(), precision=precision)  # type: ignore[arg-type]
        right = sum(
            recogniser.run(spec.buckets.of(line.shape[1]), [line])[0].text == text for line, text in drawn
        )
        assert right / len(drawn) >= 0.9, precision
    # And as a user reads with it.
    cv2.imwrite(str(tmp_path / "x.png"), draw_line("827409"))
    read = subprocess.run(
        ["ocrsvc", "read", str(tmp_path / "x.png"), "--model", str(tmp_path / "model"), "--mode", "line"],
        executable=str(Path(sys.executable).with_name("ocrsvc")),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "827409" in read.stdout
