"""A second opinion on crops without a label: what counts as agreement, and two recognisers that really read."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from available import missing, need_training
from drawings import line_image

need_training()

from ocrsvc.models.buckets import fit
from ocrsvc.training.data import pseudo_labels, samples
from ocrsvc.training.data.pseudo_labels import Opinion, agreed, ask, voted
from ocrsvc.training.nets import teacher


@pytest.fixture(scope="module")
def second_path() -> Path:
    try:
        return pseudo_labels.second_path()
    except FileNotFoundError as error:
        missing(str(error))


@pytest.fixture(scope="module")
def third_path() -> Path:
    try:
        return pseudo_labels.third_path()
    except FileNotFoundError as error:
        missing(str(error))


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (
            "合计 37.20",
            "合计37.20",
            "合计 37.20",
        ),  # spaces beside Chinese do not matter: the first's are kept
        ("合计", "合计。", None),
        ("未末", "末未", None),
        ("１０％", "10%", "10%"),  # in our characters
        ("AB", "ab", None),  # nobody says which case is right
        ("", "", None),
        ("  ", " ", None),
        ("Thank you", "Thank you", "Thank you"),
        ("Thank you", "Thankyou", None),  # one of them lost a space
        ("thankYou", "thankYou", None),  # both lost one
        ("ab.cde", "ab.cde", None),
        ("INTERNATIONALLY", "INTERNATIONALLY", None),  # 15 letters in a row, perhaps several words
        ("INTERNATIONAL", "INTERNATIONAL", None),
        ("INTERESTING", "INTERESTING", "INTERESTING"),
        ("A1 B2", "A1B2", "A1 B2"),  # no word: part numbers have their own spaces
        ("12:30", "12:30", "12:30"),
        ("it's", "it's", None),  # curly or straight: neither knows
    ],
)
def test_what_counts_as_agreement(first: str, second: str, text: str | None) -> None:
    assert agreed(first, second) == text


@pytest.mark.parametrize(
    ("others", "own", "text"),
    [
        (("合计 37.20", "合计37.20", "合计37.20"), None, "合计 37.20"),
        (("合计", "合计", "台计"), None, None),  # two of three are no majority of three
        (("合计", "合计", "台计"), "合计", "合计"),
        (("合计", "合计", "合计"), "台计", "合计"),
        (("Thankyou", "Thankyou", "Thankyou"), "Thank you", "Thank you"),  # ours knows spaces
        (("Thankyou", "Thank you", "Thankyou"), "Thank yon", None),  # nobody agrees in them
        (("Thank you", "Thank you", "Thankyou"), "Thank yon", "Thank you"),
        (("AB", "Ab", "AB"), "AB", "AB"),  # case counts
        (("AB", "Ab", "AB"), None, None),
        (("it's", "it's", "it's"), "it’s", None),
        (("", "", ""), "", None),
    ],
)
def test_three_equal_readings_make_a_label(
    others: tuple[str, ...], own: str | None, text: str | None
) -> None:
    assert voted(others, own) == text


def test_recognisers_read_and_say_how_sure_they_are(
    teacher_path: Path, second_path: Path, third_path: Path, font_path: Path
) -> None:
    line = fit(line_image("合计 37.20", font_path), 48)
    blank = np.full((48, 90, 3), 255, np.uint8)
    for path in (teacher.model_path(), second_path, third_path):
        (text, sure), (nothing, _) = Opinion(path)([line, blank], 320)
        assert text.replace(" ", "") == "合计37.20", path
        assert 0.5 < sure <= 1
        assert nothing == ""


def test_crops_are_read_and_noted_beside_them(
    teacher_path: Path,
    second_path: Path,
    third_path: Path,
    font_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Damaged and endless crops are left out; the manifest is what `samples.crops` reads the texts from."""
    for name, text in (("a", "合计 37.20"), ("b", "收银小票"), ("c", "Thank you for shopping")):
        cv2.imwrite(str(tmp_path / f"{name}.png"), line_image(text, font_path))
    noise = np.random.default_rng(1).integers(0, 256, (48, 200, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "d.png"), noise)
    (tmp_path / "e.png").write_bytes(b"no picture")
    cv2.imwrite(str(tmp_path / "f.png"), np.zeros((10, 1000, 3), np.uint8))
    own = Path(__file__).resolve().parents[3] / "models" / "crnn-fast"
    read, same = ask(tmp_path, processes=1, own=own)
    rows = {
        row["file"]: row
        for row in map(json.loads, (tmp_path / "manifest.jsonl").read_text("utf-8").splitlines())
    }
    assert read == len(rows) == 4
    assert same == sum(row["text"] is not None for row in rows.values())
    assert rows["a.png"]["text"].replace(" ", "") == "合计37.20"
    assert rows["b.png"]["text"] == "收银小票"
    assert rows["c.png"]["text"] == "Thank you for shopping"
    assert rows["c.png"]["read"].replace(" ", "") == "Thankyouforshopping"
    assert rows["d.png"]["text"] is None
    assert all(
        set(row) == {"file", "text", "read", "sure", "readings"} and 0 <= row["sure"] <= 1
        for row in rows.values()
    )
    assert "4/6 read" in capsys.readouterr().out
    assert not list(tmp_path.glob(".*"))
    taken = {sample.image.shape[1]: sample.text for sample in samples.crops(tmp_path)}
    assert taken[1000] is None
    assert sum(text is not None for text in taken.values()) == same
