"""The rows of the results, one a page, and the parts that hold them: Parquet or JSON Lines."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ocrsvc.errors import problem
from ocrsvc.formats import json_format
from ocrsvc.results import Document, Page
from ocrsvc.scaleout.plan import PartFormat
from ocrsvc.scaleout.stores import Store

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
_SECONDS_DIGITS = 4


class ItemRows:
    """Makes the rows of one item: a file, or the bytes in one row of a Parquet file."""

    def __init__(self, item: int, path: str) -> None:
        self._head: Row = {"item": item, "path": path.encode("utf-8", "replace").decode()}
        self._about: Row = {"page_count": None, "bytes": None, "sha256": None}

    def opened(self, page_count: int) -> None:
        """Note the number of pages."""
        self._about["page_count"] = page_count

    def loaded(self, size_bytes: int, sha256: str) -> None:
        """Note what the bytes are."""
        self._about |= {"bytes": size_bytes, "sha256": sha256}

    def page(self, document: Document, number: int) -> Row:
        """Return the row of a page; ``document`` holds this page alone."""
        body = json_format.as_mapping(document)
        page: Page = document.pages[0]
        return self._row(
            page=number,
            width=page.width,
            height=page.height,
            orientation=page.orientation,
            text=body["text"],
            lines=[{**line, "source": line.get("source", "recognised")} for line in body["lines"]],
            model=body["model"],
            seconds=round(document.timing_ms.get("total", 0.0) / 1000, _SECONDS_DIGITS),
        )

    def error(self, error: Exception, page: int | None = None) -> Row:
        """Return the row of a page that could not be read; of what ended the file, if ``page`` is None."""
        members = problem(error)
        named = {name: members.get(name) for name in ("type", "title", "status", "detail")}
        return self._row(page=page, problem=named)

    def _row(self, **values: Any) -> Row:
        return {**self._head, **self._about, **dict.fromkeys(_OPTIONAL), **values}


_OPTIONAL = ("page", "width", "height", "orientation", "text", "lines", "model", "seconds", "problem")


def schema() -> pa.Schema:
    """Return the columns of Parquet."""
    import pyarrow as pa

    line = pa.struct(
        [
            pa.field("text", pa.string()),
            pa.field("confidence", pa.float64()),
            pa.field("polygon", pa.list_(pa.list_(pa.float64()))),
            pa.field("needs_review", pa.bool_()),
            pa.field("source", pa.string()),
        ]
    )
    problem_ = pa.struct(
        [
            pa.field("type", pa.string()),
            pa.field("title", pa.string()),
            pa.field("status", pa.int32()),
            pa.field("detail", pa.string()),
        ]
    )
    return pa.schema(
        [
            pa.field("item", pa.int64(), nullable=False),
            pa.field("path", pa.string(), nullable=False),
            pa.field("page", pa.int32()),
            pa.field("page_count", pa.int32()),
            pa.field("width", pa.int32()),
            pa.field("height", pa.int32()),
            pa.field("orientation", pa.int32()),
            pa.field("text", pa.string()),
            pa.field("lines", pa.list_(line)),
            pa.field("model", pa.struct([pa.field("name", pa.string()), pa.field("digest", pa.string())])),
            pa.field("seconds", pa.float64()),
            pa.field("bytes", pa.int64()),
            pa.field("sha256", pa.string()),
            pa.field("problem", problem_),
        ]
    )


def encode(rows: Iterable[Row], part_format: PartFormat) -> bytes:
    """Return a part: its rows in the order of their items and pages."""
    ordered = sorted(rows, key=lambda row: (row["item"], row["page"] is None, row["page"] or 0))
    if part_format == "jsonl":
        return b"".join(json_format.encode(_clean(row)) + b"\n" for row in ordered)
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(map(_clean, ordered)), schema()), buffer, compression="zstd")
    return buffer.getvalue()


def decode(part: bytes, part_format: PartFormat) -> list[Row]:
    """Return the rows of a part; ValueError if it is none."""
    if part_format == "jsonl":
        return [json.loads(line) for line in part.splitlines()]
    import pyarrow.parquet as pq

    return list(pq.read_table(io.BytesIO(part)).to_pylist())


def failed_items(rows: Sequence[Row]) -> list[int]:
    """Return the numbers of the items of which a page, or all, could not be read."""
    return sorted({row["item"] for row in rows if row["problem"] is not None})


def failed_in(results: Store, name: str, part_format: PartFormat) -> list[int]:
    """Return ``failed_items`` of a part; of Parquet, only two columns are fetched. Raises OSError."""
    if part_format == "jsonl":
        return failed_items(decode(results.read(name), part_format))
    import pyarrow.parquet as pq

    with pq.ParquetFile(results.path(name), filesystem=results.arrow()) as part:
        return failed_items(part.read(columns=["item", "problem"]).to_pylist())


def _clean(row: Row) -> Row:
    """Return a row without the page that each line repeats."""
    if row["lines"] is None:
        return row
    names = ("text", "confidence", "polygon", "needs_review", "source")
    return {**row, "lines": [{name: line[name] for name in names} for line in row["lines"]]}
