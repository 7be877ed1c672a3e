"""``ocrsvc train``: the steps in order, as a user runs them, and what it says when it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from available import need_training
from drawings import DrawnPage, line_image
from training.tiny_training import RECIPE, TrainingRun, described

need_training()

import torch

from ocrsvc.models import manifest
from ocrsvc.models.buckets import fit as scale
from ocrsvc.models.registry import default_models_dir
from ocrsvc.training.commands import (
    cli,
    step,
)
from ocrsvc.training.data import features, photos
from ocrsvc.training.data.samples import Sample, labelled
from ocrsvc.training.data.shards import Shards, teacher_labels
from ocrsvc.training.data.targets import Truths
from ocrsvc.training.learning import stages, state
from ocrsvc.training.nets import teacher
from ocrsvc.training.nets.net import HEIGHT
from ocrsvc.training.packing import folder, readings
from ocrsvc.training.texts import charset
from ocrsvc.training.texts.corpus import Corpus

pytestmark = pytest.mark.timeout(900)


def test_from_lines_to_a_model_folder(
    tiny_run: TrainingRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two stages, the second on the shards of the first's run; then what serving takes."""
    run = TrainingRun(tmp_path, tiny_run.recipe, tiny_run.real)
    elsewhere = ["--shards", str(tiny_run.folder / "shards"), "--threads", "1"]
    with pytest.raises(SystemExit, match=r"no shards in .*; run `ocrsvc train features` first"):
        cli.main(["fit", *run.arguments, "--stage", "neck", "--threads", "1"])
    cli.main(["fit", *run.arguments, "--stage", "neck", *elsewhere])
    out = capsys.readouterr().out
    assert "dev: 1 real, 12 drawn" in out
    assert "epoch 2" in out
    assert "real_exact" in out
    cli.main(["fit", *run.arguments, "--stage", "neck", *elsewhere])
    assert "going on after step" in capsys.readouterr().out
    first = tmp_path / "neck" / "last.pt"
    with pytest.raises(SystemExit, match=r"no checkpoint .*nosuch.pt to start from"):
        cli.main(["fit", *run.arguments, "--stage", "whole", *elsewhere, "--start", "nosuch.pt"])
    cli.main(
        ["fit", *run.arguments, "--stage", "whole", *elsewhere, "--start", str(first), "--minutes", "0.001"]
    )
    assert "epoch" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"no .*fast/last.pt; run `ocrsvc train fit` first"):
        cli.main(["export", *run.arguments, "--stage", "fast", "--model", str(tmp_path / "tiny")])
    assert not (tmp_path / "tiny").exists()
    cli.main(["export", *run.arguments, "--stage", "whole", "--model", str(tmp_path / "tiny")])
    spec = manifest.load(tmp_path / "tiny")
    assert spec.name == "tiny"
    assert spec.charset == charset.load()
    assert spec.recipe["neck"]["epochs"] == 2
    assert spec.recipe["whole"]["minutes"] == 0.001  # as it was trained, not as it was planned
    assert "PP-OCRv6 small" in json.loads((tmp_path / "tiny" / "manifest.json").read_text("utf-8"))["origin"]


def test_lines_kept_for_the_dev_score_are_not_trained_on(tiny_run: TrainingRun) -> None:
    shards = Shards(tiny_run.shards, Truths(charset.load(), teacher.load_head()))
    train, dev = stages.split(shards)
    name_of = [folder.name for folder in tiny_run.shards]
    assert {name_of[line.shard] for line in train} == {"drawn-001", "real-000"}
    assert {key: {name_of[line.shard] for line in lines} for key, lines in dev.items()} == {
        "real": {"dev-real"},
        "drawn": {"drawn-000"},
    }
    assert len(dev["drawn"]) == 12
    assert all(line.truth.target or line.truth.distil for line in train)


