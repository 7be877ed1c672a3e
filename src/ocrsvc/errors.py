"""All errors that a caller may see, in one tree; HTTP status codes follow RFC 9110, bodies RFC 9457.

    OcrError
    ├── InvalidRequest 400        the request itself is malformed (JSON, base64, multipart, missing field)
    │   └── EmptyInput 400        no bytes at all
    ├── Unauthorized 401          no API key, or an unknown one
    ├── NotFound 404              no such path
    ├── NotAcceptable 406         the Accept header names no format that we write
    ├── RequestTimeout 408        the body did not arrive in time
    ├── Conflict 409              the resource is not in a state for this
    │   ├── JobUnfinished 409     there is no whole result yet
    │   ├── JobFailed 409         there is no result
    │   └── DocumentNotKept 409   the result would contain the document, which has been deleted
    ├── TooLarge 413              more bytes than the limit
    ├── UnsupportedMedia 415      not an image or PDF that we read (detected from the bytes alone)
    ├── HeadersTooLarge 431       more bytes of headers than the limit
    ├── Unprocessable 422         the request is well-formed but cannot be answered
    │   ├── UndecodableImage 422  looks like an image but cannot be decoded
    │   │   ├── PasswordRequired 422  an encrypted PDF came without its password
    │   │   └── WrongPassword 422
    │   ├── UnmodifiablePdf 422   a PDF to which no text can be added
    │   ├── TooManyPixels 422     more pixels than the limit
    │   ├── TooManyPages 422      more pages than the limit
    │   ├── TooManyFiles 422      more files in one request than the limit
    │   ├── UnknownModel 422
    │   ├── UnknownFormat 422
    │   ├── UnknownCharset 422
    │   ├── UnusableProvider 422
    │   └── InvalidParameter 422  any other query or field value
    ├── TooManyRequests 429       more requests of one API key than the limit (Retry-After)
    ├── Unavailable 503           try again later (Retry-After)
    │   ├── Saturated 503         the queue would not reach this request before its deadline
    │   ├── ShuttingDown 503
    │   ├── JobStoreFull 503      no room for another job
    │   └── JobStoreUnavailable 503
    ├── DeadlineExceeded 504      accepted, but not read in time
    ├── EngineFailure 500         the recogniser failed on this line
    │   ├── RunTooLong 500        a run of a model was ended because it took too long
    │   └── WorkerKilled 500      in bulk: the processes that read this file were killed
    └── CorruptModel 500          a model folder does not match its manifest

Messages are for people: what was wrong, what is allowed, what to do.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar


class OcrError(Exception):
    """Base of all errors that a caller may see.

    ``detail`` is one sentence for a person; ``extra`` holds machine-readable members of the problem document.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra

    def members(self) -> dict[str, Any]:
        """Return the members of a problem document; ``extra`` never replaces one of the standard ones."""
        standard = {
            "type": f"/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        return standard | {key: value for key, value in self.extra.items() if key not in standard}


class InvalidRequest(OcrError):
    """The request is malformed."""

    status, slug, title = 400, "invalid-request", "Invalid request"


class EmptyInput(InvalidRequest):
    """There were no bytes to read."""

    slug, title = "empty-input", "Empty input"


class Unauthorized(OcrError):
    """The service needs an API key, and the request has none or an unknown one."""

    status, slug, title = 401, "unauthorized", "Unauthorized"

    def __init__(self, detail: str, *, offered: bool = False, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.offered = offered


class NotFound(OcrError):
    """There is nothing at this path."""

    status, slug, title = 404, "not-found", "Not found"


class NotAcceptable(OcrError):
    """The Accept header names no format that we write."""

    status, slug, title = 406, "not-acceptable", "Not acceptable"


class RequestTimeout(OcrError):
    """The body did not arrive in time."""

    status, slug, title = 408, "request-timeout", "Request timeout"


class Conflict(OcrError):
    """The resource is not in a state in which this is possible."""

    status, slug, title = 409, "conflict", "Conflict"


class JobUnfinished(Conflict):
    """The job is queued or running, so that there is no whole result yet."""

    slug, title = "job-unfinished", "Job unfinished"


class JobFailed(Conflict):
    """The job has failed, so that there is no result; ``problem`` says why."""

    slug, title = "job-failed", "Job failed"


class DocumentNotKept(Conflict):
    """This format contains the document, which is deleted once the job is done unless the job was sent with it."""

    slug, title = "document-not-kept", "Document not kept"


class TooLarge(OcrError):
    """The input has more bytes than the limit."""

    status, slug, title = 413, "too-large", "Too large"


class UnsupportedMedia(OcrError):
    """The bytes are not in a format that can be read."""

    status, slug, title = 415, "unsupported-media-type", "Unsupported media type"


class HeadersTooLarge(OcrError):
    """The headers have more bytes than the limit."""

    status, slug, title = 431, "headers-too-large", "Headers too large"


class Unprocessable(OcrError):
    """The request is well-formed but cannot be answered."""

    status, slug, title = 422, "unprocessable", "Unprocessable"


class UndecodableImage(Unprocessable):
    """The image cannot be decoded."""

    slug, title = "undecodable-image", "Image cannot be decoded"


class PasswordRequired(UndecodableImage):
    """The PDF is encrypted: send its password, too."""

    slug, title = "password-required", "Password required"


class WrongPassword(UndecodableImage):
    """The password does not open the PDF."""

    slug, title = "wrong-password", "Wrong password"


class UnmodifiablePdf(Unprocessable):
    """No text can be added: the PDF is signed, protected or too damaged. Ask for another format."""

    slug, title = "unmodifiable-pdf", "PDF cannot be changed"


class TooManyPixels(Unprocessable):
    """The picture has more pixels than the limit."""

    slug, title = "too-many-pixels", "Too many pixels"


class TooManyPages(Unprocessable):
    """The document has more pages than the limit."""

    slug, title = "too-many-pages", "Too many pages"


class TooManyFiles(Unprocessable):
    """The request has more files than the limit."""

    slug, title = "too-many-files", "Too many files"


class UnknownModel(Unprocessable):
    """There is no model of this name."""

    slug, title = "unknown-model", "Unknown model"


class UnknownFormat(Unprocessable):
    """There is no output format of this name."""

    slug, title = "unknown-format", "Unknown format"


class UnknownCharset(Unprocessable):
    """There is no character set of this name, or the model can write none of its characters."""

    slug, title = "unknown-charset", "Unknown charset"


class UnusableProvider(Unprocessable):
    """OCRSVC_PROVIDERS names an execution provider that cannot run this model on this machine."""

    slug, title = "unusable-provider", "Unusable provider"


class InvalidParameter(Unprocessable):
    """Another parameter has a value that is not allowed."""

    slug, title = "invalid-parameter", "Invalid parameter"


class TooManyRequests(OcrError):
    """The API key has used up its share: try again after ``retry_after_seconds``."""

    status, slug, title = 429, "too-many-requests", "Too many requests"

    def __init__(self, detail: str, *, retry_after_seconds: int = 1, **extra: Any) -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds, **extra)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(OcrError):
    """The request cannot be served now: try again after ``retry_after_seconds``."""

    status, slug, title = 503, "unavailable", "Service unavailable"

    def __init__(self, detail: str, *, retry_after_seconds: int = 1, **extra: Any) -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds, **extra)
        self.retry_after_seconds = retry_after_seconds


