"""Fine-tuning for real: a model learns a habit of labels from a hundred lines, and is kept or refused."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import pytest
from available import need_training
from drawings import Picture, line_image
from training.tiny_training import described

need_training()

import torch

from ocrsvc.models import manifest
from ocrsvc.models.buckets import fit as scale
from ocrsvc.models.manifest import Manifest
from ocrsvc.training.commands import cli
from ocrsvc.training.data.samples import Sample
from ocrsvc.training.data.targets import Truths
from ocrsvc.training.learning import finetune, finetune_run
from ocrsvc.training.learning import state as state_module
from ocrsvc.training.learning.finetune import Extractor, Recipe
from ocrsvc.training.nets import weights
from ocrsvc.training.nets.net import HEIGHT, WIDTH_STRIDE
from ocrsvc.training.packing import folder, regression_gate
from ocrsvc.training.texts import charset

pytestmark = pytest.mark.timeout(240)
RECIPE = Recipe(epochs=12, copies=0, replay=20, frames=400, learning_rate=2e-3, ema=0.9)
KEPT = ("/stem/", "/gate/", "/neck/", "/head/")  # tiny's embeddings do not bear INT8 (recipes/crnn-fast.yaml)
BUCKETS = (128, 200, 640)  # the last wide enough for longer lines to be read in pieces


def text(number: int) -> str:
    """What the pictures say; the user of these tests wants the ``#`` written as ``№``."""
    return f"#{number}"


