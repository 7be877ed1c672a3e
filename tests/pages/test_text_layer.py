"""The text layer between processes: what is sent arrives, and nothing else is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocrsvc.errors import UndecodableImage
from ocrsvc.pages.text_layer import MOST_CHARACTERS, TextLayer, TextLine, decode, encode

LINE = TextLine(
    "发票 A\N{GRINNING FACE}",
    ((1.0, 2.0), (50.0, 2.0), (50.0, 12.5), (1.0, 12.5)),
    ((0.0, 0.2), (0.2, 0.4), (0.4, 0.5), (0.5, 0.7), (0.7, 1.0)),
    "5c49e278",
)
LAYER = TextLayer((LINE,), ((0, 20, 100, 40),))


def test_what_is_sent_arrives() -> None:
    assert decode(encode(LAYER), 100, 50) == LAYER


def test_a_layer_that_is_too_large_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocrsvc.pages.text_layer.MOST_BYTES", len(encode(LAYER)))
    assert encode(LAYER)
    assert encode(TextLayer((LINE, LINE))) == b""


def line(
    text: Any = "ab", corners: Any = (0,) * 8, steps: Any = (0, 5000, 5000, 10_000), font: Any = ""
) -> Any:
    return [text, list(corners), list(steps), font]


@pytest.mark.parametrize(
    "message",
    [
        {},
        [],
        {"lines": [], "areas": [[0, 0, 101, 10]]},
        {"lines": [], "areas": [[5, 5, 5, 9]]},
        {"lines": [], "areas": [[0, 0, 1, 1]] * 33},
        {"lines": [line("")], "areas": []},
        {"lines": [line(7)], "areas": []},
        {"lines": [line("abc")], "areas": []},
        {"lines": [line(corners=(0,) * 7)], "areas": []},
        {"lines": [line(corners=(101,) * 8)], "areas": []},
        {"lines": [line(corners=(float("nan"),) * 8)], "areas": []},
        {"lines": [line(steps=(0, 1, 2, 10_001))], "areas": []},
        {"lines": [line("a\ud800")], "areas": []},
        {"lines": [line(font=None)], "areas": []},
        {"lines": [line("a" * MOST_CHARACTERS, steps=(0,) * 2 * MOST_CHARACTERS), line()], "areas": []},
    ],
)
def test_nothing_else_is_believed(message: Any) -> None:
    with pytest.raises(UndecodableImage, match="crashed"):
        decode(json.dumps(message).encode(), 100, 50)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000])
def test_bytes_that_are_no_message(data: bytes) -> None:
    with pytest.raises(UndecodableImage):
        decode(data, 100, 50)