class Saturated(Unavailable):
    """The queue would not reach this request before its deadline."""

    slug, title = "saturated", "Service saturated"


class ShuttingDown(Unavailable):
    """The service is shutting down."""

    slug, title = "shutting-down", "Shutting down"


class JobStoreFull(Unavailable):
    """The service keeps as many jobs, or as many bytes of them, as it may."""

    slug, title = "job-store-full", "Job store full"


class JobStoreUnavailable(Unavailable):
    """The file or database in which jobs are kept cannot be used; other requests are answered.

    ``cause`` is what the log and ``ocrsvc doctor`` say, which may name a host; never a password.
    """

    slug, title = "job-store-unavailable", "Job store unavailable"

    def __init__(self, detail: str, *, cause: str = "", **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.cause = cause or detail


class DeadlineExceeded(OcrError):
    """The request was accepted but not finished in time."""

    status, slug, title = 504, "deadline-exceeded", "Deadline exceeded"


class EngineFailure(OcrError):
    """The recogniser failed on this input."""

    status, slug, title = 500, "engine-failure", "Recogniser failed"


class RunTooLong(EngineFailure):
    """A run of a model took longer than OCRSVC_RUN_SECONDS and was ended."""

    slug, title = "run-too-long", "Run too long"


class WorkerKilled(EngineFailure):
    """Bulk: each process that read this file crashed or was killed, so that it is not read again."""

    slug, title = "worker-killed", "Worker killed"


class CorruptModel(OcrError):
    """A model folder does not match its manifest: reinstall it."""

    slug, title = "corrupt-model", "Corrupt model"


def reason(error: Exception) -> str:
    """Return the message of another exception without its full stop, to end a sentence with."""
    return str(error).rstrip(". ") or type(error).__name__


def by_slug(slug: str) -> type[OcrError]:
    """Return the class of error with this slug; OcrError if there is none."""
    return next((kind for kind in kinds() if kind.slug == slug), OcrError)


def kinds(root: type[OcrError] = OcrError) -> Iterator[type[OcrError]]:
    """Yield every class of error, in the order of the tree."""
    yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)


def problem(error: Exception) -> dict[str, Any]:
    """Return one file's error as the members of an HTTP problem document (RFC 9457)."""
    if isinstance(error, OcrError):
        return error.members()
    if isinstance(error, OSError):
        return {"type": "/problems/unreadable-file", "title": "Unreadable file", "detail": message(error)}
    return OcrError(message(error)).members()


def message(error: Exception) -> str:
    """Return one file's error as one line of text."""
    if isinstance(error, OcrError):
        text = error.detail
    elif isinstance(error, OSError):
        text = error.strerror or str(error)
    else:
        text = f"a fault of ocrsvc, please report it: {type(error).__name__}: {error} {_place(error)}"
    return " ".join(text.split())


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