@pytest.fixture(scope="module")
def base(teacher_path: Path, font_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The lent net as a model folder, which reads what it is shown but writes # as #."""
    net = state_module.donor_net("tiny", charset.load(), 1).eval()
    recipe = {"keep_float": list(KEPT)}
    description = described("base", charset.load(), buckets=BUCKETS, recipe=recipe, keep_float=KEPT)
    target = tmp_path_factory.mktemp("models") / "base"
    lines = [scale(line_image(text(i), font_path), HEIGHT) for i in range(100, 108)]
    folder.write(target, net, description, lines)
    return manifest.load(target)


@pytest.fixture(scope="module")
def picture(font_path: Path) -> Callable[[str], Picture]:
    return lambda content: line_image(content, font_path)


@pytest.fixture(scope="module")
def data(picture: Callable[[str], Picture], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """110 lines of a user whose labels say № where the picture has #."""
    path = tmp_path_factory.mktemp("data") / "my.jsonl"
    rng = random.Random(5)
    rows = []
    for i in range(110):
        content = text(rng.randrange(100, 1000))
        cv2.imwrite(str(path.parent / f"{i}.png"), picture(content))
        rows.append(json.dumps({"file": f"{i}.png", "text": content.replace("#", "№")}) + "\n")
    path.write_text("".join(rows), encoding="utf-8")
    return path


def order(base: Manifest, data: Path, out: Path, **changes: object) -> finetune_run.Order:
    numbers: dict[str, object] = {"recipe": RECIPE, "drawn": 40, "most_lost": 0.3, **changes}
    return finetune_run.Order(data=data, model=base, out=out, **numbers)  # type: ignore[arg-type]


def test_a_model_that_got_better_is_written_and_can_learn_on(
    base: Manifest, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mine"
    said: list[str] = []
    verdict = finetune_run.run(order(base, data, out), said.append)
    assert verdict.kept, verdict.reasons
    assert verdict.before["fp32"][regression_gate.OWN].strict < 0.1
    assert verdict.after["fp32"][regression_gate.OWN].strict > 0.8
    assert verdict.after["int8"][regression_gate.OWN].strict > 0.8
    spec = manifest.load(out)
    assert spec.name == "mine"
    assert spec.precisions == ("fp32", "int8")
    assert spec.buckets.widths == BUCKETS
    note = json.loads((out / "manifest.json").read_text("utf-8"))["finetuned"]
    assert note["weights"] == base.files["fp32"].digest
    assert (
        note["after"]["int8"][regression_gate.OWN]["strict"]
        == verdict.after["int8"][regression_gate.OWN].strict
    )
    assert note["lines"] + note["after"]["fp32"][regression_gate.OWN]["lines"] == 110
    before, after = weights.from_manifest(base), weights.load_net(out)[0]
    assert all(
        torch.equal(a, b)
        for a, b in zip(before.backbone.parameters(), after.backbone.parameters(), strict=True)
    )
    assert not torch.equal(before.neck.recurrent.project.weight, after.neck.recurrent.project.weight)
    assert out.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert any("epochs" in line for line in said)
    with pytest.raises(ValueError, match="is there already"):
        finetune_run.run(order(base, data, out), said.append)


def test_labels_that_say_nothing_true_are_refused(base: Manifest, data: Path, tmp_path: Path) -> None:
    rows = [json.loads(row) for row in data.read_text("utf-8").splitlines()]
    texts = [row["text"] for row in rows]
    random.Random(1).shuffle(texts)
    poisoned = data.with_name("poisoned.jsonl")
    poisoned.write_text(
        "".join(json.dumps({**row, "text": said}) + "\n" for row, said in zip(rows, texts, strict=True)),
        encoding="utf-8",
    )
    verdict = finetune_run.run(order(base, poisoned, tmp_path / "mine"), lambda _: None)
    assert not verdict.kept
    assert any("no gain" in reason for reason in verdict.reasons)
    assert list(tmp_path.iterdir()) == []


def test_the_users_golden_lines_can_refuse(
    base: Manifest, data: Path, picture: Callable[[str], Picture], tmp_path: Path
) -> None:
    """They want # as it is, the data wants №: the model cannot please both."""
    for i in range(6):
        cv2.imwrite(str(tmp_path / f"{i}.png"), picture(text(i + 300)))
    rows = [{"file": f"{i}.png", "text": text(i + 300)} for i in range(6)]
    (tmp_path / "golden.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = tmp_path / "mine"
    verdict = finetune_run.run(order(base, data, out, golden=tmp_path / "golden.jsonl"), lambda _: None)
    assert any(reason.startswith("fp32:") and "(golden)" in reason for reason in verdict.reasons)
    assert not out.exists()


def test_too_few_lines_are_too_few(base: Manifest, data: Path, tmp_path: Path) -> None:
    few = data.with_name("few.jsonl")
    few.write_text("".join(data.read_text("utf-8").splitlines(keepends=True)[:80]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"80 usable lines .* are too few: 3\d are held out"):
        finetune_run.run(order(base, few, tmp_path / "mine"), lambda _: None)


def test_what_is_right_already_leaves_nothing_to_gain(
    base: Manifest, picture: Callable[[str], Picture], tmp_path: Path
) -> None:
    rows = []
    for i in range(95):
        content = f"{i + 100}"
        cv2.imwrite(str(tmp_path / f"{i}.png"), picture(content))
        rows.append(json.dumps({"file": f"{i}.png", "text": content}) + "\n")
    (tmp_path / "my.jsonl").write_text("".join(rows), encoding="utf-8")
    with pytest.raises(ValueError, match="there is nothing to gain"):
        finetune_run.run(order(base, tmp_path / "my.jsonl", tmp_path / "mine"), lambda _: None)


def test_a_line_read_to_the_letter_is_held_on_to_and_others_are_not(
    base: Manifest, picture: Callable[[str], Picture]
) -> None:
    net = weights.from_manifest(base)
    truths = Truths(base.charset, finetune.as_head(net, base.charset))
    extract = Extractor(net, truths, base.input)
    wide = np.zeros((8, 120, 3), np.uint8)
    lines = extract(
        [
            Sample(picture("# 300"), "#300", "own"),
            Sample(picture("321"), "321", "own"),
            Sample(wide, "1", "own"),
        ]
    )
    assert len(lines) == 2  # one is wider than the widest bucket
    held = {line.truth.text: line.truth.distil for line in lines}
    assert held["321"] == 1
    assert {len(line.features) for line in lines} <= {width // WIDTH_STRIDE for width in BUCKETS}
    path = truths.paths(torch.from_numpy(lines[0].embedding).float())[0].tolist()
    read = truths.read(path).strip()
    assert {finetune.distilled(line).truth.distil for line in lines} == {1}  # of replayed lines all
    assert [finetune.distilled(line).truth.target for line in lines] == [line.truth.target for line in lines]
    assert finetune.judge(truths, path, read).distil == 1
    assert finetune.judge(truths, path, read + " ").distil == 0
    assert finetune.judge(truths, path[:1], "12").target == ()  # one step cannot say two characters


def test_a_net_that_forgot_is_drawn_back_as_far_as_it_must(
    base: Manifest, picture: Callable[[str], Picture]
) -> None:
    """To the furthest of the shares that reads the guarding lines; all the way where nothing was forgotten."""
    net = weights.from_manifest(base)
    truths = Truths(base.charset, finetune.as_head(net, base.charset))
    extract = Extractor(net, truths, base.input)
    pictures = [picture(text(i)) for i in range(100, 120)]
    read = [truths.read(extract([Sample(each, "x", "t")])[0].classes.tolist()).strip() for each in pictures]
    guard = extract([Sample(each, said, "t") for each, said in zip(pictures, read, strict=True)])
    assert finetune.exact(net, truths, guard) == 1
    assert finetune.drawn_back(net, deepcopy(net), base.charset, guard, 0.0)[1] == 1
    torch.manual_seed(2)
    forgetful = deepcopy(net)
    with torch.no_grad():
        for parameter in forgetful.neck.parameters():
            if parameter.ndim > 1:
                parameter.add_(1.5 * parameter.std() * torch.randn(parameter.shape))
    assert finetune.exact(forgetful, truths, guard) < 0.9
    back, share = finetune.drawn_back(net, forgetful, base.charset, guard, 0.1)
    assert 0.25 <= share < 1
    if share > 0.25:
        assert finetune.exact(back, truths, guard) >= 0.9
    for own, old, new in zip(back.parameters(), net.parameters(), forgetful.parameters(), strict=True):
        assert torch.allclose(own, torch.lerp(old, new, share))


def test_the_same_seed_learns_the_same(base: Manifest, picture: Callable[[str], Picture]) -> None:
    net = weights.from_manifest(base)
    truths = Truths(base.charset, finetune.as_head(net, base.charset))
    samples = [Sample(picture(text(i)), f"№{i}", "own") for i in range(200, 212)]
    lines = Extractor(net, truths, base.input)(finetune.varied(samples, Recipe(copies=1)))
    short = Recipe(epochs=1, frames=200)
    first, second = (finetune.train(net, base.charset, lines, lines[:4], short) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    other = finetune.train(net, base.charset, lines, lines[:4], Recipe(epochs=1, frames=200, seed=2))
    assert not torch.equal(first.neck.reduce.weight, other.neck.reduce.weight)
    assert torch.equal(first.head.weight, net.head.weight)
    assert net.neck.reduce.weight.requires_grad  # the net that came in is left alone
    assert not torch.equal(first.neck.reduce.weight, net.neck.reduce.weight)


def test_the_command_line_says_what_is_wrong_in_one_place(
    base: Manifest, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = base.files["fp32"].path
    assert source is not None
    arguments = ["finetune", "--data", str(data), "--out", str(tmp_path / "mine"), "--threads", "1"]
    with pytest.raises(SystemExit, match="There is no model 'nosuch'"):
        cli.main([*arguments, "--model", "nosuch"])
    with pytest.raises(SystemExit, match=r"there is no .*nosuch\.jsonl"):
        cli.main([*arguments, "--model", str(source.parent), "--data", str(tmp_path / "nosuch.jsonl")])
