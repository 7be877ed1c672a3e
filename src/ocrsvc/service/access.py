"""ASGI middleware that lets requests in: checks the API key, and says who the client is.

Without keys every request is let in, and the client is its address.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from ocrsvc.errors import OcrError, TooManyRequests, Unauthorized
from ocrsvc.service import problems
from ocrsvc.service.api_keys import ApiKeys
from ocrsvc.service.key_limits import KeyLimits
from ocrsvc.service.record import record_of

# What needs no key: probes, the web page, which asks for the key, and what describes the interface. No user data.
OPEN_PATHS = frozenset(
    {"/", "/livez", "/readyz", "/startupz", "/health", "/favicon.ico", "/docs", "/openapi.json"}
)
OPEN_FOLDERS = ("/static/", "/docs/", "/problems/")
# Results of PaddleOCR's jobs, whose clients fetch them without their key: whoever knows the id of the job may.
OPEN_RESULTS = re.compile(r"/api/v2/ocr/jobs/[^/]+/result\.jsonl")
_COUNTED = ("POST", "PUT")  # methods that a key's limits count

_MISSING = "This service needs an API key: send it as `Authorization: Bearer KEY` or as `X-API-Key: KEY`."
_BEARER = b"bearer "


class Access:
    """Answers 401 without a valid key and 429 beyond a key's limits; sets the record's ``client`` and ``key``."""

    def __init__(self, app: ASGIApp, *, keys: ApiKeys, limits: KeyLimits) -> None:
        self._app = app
        self._keys = keys
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = record_of(scope)
        if not self._keys.required:
            record.client = (scope.get("client") or ("",))[0]
        elif not is_open(scope["path"]):
            try:
                record.client = record.key = self._admitted(scope["headers"])
                if scope["method"] in _COUNTED:
                    with self._limits.enter(record.client):
                        await self._app(scope, receive, send)
                    return
            except (Unauthorized, TooManyRequests) as error:
                await _refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _admitted(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        offered = key_in(headers)
        if not offered:
            raise Unauthorized(_MISSING)
        client = self._keys.client(offered)
        if client is None:
            raise Unauthorized("The API key is not known to this service.", offered=True)
        return client


async def _refuse(error: OcrError, scope: Scope, receive: Receive, send: Send) -> None:
    record = record_of(scope)
    record.fail(error.slug, error)
    await problems.response(error, instance=scope["path"], request_id=record.request_id)(scope, receive, send)


def is_open(path: str) -> bool:
    """Return whether a path needs no key."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS) or OPEN_RESULTS.fullmatch(path) is not None


def key_in(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the key that a request offers, or "": a Bearer token first, because a proxy may use other schemes."""
    offered = ""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == _BEARER:
            return value[7:].strip().decode("latin-1")
        if name == b"x-api-key":
            offered = value.strip().decode("latin-1")
    return offered


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a service that listens on ``host``."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:  # opening the port will say what is wrong
        return False
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)