def test_shards_follow_the_recipe() -> None:
    recipe = yaml.safe_load(RECIPE)
    fonts, prose, real, photos = ((Path(name),) for name in ("fonts", "prose", "real", "photos"))
    drawn = stages.orders(recipe, Path("s"), fonts=fonts, prose=prose)
    assert [(order.folder.name, order.seed, order.lines) for order in drawn] == [
        ("drawn-000", 4, 12),
        ("drawn-001", 5, 12),
    ]
    assert all(
        (order.fonts, order.prose, order.real, order.photos) == (fonts, prose, (), ()) for order in drawn
    )
    both = stages.orders(recipe, Path("s"), fonts=fonts, prose=prose, real=real, photos=photos)
    assert both[:2] == drawn
    assert [(order.folder.name, order.seed, order.dev) for order in both[2:]] == [
        ("real-000", 8, False),
        ("dev-real", 8, True),
    ]
    assert all((order.real, order.photos, order.held_out) == (real, photos, 1) for order in both[2:])
    recipe["features"]["drawn"]["shares"] = {"signs": 12, "plate": 0}
    assert {tuple(order.shares) for order in stages.orders(recipe, Path("s")) if order.shares} == {
        ("signs", "plate")
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"shape": "huge"}, "shape must be one of small, tiny"),
        ({"frozen": "half"}, "frozen one of all, low, none"),
        ({"speed": 3}, "the section 'neck' of the recipe has speed; known are shape, "),
        ({"shape": "tiny"}, None),
    ],
)
def test_a_recipe_that_cannot_be_is_explained(change: dict[str, object], message: str | None) -> None:
    recipe = yaml.safe_load(RECIPE)
    recipe["neck"] |= change
    if message is None:
        assert stages.plan(recipe, "neck").epochs == 2
    else:
        with pytest.raises(ValueError, match=message):
            stages.plan(recipe, "neck")


@pytest.mark.parametrize("change", [{"embedding": 0, "kl": 0}, {"frozen": "none", "embedding": 0}])
def test_features_of_another_net_are_refused(
    tiny_run: TrainingRun, tmp_path: Path, change: dict[str, object]
) -> None:
    recipe = yaml.safe_load(RECIPE)
    recipe["neck"] |= {"shape": "tiny", **change}
    with pytest.raises(
        ValueError, match="holds features of small: a stage of tiny needs `embedding: 0`, `kl: 0`"
    ):
        stages.train(recipe, "neck", tmp_path, shards=tiny_run.folder / "shards")


def test_the_lines_of_a_run_can_be_seen_by_another_net(tiny_run: TrainingRun, tmp_path: Path) -> None:
    recipe = yaml.safe_load(RECIPE)
    recipe["features"]["shape"] = "tiny"
    orders = stages.orders(recipe, tmp_path / "shards", pictures=tiny_run.folder / "shards")
    assert [order.folder.name for order in orders] == [folder.name for folder in tiny_run.shards]
    ours, theirs = orders[-1].folder, tiny_run.shards[-1]
    assert features.make(orders[-1]).startswith("real-000: ")
    for name in ("pixels.npy", "lengths.npy"):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name
    assert json.loads((ours / "texts.json").read_text("utf-8")) == [
        list(each) for each in teacher_labels(theirs)
    ]
    frames = int(np.load(theirs / "lengths.npy").sum())
    assert np.load(ours / "features.npy").shape == (frames, 160)
    assert np.load(ours / "embedding.npy").shape == (frames, 80)


def test_a_stage_can_hold_on_to_a_model_that_is_there(tiny_run: TrainingRun, tmp_path: Path) -> None:
    """Begun with that model it has nothing to learn from it, but it has from the lent net."""
    recipe = tmp_path / "fast.yaml"
    recipe.write_text(
        RECIPE.replace("shape: tiny", "shape: small").replace("embedding: 0, kl: 0", "embedding: 1, kl: 1")
    )
    model, terms = str(default_models_dir() / "crnn"), {}
    for name, hold in (("held", ["--hold", model]), ("lent", [])):
        out = str(tmp_path / name)
        pictures = str(tiny_run.folder / "shards")
        cli.main(["features", str(recipe), "--out", out, "--pictures", pictures, "--processes", "1", *hold])
        command = ["fit", str(recipe), "--out", out, "--stage", "fast", "--start", model, "--threads", "1"]
        cli.main([*command, "--minutes", "0.0001", *hold])
        terms[name] = torch.load(tmp_path / name / "fast" / "last.pt", weights_only=True)["log"][0]
    assert terms["held"]["embedding"] < 0.001
    assert terms["lent"]["embedding"] > 0.01
    assert terms["held"]["kl"] < 0.1 * terms["lent"]["kl"]
    with pytest.raises(
        ValueError, match=r"crnn-fast holds a net of shape 'medium', the recipe wants 'small'"
    ):
        features.Extractor("small", default_models_dir() / "crnn-fast")


