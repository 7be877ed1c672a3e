"""bench/mixups.py in small: every answer belongs to its request, whatever happens beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mixups
import numbers_drawn
import numpy as np
import pytest
import serving
import tiny_model
from numbers_drawn import Picture

REQUESTS = 20_000  # of which a restart takes the middle; the bench sends a million

pytestmark = pytest.mark.timeout(1800)  # for a machine that does much else


def stripes(text: str, look: int) -> Picture:
    """The text as the tiny model reads it; looks differ in their width."""
    padding = ((0, 0), (0, 2 * tiny_model.STRIDE * (look % 6)), (0, 0))
    return np.pad(tiny_model.draw(text), padding, constant_values=tiny_model.PAD)


async def test_every_answer_belongs_to_its_request(models_dir: Path) -> None:
    tally, _ = await mixups.prove(
        lambda: serving.ours(model="tiny", models_dir=models_dir),
        requests=REQUESTS,
        concurrency=64,
        draw=stripes,
    )
    assert tally.sent.total() == REQUESTS
    assert set(tally.sent) == set(mixups.KINDS)
    read = sum(tally.sent[kind] for kind in ("raw", "form", "json", "charset")) + 3 * tally.sent["batch"]
    assert tally.answers == {"right": read}, tally.wrong
    assert tally.trouble["lost"] == 0
    assert set(tally.trouble) <= {"lost", "turned away", "503"}
    assert set(tally.statuses) <= {400, 413, 415, 422}
    assert not any(tally.left[gauge] for gauge in mixups.GAUGES)


def test_the_numbers_differ_and_guard_themselves() -> None:
    numbers = {numbers_drawn.number(index) for index in range(50_000)}
    assert len(numbers) == 50_000
    assert all(map(numbers_drawn.guarded, numbers))
    assert not any(numbers_drawn.guarded(f"{(int(each) + 10) % 10**10:010}") for each in numbers)


def test_a_mix_up_would_be_found(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A number that begins with 7 is drawn as that of another request, but not when it is drawn again."""
    seen: set[str] = set()

    def exchanged(text: str, look: int) -> Picture:
        again = text in seen
        seen.add(text)
        return stripes(numbers_drawn.number(3 * 1000) if text[0] == "7" and not again else text, look)

    monkeypatch.setattr(numbers_drawn, "drawn", exchanged)
    monkeypatch.setattr(mixups, "serve", lambda _: serving.ours(model="tiny", models_dir=models_dir))
    out = tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", ["mixups.py", "--requests", "90", "--json", str(out), "--markdown"])
    mixups.main()
    report = json.loads(out.read_text("utf-8"))
    assert report["answers"]["crossed"] > 0
    assert report["answers"]["wrong"] == 0
    assert report["examples"][0]["alone"] == report["examples"][0]["sent"]
    assert "| requests | seconds |" in capsys.readouterr().out
