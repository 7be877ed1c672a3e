"""Readings as the service answers them in JSON, drawn up by hand."""

from __future__ import annotations

from typing import Any


def line(text: str, top: int, left: int = 10, **members: Any) -> dict[str, Any]:
    right, bottom = left + 20 * len(text), top + 20
    polygon = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return {"text": text, "confidence": 0.8, "polygon": polygon, "page": 1, "needs_review": True, **members}


def reading(*lines: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "text": "what was read",
        "lines": list(lines),
        "pages": [{"number": 1, "width": 400, "height": 300, "orientation": 0}],
        "model": {"name": "crnn", "digest": "sha256:ab"},
        "timing_ms": {"total": 3.0},
        "request_id": "abc",
        **members,
    }


def table() -> dict[str, Any]:
    """A table of one row: its cells name lines."""
    cells = [
        {"row": 0, "column": column, "row_span": 1, "column_span": 1, "text": "old", "rows": [[column]]}
        for column in (0, 1)
    ]
    bounds = [[10, 10], [200, 10], [200, 30], [10, 30]]
    block = {"kind": "table", "page": 1, "polygon": bounds, "lines": [0, 1], "rows": [[0, 1]]}
    return {**block, "table": {"row_count": 1, "column_count": 2, "cells": cells}}
