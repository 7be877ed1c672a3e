"""``ocrsvc train``: the steps in order, as a user runs them, and what it says when it cannot."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from available import need_training
from drawings import DrawnPage
from tiny_training import RECIPE, TrainingRun

need_training()

from ocrsvc import manifest  # noqa: E402
from ocrsvc.models import default_models_dir  # noqa: E402
from ocrsvc.training import cli, photos  # noqa: E402

pytestmark = pytest.mark.timeout(240)


def test_from_lines_to_a_model_folder(
    tiny_run: TrainingRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = TrainingRun(tmp_path, tiny_run.recipe, tiny_run.real)
    shutil.copytree(tiny_run.folder / "shards", tmp_path / "shards")
    cli.main(["fit", *run.arguments])
    assert "epoch 2" in capsys.readouterr().out
    cli.main(["fit", *run.arguments])
    assert capsys.readouterr().out == "going on after epoch 2\n"
    second = ["fit", str(run.recipe), "--out", str(tmp_path / "second")]
    with pytest.raises(SystemExit, match="no shards"):
        cli.main(second)
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "shards").symlink_to(tmp_path / "shards")
    cli.main([*second, "--stage", "adapt", "--start", str(tmp_path / "fit" / "last.pt")])
    assert "epoch 1" in capsys.readouterr().out
    cli.main(["export", *run.arguments, "--model", str(tmp_path / "tiny")])
    spec = manifest.load(tmp_path / "tiny")
    assert spec.name == "tiny"
    assert len(spec.charset) == 7158
    assert spec.recipe["fit"]["epochs"] == 2


def test_a_contact_sheet_can_be_looked_at(font_path: Path, tmp_path: Path) -> None:
    cli.main(["sheet", "--out", str(tmp_path / "sheet.png"), "--lines", "8", "--seed", "2"])
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape == (2 * 52, 4 * 420, 3)


def test_faces_are_counted(font_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["fonts", "--out", str(tmp_path / "faces")])
    chinese, latin, _ = capsys.readouterr().out.split(", ")
    assert int(chinese.split()[0]) >= 1
    assert latin.endswith("Latin")


def test_fit_without_shards_says_what_to_run_first(tmp_path: Path, teacher_path: Path) -> None:
    with pytest.raises(SystemExit, match="run `ocrsvc train features` first"):
        cli.main(["fit", "crnn", "--out", str(tmp_path)])


def test_an_unknown_recipe_lists_those_there_are() -> None:
    with pytest.raises(SystemExit, match=r"no recipe 'nosuch'; there are: .*crnn"):
        cli.recipe("nosuch")


def test_the_recipes_have_all_that_the_steps_read(tmp_path: Path) -> None:
    from ocrsvc.training.finetune import Recipe as FinetuneRecipe
    from ocrsvc.training.fit import Recipe

    (tmp_path / "tiny.yaml").write_text(RECIPE, encoding="utf-8")
    names = [file.stem for file in cli.RECIPES.glob("*.yaml")]
    assert "crnn" in names
    for name in (*names, str(tmp_path / "tiny.yaml")):
        recipe = cli.recipe(name)
        if "scratch" in recipe:  # see test_scratch
            continue
        Recipe(**recipe["fit"])
        Recipe(**recipe["adapt"])
        FinetuneRecipe(**recipe["finetune"])
        assert recipe["features"]["drawn"].keys() == {"shards", "lines", "seed"}
        assert recipe["features"]["real"].keys() == {"shards", "lines", "seed", "held_out"}
        assert recipe["calibration"].keys() == {"lines", "seed"}


def test_every_step_of_the_help_is_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    named = {line.split()[2] for line in text.splitlines() if line.startswith("  ocrsvc train ")}
    assert named >= {"fonts", "sheet", "photos", "features", "fit", "curves", "finetune", "export"}
    for step in named:
        with pytest.raises(SystemExit) as stop:
            cli.main([step, "--help"])
        assert stop.value.code == 0


def test_lines_are_cut_out_of_photos(
    draw_page: Callable[..., DrawnPage], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many as the page has; with a manifest, not out of those that are scored."""
    page = draw_page()
    (tmp_path / "img").mkdir()
    rows = []
    for i, scored in enumerate((False, True)):
        cv2.imwrite(str(tmp_path / "img" / f"{i}.png"), page.image)
        rows.append({"file": f"img/{i}.png", "eval_overlap": scored})
    detector = default_models_dir() / "ppocrv6-det-small"
    cli.main(["photos", str(tmp_path), "--detector", str(detector), "--out", str(tmp_path / "both")])
    both = len(list((tmp_path / "both").iterdir()))
    assert capsys.readouterr().out == f"{both} lines cut\n"
    assert 2 * len(page.lines) * 0.8 <= both <= 2 * len(page.lines) * 1.5
    (tmp_path / "manifest.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
    )
    one = photos.cut(tmp_path, tmp_path / "one", detector)
    assert one == both / 2
    crop = cv2.imread(str(next((tmp_path / "one").iterdir())))
    assert crop is not None
    assert crop.shape[1] > crop.shape[0] >= photos.MIN_HEIGHT_PIXELS
