"""Accuracy and confidence by kind of line."""

from __future__ import annotations

import pytest

from ocrsvc.diagnosis.strata import RatedLine, strata, table


def line(
    text: str,
    *,
    source: str = "a",
    height: int = 20,
    confidence: float = 0.9,
    right: bool = True,
    flagged: bool = False,
) -> RatedLine:
    return RatedLine(source, text, height, confidence, right, flagged)


def test_each_line_counts_once_in_each_kind() -> None:
    rows = strata(
        [
            line("合计"),
            line("Total 5", height=15),
            line("合计 Total", height=16, source="b"),
            line("37.20", height=32),
            line("x" * 41, height=33),
            line("y" * 25, height=33),
            line("z" * 26, height=33),
            line("1 " * 40),  # spaces do not count
        ]
    )
    assert [(row.kind, row.name, row.lines) for row in rows] == [
        ("source", "a", 7),
        ("source", "b", 1),
        ("script", "digits", 2),
        ("script", "han", 1),
        ("script", "latin", 4),
        ("script", "mixed", 1),
        ("characters", "1-2", 1),
        ("characters", "3-10", 3),
        ("characters", "11-25", 1),
        ("characters", "26-40", 2),
        ("characters", ">40", 1),
        ("height", "<16", 1),
        ("height", "16-32", 4),
        ("height", ">32", 3),
    ]


def test_a_line_without_text_has_no_script_and_no_length() -> None:
    rows = strata([line("", confidence=0.0, right=False)])
    assert [row.kind for row in rows] == ["source", "height"]


def test_figures_of_a_stratum() -> None:
    """Half of the lines are right; the confidence does not know which."""
    rows = strata([line("12", confidence=0.8, right=i % 2 == 0) for i in range(600)])
    (digits,) = [row for row in rows if row.kind == "script"]
    assert (digits.exact, digits.confidence) == pytest.approx((0.5, 0.8))
    assert digits.excess == pytest.approx(0.3)
    assert digits.ece == pytest.approx(0.3, abs=0.02)
    head, *body = table(rows).splitlines()
    assert head.split() == ["stratum", "lines", "exact", "confidence", "excess", "ece", "flagged", "caught"]
    figures = ["600", "0.5000", "0.8000", "+0.3000", f"{digits.ece:.4f}", "0.0000", "0.0000"]
    assert body[1].split() == ["script", "digits", *figures]
    assert len({len(each) for each in (head, *body)}) == 1


def test_flags_of_right_lines_and_of_wrong_ones_count_apart() -> None:
    lines = [line("12", flagged=i < 1) for i in range(4)]
    assert {(row.flagged, row.caught) for row in strata(lines)} == {(0.25, None)}
    assert table(strata(lines)).splitlines()[1].split()[-2:] == ["0.2500", "-"]
    lines += [line("12", right=False, flagged=i < 3) for i in range(6)]
    assert {(row.flagged, row.caught) for row in strata(lines)} == {(0.25, 0.5)}


def test_no_lines_no_strata() -> None:
    assert strata([]) == []
