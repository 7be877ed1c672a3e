"""What a job is: a document that is read without a client who waits, and how far it has come."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

from ocrsvc.formats import Granularity
from ocrsvc.reading.reading import ReadOptions

State = Literal["queued", "running", "done", "failed"]
STATES: tuple[State, ...] = ("queued", "running", "done", "failed")
_ID_BYTES = 18  # of randomness; whoever knows an id may fetch the text, so ids must not be guessable


def new_id() -> str:
    """Return the id of a new job, 24 characters that are safe in a URL."""
    return secrets.token_urlsafe(_ID_BYTES)


@dataclass(frozen=True, slots=True)
class Order:
    """What a client asks for. ``format`` and ``granularity`` are the defaults for fetching the result.

    ``keep_document``: the document is kept as long as the result, because the result contains it. ``file``: its name.
    ``contract``: what a contract of another service needs to answer, in plain values; ``name`` says which. Empty for
    our own. ``key``: the name of the API key that sent the job; "" if anybody may see it.
    """

    options: ReadOptions
    format: str
    granularity: Granularity = "line"
    keep_document: bool = False
    file: str = ""
    contract: dict[str, Any] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One job as the store knows it; times in seconds since 1970, None for what has not happened.

    ``pages_total`` is known once the document has been opened. ``problem``: why the job failed, as members of a problem
    document. ``input_bytes`` and ``result_bytes`` are what it holds in the store.
    """

    id: str
    state: State
    order: Order
    created: float
    started: float | None
    ended: float | None
    pages_total: int | None
    pages_read: int
    pages_failed: int
    problem: dict[str, Any] | None
    input_bytes: int
    result_bytes: int

    @property
    def is_over(self) -> bool:
        """Return whether nothing will change any more."""
        return self.state in ("done", "failed")


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this process reads now; ``known``: numbers of the pages that have been read already."""

    id: str
    order: Order
    data: bytes
    known: frozenset[int]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a store. ``keep_seconds``: how long a job stays after its end."""

    max_bytes: int
    max_jobs: int
    keep_seconds: float
