"""Training of all layers: a run that is killed goes on, ends by its schedule, and its model reads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
import yaml
from available import need_training
from training.tiny_training import DIGIT_BUCKETS

need_training()

import torch

from ocrsvc.machine import cpu
from ocrsvc.models import manifest
from ocrsvc.models.buckets import fit
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.training.commands import cli, step
from ocrsvc.training.learning import large, large_learner, large_plan, large_state, live_state
from ocrsvc.training.learning.fit import rate

pytestmark = pytest.mark.timeout(600)

STEPS = 12
SECTION = {
    "steps": STEPS,
    "learning_rate": 0.001,
    "columns": 1280,
    "batches": 2,
    "real_share": 0.4,
    "held_out": 2,
    "dev_lines": 2,
    "score_minutes": 0.02,
    "pool_columns": 40_000,
    "texts": "random",
    "longest": 12,
}
RECIPE: dict[str, Any] = {"name": "small", "architecture": "LCNetV4", "large": SECTION}


@pytest.fixture(scope="module")
def photos(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops of photos, one of them with a pseudo-label."""
    folder = tmp_path_factory.mktemp("photos")
    for i in range(3):
        (folder / f"{i}.png").write_bytes((labelled / "img" / f"{i}.png").read_bytes())
    rows = [{"file": "0.png", "text": "1234"}, {"file": "1.png", "text": None}]
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def plan(start: Path, out: Path, **more: Any) -> large_plan.Plan:
    return large_plan.plan(RECIPE, out, start, device="cpu", threads=1, **more)


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_a_killed_run_goes_on_and_its_model_reads(
    start: Path, labelled: Path, photos: Path, font_path: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "small.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE), encoding="utf-8")
    arguments = ["large", str(recipe), "--start", str(start), "--out", str(tmp_path), "--threads", "2"]
    arguments += ["--device", "cpu", "--real", str(labelled), "--photos", str(photos)]
    arguments += ["--dev", str(labelled)]
    command = [sys.executable, "-m", "ocrsvc.training.commands.cli", *arguments]
    checkpoint = tmp_path / "large" / "last.pt"
    run = subprocess.Popen(command, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        wait_for(lambda: checkpoint.exists() or run.poll() is not None, 300, "no checkpoint")
        helpers = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
    finally:
        run.kill()
        run.wait()
    left = torch.load(checkpoint, weights_only=True)
    assert 1 <= left["step"] < STEPS
    wait_for(lambda: not any(helper.is_running() for helper in helpers), 120, "processes were left behind")

    again = subprocess.run(command, capture_output=True, text=True, check=True)
    said = again.stdout.splitlines()
    assert said[0] == f"going on after step {left['step']}"
    assert (
        said[1] == "6 real crops, 4 with a label"
    )  # two of five rows are scored; of three photos one has a label
    assert said[-1] == str(checkpoint)
    done = torch.load(checkpoint, weights_only=True)
    assert done["step"] == STEPS
    assert done["lines"] > left["lines"] > 0
    assert done["drawn"] > left["drawn"] > 0
    assert done["log"][: len(left["log"])] == left["log"]
    assert done["log"][0]["step"] == 0
    assert {"step", "cards_exact", "drawn_exact"} == set(done["log"][0])
    assert {"step", "ctc", "kl", "cards_exact", "drawn_exact"} == set(done["log"][-1])
    for group in done["optimiser"]["param_groups"]:
        assert group["lr"] == pytest.approx(0.001 * rate(1 - 1 / STEPS) * group["scale"])
    assert {group["scale"] for group in done["optimiser"]["param_groups"]} == {0.6, 1.0}

    cli.main(["blend", str(checkpoint), "--start", str(start), "--out", str(tmp_path / "b"), "--neck", "0.5"])
    exported = ["export", str(recipe), "--out", str(tmp_path / "b"), "--stage", "large"]
    cli.main([*exported, "--model", str(tmp_path / "model")])
    spec = manifest.load(tmp_path / "model")
    assert spec.recipe["large"]["step"] == STEPS
    assert spec.recipe["large"]["drawn_back"]["neck"] == 0.5
    line = cv2.imread(str(labelled / "img" / "0.png"))
    assert line is not None
    recogniser = Recogniser(spec, cpu=cpu.inspect(), precision="fp32")
    assert len(recogniser.run(320, [fit(np.asarray(line, np.uint8), 48)])) == 1
    assert cli.main(["curves", "--out", str(tmp_path)]) == 0


def test_a_run_that_learns_to_be_rounded_is_held_on_all_lines(
    start: Path, font_path: Path, tmp_path: Path
) -> None:
    """Both nets round the same ranges, so the averaged weights are scored as INT8 would read."""
    rounded = SECTION | {"quantised": True, "hold_drawn": True, "steps": 3, "dev_lines": 0}
    planned = large_plan.plan(RECIPE | {"large": rounded}, tmp_path, start, device="cpu", threads=1)
    state = large.train(planned)
    assert state.step == 3
    assert "kl" in state.log[-1]
    content = torch.load(planned.checkpoint, weights_only=True)
    assert content["recipe"]["quantised"]
    before = large_state.start(planned).net.state_dict()
    assert all(not torch.equal(content["net"][name], before[name]) for name in ("head.weight", "head.bias"))
    written = planned.checkpoint.stat().st_mtime_ns
    assert large.train(planned).step == 3  # it is over: nothing is drawn any more
    assert planned.checkpoint.stat().st_mtime_ns == written


def test_the_schedule_follows_the_clock_or_the_steps(start: Path, font_path: Path, tmp_path: Path) -> None:
    by_steps = plan(start, tmp_path)
    state = large_state.start(by_steps)
    state.step, state.seconds = STEPS // 4, 90.0
    assert live_state.progress(by_steps, state) == 0.25
    by_clock = plan(start, tmp_path, minutes=6)
    assert live_state.progress(by_clock, state) == 0.25
    assert live_state.progress(plan(start, tmp_path, minutes=1), state) == 1
    recipe = by_clock.recipe
    assert [large_learner.held_weight(recipe, done) for done in (0, 0.5, 1)] == pytest.approx(
        [0.8, 0.52, 0.24]
    )


def test_each_part_has_its_rate_and_only_matrices_decay(start: Path, font_path: Path, tmp_path: Path) -> None:
    planned = plan(start, tmp_path)
    planned = replace(planned, recipe=replace(planned.recipe, neck_rate=0.5, head_rate=0.25))
    state = large_state.start(planned)
    groups = state.optimiser.param_groups
    assert sum(len(group["params"]) for group in groups) == len(list(state.net.parameters()))
    for group in groups:
        assert all((p.ndim > 1) == (group["weight_decay"] > 0) for p in group["params"])
    parts = {name.partition(".")[0]: p for name, p in state.net.named_parameters()}
    for part, scale in (("backbone", 0.6), ("neck", 0.5), ("head", 0.25)):
        assert [g["scale"] for g in groups if any(p is parts[part] for p in g["params"])] == [scale]


def test_another_recipe_or_charset_does_not_go_on(start: Path, font_path: Path, tmp_path: Path) -> None:
    planned = plan(start, tmp_path)
    planned.folder.mkdir()
    large_state.start(planned).save(planned)
    other = large_plan.plan(RECIPE | {"large": SECTION | {"hold": 0.5}}, tmp_path, start, device="cpu")
    with pytest.raises(ValueError, match=r"another recipe \(different: large.hold\)"):
        large.train(other)
    large_state.start(planned).load(plan(start, tmp_path, minutes=3))  # a longer schedule may


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"name": "x"}, "no section 'large'"),
        ({"large": {"epochs": 3}}, "section 'large' of the recipe has epochs; known are minutes"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said(
    start: Path, font_path: Path, tmp_path: Path, content: dict[str, Any], message: str
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(SystemExit, match=message):
        cli.main(["large", str(path), "--start", str(start), "--out", str(tmp_path), "--device", "cpu"])


def test_a_folder_that_is_no_model_is_refused(font_path: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="ocrsvc train: "):
        cli.main(["large", "crnn", "--start", str(tmp_path / "none"), "--out", str(tmp_path)])


@pytest.mark.parametrize(
    ("name", "section"), [("crnn", "large"), ("crnn-fast", "large"), ("crnn-fast", "large-rounded")]
)
def test_the_recipes_that_ship_make_plans(
    start: Path, font_path: Path, tmp_path: Path, name: str, section: str
) -> None:
    planned = large_plan.plan(step.recipe(name), tmp_path, start, section=section, device="cpu")
    assert planned.order.buckets == DIGIT_BUCKETS
    assert planned.workers == 1
    assert planned.recipe.quantised == (section == "large-rounded")
    assert sum(planned.recipe.mix.shares.values()) + planned.recipe.mix.other == pytest.approx(1)
    on_a_gpu = large_plan.plan(step.recipe(name), tmp_path, start, section=section, device="cuda")
    assert on_a_gpu.recipe.sample == 0
    assert on_a_gpu.recipe.columns > 10 * planned.recipe.columns
