"""Choice of the output format by the Accept header."""

from __future__ import annotations

from dataclasses import dataclass

from ocrsvc.errors import NotAcceptable
from ocrsvc.formats import FORMATS, Format

DEFAULT_FORMAT = "json"

_ALIASES = {
    "application/x-ndjson": "jsonl",
    "application/x-jsonlines": "jsonl",
    "application/json-lines": "jsonl",
}
EVENTS_TYPE = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The format of an answer; ``events``: its records are sent as server-sent events."""

    format: Format
    events: bool = False


def negotiate(accept: str) -> Chosen:
    """Return what an Accept header prefers (RFC 9110, 12.5.1), or JSON if it has no preference.

    Raises NotAcceptable if the header names media types and none of them is offered.
    """
    accepted = sorted(_accepted(accept), key=lambda entry: -entry[1])
    for media_type, quality in accepted:
        if quality <= 0:
            continue
        if media_type in ("*/*", "application/*"):
            return Chosen(FORMATS[DEFAULT_FORMAT])
        if media_type == EVENTS_TYPE:
            return Chosen(FORMATS["jsonl"], events=True)
        if media_type in _ALIASES:
            return Chosen(FORMATS[_ALIASES[media_type]])
        for each in FORMATS.values():
            own = each.media_type.partition(";")[0]
            if media_type in (own, own.partition("/")[0] + "/*"):
                return Chosen(each)
    if not accepted:
        return Chosen(FORMATS[DEFAULT_FORMAT])
    offered = [*(each.media_type.partition(";")[0] for each in FORMATS.values()), EVENTS_TYPE]
    raise NotAcceptable(f"The Accept header names none of {', '.join(offered)}.", allowed=offered)


def _accepted(accept: str) -> list[tuple[str, float]]:
    """Return the media types of an Accept header with their quality values."""
    accepted = []
    for part in accept.split(","):
        media_type, *attributes = (piece.strip().lower() for piece in part.split(";"))
        if not media_type:
            continue
        quality = 1.0
        for attribute in attributes:
            if attribute.startswith("q="):
                try:
                    quality = float(attribute[2:])
                except ValueError:
                    quality = 0.0
        accepted.append((media_type, quality))
    return accepted
