"""Options of one call, as keyword arguments, and the ReadOptions made of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from ocrsvc.errors import InvalidParameter
from ocrsvc.results import Layout
from ocrsvc.text import nearest

if TYPE_CHECKING:
    from ocrsvc.reading.reading import ReadOptions


class Options(TypedDict, total=False):
    """Keyword arguments of a call; all have defaults.

    ``mode``: ``line`` for a picture of a single line, ``page`` to find the lines, ``auto`` (default) by its shape.
    ``charset``: allowed characters, such as ``digits`` or ``chars:0123X``. ``pages``: of a document, such as
    ``1-3,7``. ``orientation``: clockwise angle by which pages have to be turned to be upright, or ``auto`` (default).
    ``layout``: how ``text`` is laid out. ``structured``: find paragraphs and tables, which ``to_markdown`` and the
    like need, in 70 ms a page (default: True). ``n_best``: number of alternatives of lines and characters.
    ``review_threshold``: confidence below which a line ``needs_review``. ``pdf_text`` and ``password``: of a PDF.
    ``regions``, ``ignore``: lists of dicts as in docs/fields.md. ``deadline_seconds``: longest time of the call.
    """

    mode: Literal["auto", "line", "page"]
    charset: str | None
    charset_mode: Literal["force", "report"]
    pages: str | None
    orientation: Literal["auto", 0, 90, 180, 270]
    layout: Layout
    structured: bool
    n_best: int
    review_threshold: float | None
    pdf_text: Literal["auto", "never", "always"]
    password: str | None
    regions: Sequence[Mapping[str, Any]]
    ignore: Sequence[Mapping[str, Any]]
    deadline_seconds: float | None


def check_names(options: Iterable[str], known: Collection[str]) -> None:
    """Raise InvalidParameter for a name that is not known, with the nearest one that is."""
    for name in options:
        if name not in known:
            near = nearest(name, known)
            hint = f"; is {near} meant?" if near else f"; use {', '.join(known)}."
            raise InvalidParameter(f"There is no option {name!r}{hint}")


def read_options(options: Options) -> ReadOptions:
    """Return the options of a reading; InvalidParameter names what is wrong, and the nearest name of an option."""
    from ocrsvc.fields.region import parse_areas, parse_regions
    from ocrsvc.reading.reading import ReadOptions

    check_names(options, Options.__annotations__)
    for name, allowed in _CHOICES.items():
        if name in options and options[name] not in allowed:  # type: ignore[literal-required]
            raise InvalidParameter(f"{name} must be one of {', '.join(map(str, allowed))}.")
    given: dict[str, Any] = {"structured": True, **options}
    turn = given.pop("orientation", "auto")
    given["orientation"] = None if turn == "auto" else turn
    if "regions" in given:
        given["regions"] = parse_regions(json.dumps([*given["regions"]]))
    if "ignore" in given:
        given["ignore"] = parse_areas(json.dumps([*given["ignore"]]))
    return ReadOptions(**given)


_CHOICES: Mapping[str, tuple[object, ...]] = {
    "mode": ("auto", "line", "page"),
    "charset_mode": ("force", "report"),
    "orientation": ("auto", 0, 90, 180, 270),
    "layout": ("lines", "rows", "paragraphs", "tables", "raw"),
    "pdf_text": ("auto", "never", "always"),
}
