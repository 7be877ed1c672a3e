"""The scoring rules, pinned by value: published figures must stay comparable."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from ocrsvc.diagnosis.evaluation import Sample, distance, kind_of, rate_line, rate_page, samples, score
from ocrsvc.text import fold, spaced


def sample(row: dict[str, Any], source: str = "a") -> Sample:
    return Sample(source, f"{source}/img/1.png", Path("img/1.png"), row)


def write_data(folder: Path, **sources: list[dict[str, Any]]) -> Path:
    for source, rows in sources.items():
        (folder / source).mkdir(parents=True)
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / source / "manifest.jsonl").write_text(lines, encoding="utf-8")
    return folder


def test_normal_form_folds_width_spaces_and_case() -> None:
    assert fold("Ｎｏ．１２ ３，\tＡ\u3000b") == "no.123,ab"
    assert fold("①㎏") == "1kg"
    assert spaced(" Ａ  b\u3000 C ") == "A b C"


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("", "", 0),
        ("abc", "", 3),
        ("", "abc", 3),
        ("kitten", "sitting", 3),
        ("发票号", "发号票", 2),
        ("ab", "ba", 2),
    ],
)
def test_distance(a: str, b: str, expected: int) -> None:
    assert distance(a, b) == distance(b, a) == expected


def test_line_metrics() -> None:
    assert rate_line(sample({"text": "Total 5"}), "TOTAL5") == {"exact": 1.0, "ned": 1.0}
    assert rate_line(sample({"text": "abcd"}), "abxd") == {"exact": 0.0, "ned": 0.75}
    assert rate_line(sample({"text": "ab"}), "") == {"exact": 0.0, "ned": 0.0}
    assert rate_line(sample({"text": ""}), "") == {"exact": 1.0, "ned": 1.0}


def test_strict_counts_only_where_labels_have_case_and_spaces() -> None:
    in_docs = sample({"text": "Net Income"}, "scribe_docs")
    assert rate_line(in_docs, "Net  Income")["strict"] == 1.0
    assert rate_line(in_docs, "NetIncome") == {"exact": 1.0, "ned": 1.0, "strict": 0.0}
    assert "strict" in rate_line(sample({"text": "x", "strict": True}), "x")
    assert "strict" not in rate_line(sample({"text": "x"}), "x")


def test_page_metrics() -> None:
    boxes = [{"text": "合计 12"}, {"text": "Cash"}]
    assert rate_page(sample({"text": "", "boxes": boxes}), "合计12\ncash") == {
        "line_recall": 1.0,
        "char_f1": 1.0,
    }
    half = rate_page(sample({"text": "", "boxes": boxes}), "合计 12")
    assert half == {"line_recall": 0.5, "char_f1": pytest.approx(2 * 4 / (8 + 4))}
    assert rate_page(sample({"text": "ab\ncd"}), "cd ab") == {"line_recall": 1.0, "char_f1": 1.0}
    assert rate_page(sample({"text": "ab\ncd"}), "") == {"line_recall": 0.0, "char_f1": 0.0}


@pytest.mark.parametrize(
    "row",
    [
        {"text": "", "boxes": [{"text": "ab"}, {"text": "zz", "ignore": True}]},
        {"text": "", "boxes": [{"text": "ab"}, {"text": "###"}]},
        {"text": "", "boxes": [{"text": "ab"}], "complete": False},
    ],
)
def test_pages_with_unlabelled_text_have_no_character_score(row: dict[str, Any]) -> None:
    assert rate_page(sample(row), "ab and more") == {"line_recall": 1.0}


def test_limit_takes_the_same_pictures_every_time(tmp_path: Path) -> None:
    rows = [{"file": f"img/{i}.png", "text": str(i)} for i in range(50)]
    data = write_data(tmp_path, one=rows, two=rows[:3])
    expected = [row["file"] for row in random.Random(0).sample(rows, 5)]
    found = samples(data, 5)
    assert [each.row["file"] for each in found if each.source == "one"] == expected
    assert [each.key for each in found if each.source == "two"] == [f"two/img/{i}.png" for i in range(3)]
    assert len(samples(data)) == 53
    assert found[0].path == data / "one" / expected[0]


def test_every_source_weighs_the_same(tmp_path: Path) -> None:
    rows = [{"file": f"img/{i}.png", "text": "x"} for i in range(4)]
    found = samples(write_data(tmp_path, big=rows, small=rows[:1]))
    texts = {each.key: "x" for each in found if each.source == "small"}
    big, small, mean = score("lines", found, texts)
    assert (big.images, big.values["exact"]) == (4, 0.0)  # without a text: read wrong
    assert (small.images, small.values["exact"]) == (1, 1.0)
    assert (mean.source, mean.images, mean.values["exact"]) == ("MEAN", 5, 0.5)


def test_the_calibration_error_is_that_of_all_lines_together(tmp_path: Path) -> None:
    rows = [{"file": f"img/{i}.png", "text": "x"} for i in range(10)]
    found = samples(write_data(tmp_path, right=rows, wrong=rows))
    texts = {each.key: "x" if each.source == "right" else "y" for each in found}
    right, wrong, mean = score("lines", found, texts, {each.key: 0.5 for each in found})
    assert right.values["ece"] == wrong.values["ece"] == pytest.approx(0.5)
    assert mean.values["ece"] > 0.3  # bins of equal confidence are filled in the order of the lines
    sure = {each.key: 1.0 if each.source == "right" else 0.0 for each in found}
    assert score("lines", found, texts, sure)[-1].values["ece"] == pytest.approx(0, abs=0.07)
    assert "ece" not in score("lines", found, texts)[-1].values


def test_kind_follows_the_labels(tmp_path: Path) -> None:
    lines = samples(write_data(tmp_path / "l", a=[{"file": "img/1.png", "text": "x"}]))
    pages = samples(write_data(tmp_path / "p", a=[{"file": "img/1.png", "text": "x", "boxes": []}]))
    assert (kind_of(lines), kind_of(pages)) == ("lines", "pages")


def test_a_folder_without_labels_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"manifest\.jsonl"):
        samples(tmp_path)
