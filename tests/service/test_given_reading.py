"""What a client sends as a reading is checked before any format writes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from given_readings import line, reading, table

from ocrsvc.errors import InvalidParameter
from ocrsvc.service.given_reading import GivenReading

WRONG: list[tuple[Any, str]] = [
    (b"no json", "result"),
    (b"[1, 2]", "result"),
    ({"lines": []}, "pages"),
    (reading({**line("a", 1), "polygon": [[0, 0]]}), "result.lines.0.polygon"),
    (reading({**line("a", 1), "polygon": [[0, 0], [1e9, 0], [1, 1], [0, 1]]}), "result.lines.0.polygon"),
    (reading({**line("a", 1), "page": 2}), "a page that is not there"),
    (reading({**line("a", 1), "text": "a" * 10_001}), "result.lines.0.text"),
    (reading({**line("a", 1), "confidence": 7}), "result.lines.0.confidence"),
    (reading(line("a", 1), blocks=[table()]), "each line must be in one of the blocks"),
    (reading(line("a", 1), pages=[{"number": 1, "width": 0, "height": 3}]), "result.pages.0.width"),
]


@pytest.mark.parametrize(("given", "said"), WRONG)
def test_what_is_no_reading_is_refused(given: Any, said: str) -> None:
    content = given if isinstance(given, bytes) else json.dumps(given).encode()
    with pytest.raises(InvalidParameter) as refused:
        GivenReading(content, structured=False, layout="lines").document()
    assert said in refused.value.detail


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"row_count": 1_000_000, "column_count": 1_000_000}, "places"),
        ({"column_count": 1}, "not in its table"),
        ({"cells": [table()["table"]["cells"][0]] * 2}, "overlap"),
    ],
)
def test_a_table_that_would_not_end_is_refused(change: dict[str, Any], said: str) -> None:
    block = table()
    block["table"] |= change
    given = reading(line("a", 10), line("b", 10, left=150), blocks=[block])
    with pytest.raises(InvalidParameter, match=said):
        GivenReading(json.dumps(given).encode(), structured=True, layout="lines").document()
