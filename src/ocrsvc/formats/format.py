"""Definition of an output format: name, media type, file suffix, renderer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from ocrsvc.results import Document

# The smallest parts of a page that an answer names, in json and jsonl beside the lines. Formats that always have words
# (tsv, hocr, alto) have them with `line` and `char`, too.
Granularity = Literal["line", "word", "char"]


@dataclass(frozen=True, slots=True)
class Rendering:
    """Optional content of an output besides the reading itself.

    ``file``: name of the input; ``request_id``: id of the HTTP request; ``granularity``: the smallest parts that have
    a place of their own. ``source``: bytes of the input, for formats that need them (``Format.needs_source``), and its
    ``password`` if it is an encrypted PDF. A format without a field for one of them leaves it out.
    """

    file: str | None = None
    request_id: str | None = None
    granularity: Granularity = "line"
    source: bytes | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def words(self) -> bool:
        """Return whether the words of each line are named."""
        return self.granularity == "word"

    @property
    def characters(self) -> bool:
        """Return whether the characters of each line are named."""
        return self.granularity == "char"


PLAIN = Rendering()


class Renderer(Protocol):
    """Function from a Document to the bytes of a file."""

    def __call__(self, document: Document, rendering: Rendering = ..., /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Format:
    """One output format; ``suffix`` starts with a dot.

    ``structured``: it is made of the blocks of pages. ``needs_source``: it contains the input itself. ``whole``: the
    outputs of several inputs cannot be joined to one. ``binary``: it is no text, so that a browser should store it and
    a terminal not show it.
    """

    name: str
    media_type: str
    suffix: str
    render: Renderer
    structured: bool = False
    needs_source: bool = False
    whole: bool = False
    binary: bool = False
