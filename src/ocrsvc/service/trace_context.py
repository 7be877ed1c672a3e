"""W3C Trace Context: the ``traceparent`` header, which joins the log lines and spans of one request across services.

https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

# Later versions may add fields behind these four. 64 more characters are enough for them.
_HEADER = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<span>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<rest>-[ -~]{0,64})?"
)
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Place of a request in a trace; ``span_id`` is this service's part, ``parent_id`` the caller's, ids in hex."""

    trace_id: str
    span_id: str
    parent_id: str
    sampled: bool

    @property
    def header(self) -> str:
        """Return the ``traceparent`` of what belongs to this service's part."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"


def parse(headers: Sequence[str]) -> TraceContext | None:
    """Return the context that a request continues, with a new ``span_id``; None without one valid header."""
    found = _HEADER.fullmatch(headers[0]) if len(headers) == 1 else None
    if found is None or (found["version"] == "00" and found["rest"]):
        return None
    sampled = bool(int(found["flags"], 16) & _SAMPLED)
    return TraceContext(found["trace"], secrets.token_hex(8), found["span"], sampled)
