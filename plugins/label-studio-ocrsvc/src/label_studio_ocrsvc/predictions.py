"""A reading as a prediction of Label Studio: for each line an outline, a label and a text that share an id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from label_studio_ocrsvc.labelling import Labelling
from label_studio_ocrsvc.outlines import as_value
from ocrsvc import Result
from ocrsvc.results import Line, Page


def prediction_of(result: Result, labelling: Labelling, version: str) -> dict[str, Any]:
    """Return the prediction for the first page of a picture; its score is the least of its lines'."""
    page = result.pages[0]
    lines = [line for line in result.lines if line.page == page.number]
    return {
        "model_version": version,
        "score": min((line.confidence for line in lines), default=0.0),
        "result": [
            each for number, line in enumerate(lines, 1) for each in _results(line, number, page, labelling)
        ],
    }


def _results(line: Line, number: int, page: Page, labelling: Labelling) -> Iterator[dict[str, Any]]:
    value = as_value(line.polygon, page.width, page.height, rectangle=labelling.shape.startswith("rectangle"))
    common = {
        "id": f"line-{number}",
        "to_name": labelling.picture_name,
        "original_width": page.width,
        "original_height": page.height,
        "image_rotation": 0,
        "score": line.confidence,
    }
    own_labels = labelling.label is not None and labelling.labels_name is None
    outline = {**value, labelling.shape: [labelling.label]} if own_labels else value
    yield {**common, "from_name": labelling.shape_name, "type": labelling.shape, "value": outline}
    if labelling.labels_name is not None and labelling.label is not None:
        labelled = {**value, "labels": [labelling.label]}
        yield {**common, "from_name": labelling.labels_name, "type": "labels", "value": labelled}
    text = {**value, "text": [line.text]}
    yield {**common, "from_name": labelling.text_name, "type": "textarea", "value": text}
