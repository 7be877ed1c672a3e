"""What a contract of another service is, and what several of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ocrsvc.errors import InvalidRequest
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Document, Polygon

Members = Mapping[str, Any]  # form fields or JSON members of a request, without its picture

# Languages (ISO 639-1 and the names of Tesseract) in scripts that no model of ours reads.
_UNREAD = (
    ",am,ar,as,be,bg,bn,dv,el,fa,gu,he,hi,hy,ka,km,kn,ko,lo,mk,ml,mn,mr,my,ne,or,pa,ps,ru,sa,sd,si,ta,te,th,ti,uk,ur,"
    "yi,ara,bul,ell,fas,heb,hin,kor,rus,tam,tel,tha,ukr,urd,"
)


@dataclass(frozen=True, slots=True)
class Sent:
    """What is known about one request: its ``members``, the ``kind`` and the name of its file (``pages.kinds``).

    ``began``: when the reading began, in seconds since 1970, and ``seconds``, how long it took.
    """

    members: Members
    kind: str
    file: str = ""
    request_id: str = ""
    began: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a contract says that something is wrong: its status, and members beside those of our problem document."""

    status: int
    members: Members = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contract:
    """One way to ask for the text of one file, and to answer.

    ``pictures``: form fields or JSON members that may hold the file; none if it is the body itself. ``options``: what
    a request asks for, from the options that it would have without its members. ``refuse`` gets our problem document.
    """

    pictures: tuple[str, ...]
    options: Callable[[ReadOptions, Members], ReadOptions]
    answer: Callable[[Document, Sent], Any]
    refuse: Callable[[Members], Refusal]


def box_of(polygon: Polygon, scale: float = 1.0) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a polygon."""
    across, down = [x * scale for x, _ in polygon], [y * scale for _, y in polygon]
    return min(across), min(down), max(across), max(down)


def without_empty_lines(document: Document) -> Document:
    """Return a document in which each line has text: ours may have an empty one where a picture is read as a line."""
    if all(line.text.strip() for line in document.lines):
        return document
    blocks = []
    for block in document.blocks:
        rows = (tuple(line for line in row if line.text.strip()) for row in block.rows)
        if kept := tuple(row for row in rows if row):
            blocks.append(replace(block, rows=kept))
    lines = tuple(line for line in document.lines if line.text.strip())
    return replace(document, lines=lines, blocks=tuple(blocks))


def check_language(name: str) -> None:
    """Raise InvalidRequest for a language whose script is not read, because its text would be wrong throughout."""
    for each in name.lower().replace("+", ",").split(","):
        code = each.strip().partition("-")[0]
        if code and f",{code}," in _UNREAD:
            raise InvalidRequest(
                f"The language {each.strip()[:20]!r} is not read: only Chinese, and languages in the Latin script."
            )


def is_set(members: Members, name: str) -> bool | None:
    """Return a flag of a form or of JSON; None if it is absent or neither true nor false."""
    text = str(members.get(name, "")).strip().lower()
    return {"true": True, "1": True, "false": False, "0": False}.get(text)
