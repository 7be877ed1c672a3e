"""What a format is: a name, a media type, a file suffix and a renderer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ocrsvc.results import Document


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a caller wants to see beside the reading itself.

    ``file`` is the name that the input had, ``characters`` asks for every character with its place,
    ``request_id`` names the HTTP request. A format without a place for one of them leaves it out.
    """

    file: str | None = None
    characters: bool = False
    request_id: str | None = None


PLAIN = Rendering()


class Renderer(Protocol):
    """Turns a Document into the bytes of a file."""

    def __call__(self, document: Document, rendering: Rendering = ..., /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Format:
    """One output format; ``suffix`` starts with a dot."""

    name: str
    media_type: str
    suffix: str
    render: Renderer
