"""Everything that can go wrong for a caller, in one tree; HTTP status codes follow RFC 9110, bodies RFC 9457.

    OcrError
    ├── InvalidRequest 400        the request itself is malformed (JSON, base64, multipart, missing field)
    │   └── EmptyInput 400        no bytes at all
    ├── NotFound 404              no such path
    ├── NotAcceptable 406         the Accept header names no format that we write
    ├── RequestTimeout 408        the body stopped coming
    ├── TooLarge 413              more bytes than the limit
    ├── UnsupportedMedia 415      no image or PDF that we read (sniffed, never the client's word)
    ├── HeadersTooLarge 431       more bytes of headers than the limit
    ├── Unprocessable 422         the request is well-formed but cannot be answered
    │   ├── UndecodableImage 422  looked like an image and did not decode
    │   ├── TooManyPixels 422     more pixels than the limit
    │   ├── TooManyPages 422      more pages than the limit
    │   ├── TooManyFiles 422      more files in one request than the limit
    │   ├── UnknownModel 422
    │   ├── UnknownFormat 422
    │   ├── UnknownCharset 422
    │   ├── UnusableProvider 422
    │   └── InvalidParameter 422  any other query or field value
    ├── Unavailable 503           try again later (Retry-After)
    │   ├── Saturated 503         the queue would not reach this request before its deadline
    │   └── ShuttingDown 503
    ├── DeadlineExceeded 504      accepted, but not read in time
    ├── EngineFailure 500         the recogniser failed on this line
    └── CorruptModel 500          a model folder that is not what its manifest says

Messages are for people: what was wrong, what is allowed, what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
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


class InvalidRequest(OcrError):
    """The request is malformed."""

    status, slug, title = 400, "invalid-request", "Invalid request"


class EmptyInput(InvalidRequest):
    """There were no bytes to read."""

    slug, title = "empty-input", "Empty input"


class NotFound(OcrError):
    """There is nothing at this path."""

    status, slug, title = 404, "not-found", "Not found"


class NotAcceptable(OcrError):
    """The Accept header names no format that we write."""

    status, slug, title = 406, "not-acceptable", "Not acceptable"


class RequestTimeout(OcrError):
    """The body stopped coming."""

    status, slug, title = 408, "request-timeout", "Request timeout"


class TooLarge(OcrError):
    """More bytes than the limit."""

    status, slug, title = 413, "too-large", "Too large"


class UnsupportedMedia(OcrError):
    """The bytes are not of a kind that we read."""

    status, slug, title = 415, "unsupported-media-type", "Unsupported media type"


class HeadersTooLarge(OcrError):
    """The headers have more bytes than the limit."""

    status, slug, title = 431, "headers-too-large", "Headers too large"


class Unprocessable(OcrError):
    """Well-formed, but cannot be answered."""

    status, slug, title = 422, "unprocessable", "Unprocessable"


class UndecodableImage(Unprocessable):
    """An image that did not decode."""

    slug, title = "undecodable-image", "Image cannot be decoded"


class TooManyPixels(Unprocessable):
    """More pixels than the limit."""

    slug, title = "too-many-pixels", "Too many pixels"


class TooManyPages(Unprocessable):
    """More pages than the limit."""

    slug, title = "too-many-pages", "Too many pages"


class TooManyFiles(Unprocessable):
    """More files in one request than the limit."""

    slug, title = "too-many-files", "Too many files"


class UnknownModel(Unprocessable):
    """No model of this name."""

    slug, title = "unknown-model", "Unknown model"


class UnknownFormat(Unprocessable):
    """No output format of this name."""

    slug, title = "unknown-format", "Unknown format"


class UnknownCharset(Unprocessable):
    """No character set of this name, or a set with nothing that the model can write."""

    slug, title = "unknown-charset", "Unknown charset"


class UnusableProvider(Unprocessable):
    """OCRSVC_PROVIDERS names what cannot run this model here."""

    slug, title = "unusable-provider", "Unusable provider"


class InvalidParameter(Unprocessable):
    """Any other parameter with a value that is not allowed."""

    slug, title = "invalid-parameter", "Invalid parameter"


class Unavailable(OcrError):
    """Not now: try again after ``retry_after_seconds``."""

    status, slug, title = 503, "unavailable", "Service unavailable"

    def __init__(self, detail: str, *, retry_after_seconds: int = 1, **extra: Any) -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds, **extra)
        self.retry_after_seconds = retry_after_seconds


class Saturated(Unavailable):
    """The queue would not reach this request before its deadline."""

    slug, title = "saturated", "Service saturated"


class ShuttingDown(Unavailable):
    """The service is draining."""

    slug, title = "shutting-down", "Shutting down"


class DeadlineExceeded(OcrError):
    """Accepted, but not read in time."""

    status, slug, title = 504, "deadline-exceeded", "Deadline exceeded"


class EngineFailure(OcrError):
    """The recogniser failed on this input."""

    status, slug, title = 500, "engine-failure", "Recogniser failed"


class CorruptModel(OcrError):
    """A model folder that is not what its manifest says: reinstall it."""

    slug, title = "corrupt-model", "Corrupt model"


def reason(error: Exception) -> str:
    """What another exception says, as the end of a sentence: without its own full stop."""
    return str(error).rstrip(". ") or type(error).__name__


def by_slug(slug: str) -> type[OcrError]:
    """The kind of error that has this slug; OcrError itself for one that does not exist."""
    return next((kind for kind in kinds() if kind.slug == slug), OcrError)


def kinds(root: type[OcrError] = OcrError) -> Iterator[type[OcrError]]:
    """Every kind of error, in the order of the tree."""
    yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)
