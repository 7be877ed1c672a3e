"""Definition of an output format: name, media type, file suffix, renderer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ocrsvc.results import Document


@dataclass(frozen=True, slots=True)
class Rendering:
    """Optional content of an output besides the reading itself.

    ``file``: name of the input; ``characters``: whether to include every character with its position; ``request_id``:
    id of the HTTP request. A format without a field for one of them leaves it out.
    """

    file: str | None = None
    characters: bool = False
    request_id: str | None = None


PLAIN = Rendering()


class Renderer(Protocol):
    """Function from a Document to the bytes of a file."""

    def __call__(self, document: Document, rendering: Rendering = ..., /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Format:
    """One output format; ``suffix`` starts with a dot.

    ``structured``: it is made of the blocks of pages. ``whole``: the outputs of several inputs cannot be joined to one.
    """

    name: str
    media_type: str
    suffix: str
    render: Renderer
    structured: bool = False
    whole: bool = False
