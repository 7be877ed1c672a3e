"""Answers of PaddleX' servers: POST /ocr and /layout-parsing (paddlex/inference/serving), as RAGFlow reads them.

The parameters of its models have no counterpart, but for ``textRecScoreThresh``. PaddleX draws PDFs at 144 dpi, and
clients know it: RAGFlow halves all coordinates to get points. So those of PDFs are given as on a page of 144 dpi.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ocrsvc.compat.contract import Contract, Members, Refusal, Sent, box_of
from ocrsvc.errors import InvalidParameter
from ocrsvc.formats import markdown_format
from ocrsvc.formats.reflow import paragraph
from ocrsvc.formats.table_text import as_html
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Block, Document, Line, Page

_DPI = 144.0
_LABELS = {
    "paragraph": "text",
    "heading": "paragraph_title",
    "table": "table",
    "header": "header",
    "footer": "footer",
    "footnote": "footnote",
}


def least_score(members: Members) -> float:
    """Return the confidence below which lines are left out; raises InvalidParameter."""
    value = members.get("textRecScoreThresh") or 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidParameter("textRecScoreThresh must be a number from 0 to 1.")
    return float(value)


def scale_of(page: Page) -> float:
    """Return by what the coordinates of a page are multiplied."""
    return 1.0 if page.dpi is None else _DPI / page.dpi


def text_result(lines: Sequence[Line], scale: float, least: float) -> dict[str, Any]:
    """Return the ``prunedResult`` of the OCR pipeline for the lines of one page."""
    kept = [line for line in lines if line.confidence >= least]
    polygons = [[[round(x * scale), round(y * scale)] for x, y in line.polygon] for line in kept]
    return {
        "model_settings": {"use_doc_preprocessor": False, "use_textline_orientation": True},
        "dt_polys": polygons,
        "text_type": "general",
        "text_rec_score_thresh": least,
        "rec_texts": [line.text for line in kept],
        "rec_scores": [round(line.confidence, 4) for line in kept],
        "rec_polys": polygons,
        "rec_boxes": [[round(value) for value in box_of(line.polygon, scale)] for line in kept],
    }


def ocr_results(document: Document, least: float = 0.0) -> list[dict[str, Any]]:
    """Return ``ocrResults``: one entry a page."""
    results = []
    for page in document.pages:
        lines = [line for line in document.lines if line.page == page.number]
        results.append(
            {
                "prunedResult": text_result(lines, scale_of(page), least),
                "ocrImage": None,
                "docPreprocessingImage": None,
                "inputImage": None,
            }
        )
    return results


def layout_results(document: Document, least: float = 0.0) -> list[dict[str, Any]]:
    """Return ``layoutParsingResults``: one entry a page, with its blocks and its Markdown."""
    results = []
    for page in document.pages:
        scale = scale_of(page)
        lines = tuple(line for line in document.lines if line.page == page.number)
        blocks = document.blocks_of(page)
        part = replace(document, pages=(page,), lines=lines, blocks=blocks)
        parsed = [_block(block, number, scale) for number, block in enumerate(blocks)]
        pruned = {
            "width": round(page.width * scale),
            "height": round(page.height * scale),
            "model_settings": {"use_doc_preprocessor": False},
            "parsing_res_list": parsed,
            "overall_ocr_res": text_result(lines, scale, least),
        }
        markdown = {
            "text": markdown_format.render(part).decode().rstrip("\n"),
            "images": {},
            "isStart": True,
            "isEnd": True,
        }
        results.append(
            {"prunedResult": pruned, "markdown": markdown, "outputImages": None, "inputImage": None}
        )
    return results


def _block(block: Block, number: int, scale: float) -> dict[str, Any]:
    content = as_html(block.table) if block.table is not None else "\n".join(paragraph(block))
    return {
        "block_label": _LABELS[block.kind],
        "block_content": content,
        "block_bbox": [round(value) for value in box_of(block.polygon, scale)],
        "block_id": number,
        "block_order": number + 1,
    }


def data_info(document: Document, kind: str) -> dict[str, Any]:
    """Return ``dataInfo``: what the file was, and the sizes of its pages."""
    sizes = [
        {"width": round(page.width * scale_of(page)), "height": round(page.height * scale_of(page))}
        for page in document.pages
    ]
    if kind in ("PDF", "TIFF"):
        return {"numPages": len(sizes), "pages": sizes, "type": kind.lower()}
    return {**sizes[0], "type": "image"}


def healthy(log_id: str) -> dict[str, Any]:
    """Return the answer of ``GET /health``."""
    return {"logId": log_id, "errorCode": 0, "errorMsg": "Success"}


def _wrapped(result: dict[str, Any], sent: Sent) -> dict[str, Any]:
    log_id = str(sent.members.get("logId") or sent.request_id)
    return {**healthy(log_id), "result": result}


def _ocr(document: Document, sent: Sent) -> dict[str, Any]:
    results = ocr_results(document, least_score(sent.members))
    return _wrapped({"ocrResults": results, "dataInfo": data_info(document, sent.kind)}, sent)


def _layout(document: Document, sent: Sent) -> dict[str, Any]:
    results = layout_results(document, least_score(sent.members))
    return _wrapped({"layoutParsingResults": results, "dataInfo": data_info(document, sent.kind)}, sent)


def _plain(options: ReadOptions, members: Members) -> ReadOptions:
    least_score(members)
    return options


def _structured(options: ReadOptions, members: Members) -> ReadOptions:
    return replace(_plain(options, members), structured=True)


def _refuse(problem: Members) -> Refusal:
    members = {
        "logId": problem["request_id"],
        "errorCode": problem["status"],
        "errorMsg": problem["detail"],
    }
    return Refusal(problem["status"], members)


OCR = Contract(("file",), _plain, _ocr, _refuse)
LAYOUT_PARSING = Contract(("file",), _structured, _layout, _refuse)
