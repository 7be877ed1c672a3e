"""What the tests of training share: faces, texts, the teacher, and one tiny training run for all of them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import drawings
import pytest
from available import missing
from training.tiny_training import RECIPE, TrainingRun

LABELLED = ("合计 TOTAL 37.20", "收银小票 Receipt", "发票号码：20260001", "Thank you", "全麦面包 Bread 8.80")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """One core is enough, and the same sums in the same order make runs comparable."""
    if importlib.util.find_spec("torch") is None:  # the tests that need it are skipped
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def library(font_path: Path) -> object:
    """The faces of this machine; ``font_path`` makes sure of one."""
    from ocrsvc.training.drawing.fonts import discover

    return discover()


@pytest.fixture(scope="session")
def teacher_path() -> Path:
    """The ONNX file of PP-OCRv6 small, for tests that need its weights."""
    from ocrsvc.training.nets import teacher

    try:
        return teacher.model_path()
    except FileNotFoundError as error:
        missing(str(error))


@pytest.fixture(scope="session")
def tiny_path() -> Path:
    """The ONNX file of PP-OCRv6 tiny, which lends its weights to the fast net."""
    from ocrsvc.training.nets import teacher

    try:
        return teacher.model_path("tiny")
    except FileNotFoundError as error:
        missing(str(error))


@pytest.fixture(scope="session")
def labelled_folder(font_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of labelled lines as real ones come: ``manifest.jsonl`` beside ``img/``; LABELLED are drawn."""
    folder = tmp_path_factory.mktemp("real") / "receipts"
    (folder / "img").mkdir(parents=True)
    rows = []
    for i, text in enumerate(LABELLED):
        name = f"img/{i}.png"
        cv2.imwrite(str(folder / name), drawings.line_image(text, font_path))
        folded = i % 2 == 1  # as the labels of receipts, which are all capitals
        rows.append({"file": name, "text": text.upper() if folded else text, "case_insensitive": folded})
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tiny_run(
    teacher_path: Path, font_path: Path, labelled_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> TrainingRun:
    """Shards of a few lines, made by the command line as a user would."""
    from ocrsvc.training.commands import cli

    folder = tmp_path_factory.mktemp("run")
    (folder / "tiny.yaml").write_text(RECIPE, encoding="utf-8")
    run = TrainingRun(folder, folder / "tiny.yaml", labelled_folder)
    cli.main(["features", *run.arguments, "--real", str(labelled_folder), "--processes", "1"])
    return run
