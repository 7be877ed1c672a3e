"""Rows of the job store as values, and errors as the problems that it keeps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ocrsvc.errors import JobStoreUnavailable, OcrError
from ocrsvc.jobs import page_codec
from ocrsvc.jobs.job import Job
from ocrsvc.results import Document

_FAULT = "The service failed on this; its log has the cause."
SELECT_JOB = (
    "SELECT id, state, orders, created, started, ended, pages_total, pages_read, pages_failed, problem,"
    " input_bytes, result_bytes FROM jobs WHERE id = ?"
)


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page as it is kept: ``content`` for ``page_codec.unpack``, or the ``problem`` of a page that failed."""

    number: int
    content: bytes | None
    problem: dict[str, Any] | None

    def document(self) -> Document:
        """Return the page; ValueError if it could not be read."""
        if self.content is None:
            raise ValueError(f"page {self.number} has a problem")
        return page_codec.unpack(self.content)


def job(row: tuple[Any, ...]) -> Job:
    """Return the job of a row of ``SELECT_JOB``."""
    number, state, orders, *times_and_counts, problem_text, input_bytes, result_bytes = row
    created, started, ended, total, read, failed = times_and_counts
    return Job(
        number,
        state,
        page_codec.unpack_order(orders),
        created,
        started,
        ended,
        total,
        read,
        failed,
        json.loads(problem_text) if problem_text is not None else None,
        input_bytes,
        result_bytes,
    )


def page(row: tuple[int, bytes | None, str | None]) -> StoredPage:
    """Return a stored page."""
    number, content, problem_text = row
    return StoredPage(number, content, json.loads(problem_text) if problem_text is not None else None)


def problem(error: Exception) -> dict[str, Any]:
    """Return an error as the members of a problem document that stay true; of a fault of the service only its kind."""
    if not isinstance(error, OcrError):
        error = OcrError(_FAULT)
    elif type(error) is not OcrError and error.status == OcrError.status:
        error = type(error)(_FAULT)
    return error.members()


def unavailable(error: OSError) -> JobStoreUnavailable:
    """Return the error of a folder in which the store cannot make its lock."""
    return JobStoreUnavailable(f"The job store cannot be used: {error.strerror}.", retry_after_seconds=5)
