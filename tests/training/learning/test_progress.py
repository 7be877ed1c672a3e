"""What a training says while it goes."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import pytest

from ocrsvc.training.learning.progress import Meter, Report, shown, spoken


def test_the_time_left_is_at_the_pace_of_this_run() -> None:
    now = [100.0]
    meter = Meter(lambda: now[0])
    now[0] = 110.0
    first = meter.describe(Report(0.5, 500, 640, 1.25))  # a resumed run: half of it was done before
    assert first == "step 500 · 64 lines/s · loss 1.250"
    now[0] = 130.0
    second = meter.describe(Report(0.6, 600, 1920, 0.5, 0.875))
    assert second == "step 600 · 64 lines/s · loss 0.500 · dev 0.875 · 2 min left"


def test_terms_of_the_loss_and_drawn_lines_are_told() -> None:
    now = [0.0]
    meter = Meter(lambda: now[0])
    now[0] = 10.0
    report = Report(0.1, 5, 400, 0.75, terms={"ctc": 0.5, "kl": 0.25}, drawn=120)
    told = "step 5 · 40 lines/s · 12 drawn/s · loss 0.750 · ctc 0.500 · kl 0.250"
    assert meter.describe(report) == told
    assert meter.describe(replace(report, left_seconds=7200.0)) == f"{told} · 2.0 h left"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (99, "99 s"), (120, "2 min"), (5400, "90 min"), (9000, "2.5 h")]
)
def test_times_are_spoken(seconds: float, text: str) -> None:
    assert spoken(seconds) == text


def test_where_there_is_no_terminal_lines_are_printed_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with shown(every_seconds=1000) as show:
        for step in range(1, 50):
            show(Report(step / 50, step, step, 1.0))
    assert capsys.readouterr().out.count("\n") == 1
    with shown(every_seconds=0) as show:
        for step in range(1, 4):
            show(Report(step / 4, step, step, 1.0, 0.5))
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 3
    assert out[2].startswith(" 75% step 3 · ")
    assert "dev 0.500" in out[2]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    with shown() as show:
        show(Report(0.5, 50, 640, 1.0, 0.25))
        show(Report(1.0, 100, 1280, 0.5, 0.75))
    text = terminal.getvalue()
    assert "100%" in text
    assert "step 100" in text
    assert "dev 0.750" in text
