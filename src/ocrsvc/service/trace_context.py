"""W3C Trace Context: a request's place in a trace, taken from ``traceparent`` and given back with our own span.

https://www.w3.org/TR/trace-context/. The service records no spans: its log and the answer have the ids, by which a
tracing system finds them.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The trace, the span of the caller, and the span of this request."""

    trace_id: str
    parent_id: str
    span_id: str
    flags: str

    @property
    def header(self) -> str:
        """Return the ``traceparent`` of the answer."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def parse(header: str) -> TraceContext | None:
    """Return the context of a request; None if the header is missing or wrong, which must not matter."""
    found = _TRACEPARENT.fullmatch(header.strip())
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or trace_id == _NO_TRACE or parent_id == _NO_SPAN:
        return None
    return TraceContext(trace_id, parent_id, secrets.token_hex(8), flags)
