"""Cross-origin requests (CORS): which pages of other sites may use the service from a browser."""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

_METHODS = ("GET", "HEAD", "POST", "DELETE")
_TAKEN = (
    "Authorization",
    "Content-Disposition",
    "Content-Type",
    "Traceparent",
    "X-API-Key",
    "X-Request-ID",
    "X-Request-Timeout",
)
_SHOWN = ("Content-Disposition", "Location", "Retry-After", "Server-Timing", "X-Request-ID")


class CrossOrigin(CORSMiddleware):
    """Allows the sites of a list, separated by commas; "*" is every site. Cookies are never sent, and none are used."""

    def __init__(self, app: ASGIApp, *, origins: str) -> None:
        allowed = [origin for each in origins.split(",") if (origin := each.strip().rstrip("/"))]
        super().__init__(
            app,
            allow_origins=allowed,
            allow_methods=_METHODS,
            allow_headers=_TAKEN,
            expose_headers=_SHOWN,
            allow_credentials=False,
            max_age=600,
        )
