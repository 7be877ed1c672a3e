"""Refuses readings for which there is no room by their headers alone, before the application sees them.

Under three times the load that the service can bear, two of three requests are refused, and what their refusals cost
is missing for the third. The application's own refusals cost twice as much.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from starlette.datastructures import Headers
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ocrsvc.errors import OcrError, Saturated
from ocrsvc.service import problems
from ocrsvc.service.access import key_in
from ocrsvc.service.middleware import added_headers, write_down
from ocrsvc.service.record import RequestRecord, open_record
from ocrsvc.service.state import Service

RawHeaders = Sequence[tuple[bytes, bytes]]
_METHOD, _PATH = "POST", "/api/ocr"


class Door:
    """Looks at the heads of requests. Belongs to the event loop of its service.

    ``trusted_hosts``: the proxies whose ``X-Forwarded-For`` is believed, as uvicorn takes them.
    """

    def __init__(self, service: Service, trusted_hosts: Sequence[str] | str) -> None:
        self._service = service
        # The application adds to each answer what only it knows.
        self._open = service.tracing is None and not service.settings.cors_origins
        self._proxies = ProxyHeadersMiddleware(
            _nothing,
            trusted_hosts if isinstance(trusted_hosts, str) else list(trusted_hosts),
        )

    def refusal(
        self,
        method: bytes,
        path: bytes,
        headers: RawHeaders,
        client: tuple[str, int] | None,
        *,
        always: RawHeaders = (),
    ) -> bytes | None:
        """Return a whole HTTP/1.1 answer with 503 to a request that must be refused, else None.

        None means that the application shall decide, which refuses as much, but later. ``client``: address and port
        that the request comes from. ``always``: headers of all answers of the server.
        """
        if not self._open or path != _PATH.encode() or method != _METHOD.encode():
            return None
        began = time.perf_counter()
        keys = self._service.keys
        name = keys.client(key_in(headers)) if keys.required else self._address(headers, client)
        if name is None:
            return None
        try:
            self._service.request_limit.check_room(name)
            self._service.check_room(name)
        except Saturated as error:
            key = name if keys.required else ""
            record = replace(open_record(Headers(raw=list(headers))), client=name, key=key)
            return self._answer(error, record, began, always)
        except OcrError:
            return None
        return None

    def _address(self, headers: RawHeaders, client: tuple[str, int] | None) -> str:
        scope: Any = {"type": "http", "scheme": "http", "client": client, "headers": headers}
        with suppress(StopIteration):  # it awaits nothing
            self._proxies(scope, _nothing, _nothing).send(None)
        return (scope["client"] or ("",))[0]

    def _answer(self, error: Saturated, record: RequestRecord, began: float, always: RawHeaders) -> bytes:
        record.fail(error.slug, error)
        problem = problems.describe(error)
        own = [(name.encode(), value.encode()) for name, value in problem.headers.items()]
        answer = problems.message(
            problem,
            [*own, *always, *added_headers(record, began)],
            instance=_PATH,
            request_id=record.request_id,
        )
        write_down(self._service.metrics, _METHOD, _PATH, problem.status, time.perf_counter() - began, record)
        return answer


async def _nothing(*_: Any) -> Any:
    """Stand for an application: what matters is the scope that it gets."""
