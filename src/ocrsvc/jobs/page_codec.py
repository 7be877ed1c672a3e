"""Pages and orders as bytes: JSON, compressed where it is long, with every field of the result types.

The fields come from the dataclasses; one that a later version adds must have a default, so that stored pages stay
readable.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from ocrsvc.formats.json_blocks import as_records, from_records
from ocrsvc.jobs.job import Order
from ocrsvc.results import Document

_LEVEL = 1  # five times smaller; higher levels gain a tenth for twice the time

_DOCUMENT: TypeAdapter[Document] = TypeAdapter(Document)
_ORDER: TypeAdapter[Order] = TypeAdapter(Order)


def pack(document: Document) -> bytes:
    """Return the document of one page as compressed JSON; its blocks name lines by their places."""
    content = _DOCUMENT.dump_json(replace(document, blocks=()))
    if document.blocks:
        content += b"\n" + json.dumps(as_records(document, digits=None), ensure_ascii=False).encode()
    return zlib.compress(content, _LEVEL)


def unpack(content: bytes) -> Document:
    """Return the document that ``pack`` was given."""
    written, _, blocks = zlib.decompress(content).partition(b"\n")  # JSON itself has none
    document = _DOCUMENT.validate_json(written)
    return replace(document, blocks=from_records(json.loads(blocks), document.lines)) if blocks else document


def pack_order(order: Order) -> str:
    """Return an order as JSON."""
    return _ORDER.dump_json(order).decode()


def unpack_order(text: str) -> Order:
    """Return the order that ``pack_order`` was given."""
    return _ORDER.validate_json(text)


def pack_problem(problem: dict[str, Any]) -> str:
    """Return a problem document as JSON."""
    return json.dumps(problem, ensure_ascii=False, default=str)
