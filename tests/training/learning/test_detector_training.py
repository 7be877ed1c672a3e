"""A detector learns what another one finds, in the graph that serves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from drawings import Picture
from onnx import numpy_helper

from ocrsvc.models.manifest import Manifest, load
from ocrsvc.models.registry import DETECTOR, default_models_dir
from ocrsvc.training.commands import cli
from ocrsvc.training.data.page_crops import opened, pictures, varied
from ocrsvc.training.learning.detector import Plan, Recipe, loss_of, train
from ocrsvc.training.nets.graph_net import GraphNet

RECIPE = Recipe(minutes=0.0, side_pixels=96, batch=2)


@pytest.fixture(scope="module")
def tiny() -> Manifest:
    return load(default_models_dir() / "ppocrv6-det-tiny")


@pytest.fixture(scope="module")
def small() -> Manifest:
    return load(default_models_dir() / DETECTOR)


@pytest.fixture
def photos(tmp_path: Path, receipt: Picture) -> Path:
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "receipt.png"), receipt)
    return tmp_path / "photos"


@pytest.fixture
def receipt(draw_page) -> Picture:  # type: ignore[no-untyped-def]
    page: Picture = draw_page().image
    return page


def graph(manifest: Manifest) -> onnx.ModelProto:
    return onnx.load_from_string(manifest.files["fp32"].read())


@pytest.mark.parametrize("name", ["ppocrv6-det-tiny", DETECTOR])
def test_the_net_computes_what_the_graph_does(name: str, receipt: Picture) -> None:
    manifest = load(default_models_dir() / name)
    pixels = np.asarray(cv2.resize(receipt, (160, 128)), np.uint8)
    with torch.inference_mode():
        logits = GraphNet(graph(manifest))(torch.from_numpy(pixels)[None])
    found = torch.sigmoid(logits)[0, 0].numpy()
    assert np.abs(found - opened(manifest).probability(pixels)).max() < 1e-3


def test_a_graph_is_written_with_the_weights_of_now(tiny: Manifest) -> None:
    net = GraphNet(graph(tiny))
    assert changed(graph(tiny), net.written()) == []
    with torch.no_grad():
        next(net.parameters()).mul_(2)
    assert len(changed(graph(tiny), net.written())) == 1


def changed(before: onnx.ModelProto, after: onnx.ModelProto) -> list[str]:
    """Return the names of the tensors that differ between two graphs of the same nodes."""
    assert [node.output for node in before.graph.node] == [node.output for node in after.graph.node]
    pairs = zip(before.graph.initializer, after.graph.initializer, strict=True)
    return [
        one.name
        for one, other in pairs
        if not np.array_equal(numpy_helper.to_array(one), numpy_helper.to_array(other))
    ]


def test_an_operator_that_cannot_be_trained_is_named(tiny: Manifest) -> None:
    model = graph(tiny)
    model.graph.node[4].op_type = "Softsign"
    with pytest.raises(ValueError, match="Softsign"):
        GraphNet(model)


def test_a_crop_has_its_side_whatever_the_picture() -> None:
    rng = np.random.default_rng(0)
    for height, width in ((30, 40), (200, 1500), (2400, 1800)):
        image = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
        for _ in range(8):
            assert varied(image, 128, rng).shape == (128, 128, 3)


def test_the_loss_is_least_for_what_the_teacher_says() -> None:
    target = torch.zeros(1, 32, 32)
    target[:, 8:16, 4:28] = 1
    right = torch.where(target > 0, 8.0, -8.0).unsqueeze(1)
    assert float(loss_of(right, target)) < 0.01
    assert float(loss_of(-right, target)) > float(loss_of(torch.zeros_like(right), target)) > 0.5


def test_a_run_learns_and_goes_on_where_it_was_killed(
    tmp_path: Path, photos: Path, tiny: Manifest, small: Manifest
) -> None:
    plan = Plan(tiny, small, pictures([photos]), [], replace(RECIPE, minutes=0.05), tmp_path, workers=0)
    first = train(plan)
    assert first.step > 0
    again = train(replace(plan, recipe=replace(plan.recipe, minutes=0.05)))
    assert again.step == first.step  # its time is used
    moved = [
        not torch.equal(before, after)
        for before, after in zip(GraphNet(graph(tiny)).parameters(), first.average.parameters(), strict=True)
    ]
    assert sum(moved) > 0.9 * len(moved)
    with pytest.raises(ValueError, match="another recipe"):
        train(replace(plan, recipe=replace(plan.recipe, seed=2)))


def test_the_command_writes_a_detector_that_reads(tmp_path: Path, photos: Path, receipt: Picture) -> None:
    recipe = tmp_path / "short.yaml"
    settings = {"minutes": 0.02, "side_pixels": 96, "batch": 2}
    recipe.write_text(json.dumps({"architecture": "mine", "detector": settings}), "utf-8")
    model = tmp_path / "mine"
    asked = ["detector", str(recipe), "--photos", str(photos), "--out", str(tmp_path / "run")]
    assert cli.main([*asked, "--model", str(model), "--workers", "0"]) == 0
    made = load(model)
    assert made.files["fp32"].size < 1_000_000
    assert made.recipe["steps"] > 0
    found = opened(made).detect(receipt)
    assert len(found) >= 5
    again = ["detector", str(recipe), "--photos", str(photos), "--out", str(tmp_path / "again")]
    assert cli.main([*again, "--start", str(model), "--model", str(tmp_path / "more"), "--workers", "0"]) == 0
    assert load(tmp_path / "more").recipe["start"] == made.files["fp32"].sha256
    with pytest.raises(SystemExit, match="no pictures"):
        cli.main([*asked[:3], str(tmp_path / "run"), *asked[4:], "--model", str(model)])
