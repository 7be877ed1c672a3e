"""Lines of a user: what is wrong with them is said by line number; equal texts stay together; examples are drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from available import need_training
from drawings import Picture

need_training()

from ocrsvc.models.manifest import InputSpec, Manifest
from ocrsvc.training.data import examples
from ocrsvc.training.data.samples import Sample
from ocrsvc.training.texts import charset

pytestmark = pytest.mark.timeout(120)
SPEC = Manifest("m", "recogniser", "", InputSpec(buckets=(96, 320, 640)), {}, charset=charset.load())
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, draw_line: Callable[..., Picture]) -> Write:
    """Writes rows (objects or raw text) as lines.jsonl beside good.png, which says 合计 37.20, and two bad pictures."""
    cv2.imwrite(str(tmp_path / "good.png"), draw_line("合计 37.20"))
    cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((10, 400, 3), np.uint8))
    (tmp_path / "broken.png").write_bytes(b"no picture")

    def rows(*content: object) -> Path:
        path = tmp_path / "lines.jsonl"
        path.write_text(
            "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in content),
            encoding="utf-8",
        )
        return path

    return rows


def test_good_rows_come_with_their_pictures_and_canonical_texts(write: Write) -> None:
    found = examples.read(write({"file": "good.png", "text": "合计　37．20"}, ""), SPEC)
    (sample,) = found.samples
    assert sample.text == "合计 37.20"
    assert sample.image.ndim == 3
    assert found.skipped == ()


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("{", "no JSON"),
        ("[1]", 'no {"file": ..., "text": ...}'),
        ({"file": "good.png"}, "no 'text', or it is no string"),
        ({"file": 3, "text": "a"}, "no 'file', or it is no string"),
        ({"file": "good.png", "text": " \u3000"}, "the text of good.png is empty"),
        ({"file": "nosuch.png", "text": "a"}, "there is no"),
        ({"file": "broken.png", "text": "a"}, "is no picture that can be read"),
        ({"file": "wide.png", "text": "a"}, "is 1920 pixels wide at height 48, the model takes 640"),
        ({"file": "good.png", "text": "1" * 90}, "90 characters are too many"),
        ({"file": "good.png", "text": "龘龘"}, "m has no 龘"),
    ],
)
def test_a_bad_row_is_named_or_left_out(write: Write, row: object, complaint: str) -> None:
    path = write({"file": "good.png", "text": "合计 37.20"}, row)
    with pytest.raises(examples.Unusable) as refused:
        examples.read(path, SPEC)
    (named,) = [line for line in str(refused.value).splitlines() if "line 2: " in line]
    assert complaint in named
    assert "--skip" in str(refused.value)
    found = examples.read(path, SPEC, skip=True)
    assert len(found.samples) == 1
    assert len(found.skipped) == 1
    assert complaint in found.skipped[0]


def test_unknown_characters_are_listed_with_counts(write: Write) -> None:
    with pytest.raises(
        examples.Unusable, match=r"does not have: 龘 \(3\), 靐 \(1\)\. Fine-tuning teaches looks"
    ):
        examples.read(write({"file": "good.png", "text": "龘龘"}, {"file": "good.png", "text": "靐龘"}), SPEC)


def test_many_complaints_are_cut_short(write: Write) -> None:
    with pytest.raises(examples.Unusable, match=r"30 rows of .*\n(.*\n){12}  \.\.\. and 18 more"):
        examples.read(write(*["{"] * 30), SPEC)


def test_a_missing_file_says_what_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"one row a picture"):
        examples.read(tmp_path / "nosuch.jsonl", SPEC)


def sample(text: str) -> Sample:
    return Sample(np.zeros((8, 8, 3), np.uint8), text, "own")


def test_equal_texts_stay_together_and_more_lines_move_none() -> None:
    few = [sample(f"{i % 50}") for i in range(200)]
    learn, held = examples.split(few, 0.2, 30)
    assert 40 <= len(held) < 50
    assert len(learn) + len(held) == 200
    assert not {s.text for s in learn} & {s.text for s in held}
    _, more = examples.split([*few, *(sample(f"{i}") for i in range(50, 60))], 0.2, 30)
    assert len({s.text for s in held} & {s.text for s in more}) >= 8


def test_at_least_so_many_are_held_out() -> None:
    _, held = examples.split([sample(str(i)) for i in range(100)], 0.2, 30)
    assert len(held) == 30


def test_an_example_set_is_drawn_and_can_be_read(font_path: Path, tmp_path: Path) -> None:
    path = examples.draw(font_path, charset.load(), 6, 4, tmp_path / "data")
    wide = Manifest("m", "recogniser", "", InputSpec(buckets=(320, 1280)), {}, charset=charset.load())
    found = examples.read(path, wide)
    assert len(found.samples) == 6
    again = examples.draw(font_path, charset.load(), 6, 4, tmp_path / "again")
    assert again.read_bytes() == path.read_bytes()
    with pytest.raises(FileExistsError, match="is not empty"):
        examples.draw(font_path, charset.load(), 6, 4, tmp_path / "data")


def test_a_face_has_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no typeface"):
        examples.draw(tmp_path / "nosuch.ttf", charset.load(), 1, 1, tmp_path / "data")
    (tmp_path / "bad.ttf").write_bytes(b"no face at all")
    with pytest.raises(ValueError, match=r"bad.ttf is no .ttf, .otf or .ttc"):
        examples.draw(tmp_path / "bad.ttf", charset.load(), 1, 1, tmp_path / "data")