@pytest.fixture(scope="module")
def lent_model(teacher_path: Path, font_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PP-OCRv6 small's convolutions as they are lent, in a model folder with an INT8 graph."""
    kept = ("/stem/", "/gate/", "/neck/")
    description = described("lent", "0123456789合计 ", buckets=features.BUCKETS.widths, keep_float=kept)
    target = tmp_path_factory.mktemp("lent") / "model"
    lines = [
        scale(line_image(text, font_path), HEIGHT) for text in ("合计 37.20", "2026 合计", "10 98 76 54")
    ]
    folder.write(target, state.donor_net("small", description.charset, 1).eval(), description, lines)
    return target


def test_what_int8_convolutions_see_is_about_what_those_as_lent_see(
    tiny_run: TrainingRun, lent_model: Path, tmp_path: Path
) -> None:
    source = tiny_run.shard("drawn-000")
    recipe = yaml.safe_load(RECIPE)
    trained = stages.orders(
        recipe, tmp_path, pictures=tiny_run.folder / "shards", through=default_models_dir() / "crnn"
    )
    with pytest.raises(ValueError, match="were trained: they are no longer the lent ones"):
        features.make(trained[0])
    with pytest.raises(ValueError, match="name them with --pictures"):
        stages.orders(recipe, tmp_path, through=lent_model)
    orders = stages.orders(recipe, tmp_path, pictures=tiny_run.folder / "shards", through=lent_model)
    order = next(order for order in orders if order.folder.name == "drawn-000-int8")
    features.make(order)
    rounded, as_lent = (np.load(at / "features.npy").astype(np.float32) for at in (order.folder, source))
    assert (order.folder / "embedding.npy").read_bytes() == (source / "embedding.npy").read_bytes()
    noise = (rounded - as_lent).std() / as_lent.std()
    assert 0.01 < noise < 0.4
    shards = Shards([source, order.folder], Truths(charset.load(), teacher.load_head()))
    train, dev = stages.split(shards)
    assert not train
    assert {key: len(lines) for key, lines in dev.items()} == {"drawn": 12, "drawn_int8": 12}
    again = stages.orders(recipe, tmp_path, pictures=tmp_path, through=lent_model)
    assert again == []  # they are not rounded twice


def test_a_wider_model_reads_what_the_narrow_one_reads(
    tmp_path: Path, font_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = default_models_dir() / "crnn-fast"
    target = tmp_path / "wide"
    cli.main(["widen", str(source), "--model", str(target)])
    assert "MB instead of" in capsys.readouterr().out
    spec = manifest.load(target)
    assert spec.precisions == ("fp32",)
    assert spec.recipe["widen"] == {"shape": "medium", "seed": 1}
    samples = [Sample(line_image(text, font_path), text, "test") for text in ("合计37.20", "Total 98.10")]
    wide, narrow = (readings.read(samples, each, "fp32") for each in (spec, manifest.load(source)))
    assert [line.text for line in wide] == [line.text for line in narrow] == [s.text for s in samples]
    for arguments, message in (
        ([str(source), "--model", str(target)], "is there already"),
        ([str(source), "--model", str(tmp_path / "x"), "--shape", "huge"], "no shape 'huge', only small"),
        ([str(default_models_dir() / "crnn"), "--model", str(tmp_path / "x")], "cannot be widened"),
    ):
        with pytest.raises(SystemExit, match=message):
            cli.main(["widen", *arguments])


def test_an_unknown_stage_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        SystemExit, match="no stage 'adapt'; its stages: neck, more, back, marks, through, wide, whole"
    ):
        cli.main(["fit", "crnn", "--out", str(tmp_path), "--stage", "adapt", "--threads", "1"])
    with pytest.raises(SystemExit, match="no recipe for `ocrsvc train fit`"):
        cli.main(["fit", "vgg-crnn", "--out", str(tmp_path), "--stage", "scratch", "--threads", "1"])


def test_a_folder_without_crops_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no crops"):
        cli.main(["opinions", str(tmp_path)])


def test_a_contact_sheet_can_be_looked_at(font_path: Path, tmp_path: Path) -> None:
    cli.main(["sheet", "--out", str(tmp_path / "sheet.png"), "--lines", "8", "--seed", "2"])
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape == (2 * 52, 4 * 420, 3)


def test_drawn_lines_can_be_read_as_any_labelled_ones(
    font_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["synth", "--lines", "6", "--seed", "4", "--out"]
    for name in ("one", "two"):
        cli.main([*command, str(tmp_path / name)])
    assert capsys.readouterr().out.splitlines()[0] == str(tmp_path / "one" / "manifest.jsonl")
    first, again = (labelled(tmp_path / name, held_out=0) for name in ("one", "two"))
    assert len(first) == 6
    assert all(sample.text and sample.image.shape[0] > 8 for sample in first)
    assert [sample.text for sample in first] == [sample.text for sample in again]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    with pytest.raises(SystemExit, match="one is not empty"):
        cli.main([*command, str(tmp_path / "one")])


def test_faces_are_counted(font_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["fonts", "--out", str(tmp_path / "faces")])
    chinese, latin, _ = capsys.readouterr().out.split(", ")
    assert int(chinese.split()[0]) >= 1
    assert latin.endswith("Latin")


def test_an_unknown_recipe_lists_those_there_are() -> None:
    with pytest.raises(SystemExit, match=r"no recipe 'nosuch'; there are: .*crnn"):
        step.recipe("nosuch")


def test_the_recipes_have_all_that_the_steps_read(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(RECIPE, encoding="utf-8")
    shipped = {file.stem: step.recipe(file.stem) for file in step.RECIPES.glob("*.yaml")}
    assert stages.names(shipped["crnn"]) == ["neck", "more", "back", "marks", "through", "wide", "whole"]
    assert stages.names(shipped["crnn-signs"]) == ["rows"]
    assert stages.names(shipped["crnn-fast"]) == [
        "neck",
        "whole",
        "further",
        "wide",
        "wide-rounded",
        "rounded",
    ]
    kinds = Corpus(charset.load(), 1).kinds.keys()
    for recipe in (*shipped.values(), step.recipe(str(tmp_path / "tiny.yaml"))):
        assert {"name", "architecture"} <= recipe.keys()
        calibration = recipe.get("calibration", {"lines": 0, "seed": 0})
        assert {"lines", "seed"} <= calibration.keys() <= {"lines", "seed", "characters"}
        for stage in stages.names(recipe):
            stages.plan(recipe, stage)
            drawn = recipe["features"]["drawn"]
            assert {"shards", "lines", "seed"} <= drawn.keys() <= {"shards", "lines", "seed", "shares"}
            assert drawn.get("shares", {}).keys() <= kinds
            assert recipe["features"]["real"].keys() == {"shards", "lines", "seed", "held_out"}


def test_every_step_of_the_help_is_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    named = {line.split()[2] for line in text.splitlines() if line.startswith("  ocrsvc train ")}
    assert named >= {"fonts", "sheet", "photos", "opinions", "features", "fit", "export", "quantize"}
    for name in named:
        with pytest.raises(SystemExit) as stop:
            cli.main([name, "--help"])
        assert stop.value.code == 0


def test_lines_are_cut_out_of_photos(
    draw_page: Callable[..., DrawnPage],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As many as the page has; with a manifest, not out of those that are scored."""
    page = draw_page()
    (tmp_path / "img").mkdir()
    rows = []
    for i, scored in enumerate((False, True)):
        cv2.imwrite(str(tmp_path / "img" / f"{i}.png"), page.image)
        rows.append({"file": f"img/{i}.png", "eval_overlap": scored})
    monkeypatch.chdir(tmp_path)  # the detector is found from anywhere
    cli.main(["photos", str(tmp_path), "--out", str(tmp_path / "both")])
    both = len(list((tmp_path / "both").iterdir()))
    assert capsys.readouterr().out == f"{both} lines cut\n"
    assert 2 * len(page.lines) * 0.8 <= both <= 2 * len(page.lines) * 1.5
    (tmp_path / "manifest.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
    )
    one = photos.cut(tmp_path, tmp_path / "one", manifest.load(default_models_dir() / "ppocrv6-det-small"))
    assert one == both / 2
    crop = cv2.imread(str(next((tmp_path / "one").iterdir())))
    assert crop is not None
    assert crop.shape[1] > crop.shape[0] >= photos.MIN_HEIGHT_PIXELS
