"""Shapes of the records of a streamed answer, and of jobs, for the OpenAPI document."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import ConfigDict, Field

from ocrsvc.service.schemas import FailureShape, LineShape, ModelIdShape, PageShape, ProblemShape, Shape

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
JOB_STATES: tuple[str, ...] = get_args(JobState)


class PageRecordShape(Shape):
    """One record of a streamed answer: a page, or the error of a page."""

    page: int = Field(ge=1, description="Number of the page.")
    page_count: int = Field(ge=1, description="Number of pages of the whole answer.")
    text: str | None = None
    lines: list[LineShape] | None = None
    pages: list[PageShape] | None = Field(None, description="This page alone.")
    model: ModelIdShape | None = None
    timing_ms: dict[str, float] | None = None
    request_id: str | None = None
    error: ProblemShape | None = None


class LastRecordShape(Shape):
    """Last record of a streamed answer, which says how it ended."""

    done: bool = Field(description="Whether every page was read or has its own error.")
    page_count: int | None = Field(ge=1, description="null for a job whose document was not opened yet.")
    pages_read: int
    pages_failed: int
    request_id: str
    state: JobState | None = Field(None, description="Of the result of a job: its state.")
    error: ProblemShape | None = Field(None, description="What ended the reading early.")


class JobPagesShape(Shape):
    """How far a job has come."""

    total: int | None = Field(description="Number of pages; null until the document has been opened.")
    read: int = Field(ge=0)
    failed: int = Field(ge=0, description="Pages that could not be read; the result has their problems.")


class JobShape(Shape):
    """One job."""

    id: str = Field(description="Whoever knows it may fetch the text, so keep it secret.")
    state: JobState = Field(description="cancelled: only in the last event of a job that was deleted.")
    pages: JobPagesShape | None = None
    created: str | None = Field(None, description="Time in UTC (RFC 3339).")
    started: str | None = None
    ended: str | None = None
    problem: FailureShape | None = Field(None, description="Why the job failed (RFC 9457).")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "Zk3vT0mU5wq1",
                    "state": "running",
                    "pages": {"total": 120, "read": 37, "failed": 1},
                    "created": "2026-11-27T10:15:00.120Z",
                    "started": "2026-11-27T10:15:01.004Z",
                    "ended": None,
                }
            ]
        }
    )
