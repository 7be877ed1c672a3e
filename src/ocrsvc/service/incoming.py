"""Steps shared by both reading routes: apply the request limit, receive the body, check the parameters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from starlette.requests import Request

from ocrsvc.service import parameters, uploads
from ocrsvc.service.parameters import Parameters
from ocrsvc.service.pictures import Picture, UploadLimits
from ocrsvc.service.record import record_of
from ocrsvc.service.state import service_of


class Incoming(NamedTuple):
    """Pictures of a request, not yet decoded, and its checked parameters.

    ``foreign``: the other members of a request after the contract of another service.
    """

    pictures: tuple[Picture, ...]
    parameters: Parameters
    foreign: Mapping[str, Any]


@asynccontextmanager
async def incoming(
    request: Request,
    *,
    names: Sequence[str],
    limits: UploadLimits,
    foreign: Sequence[str] = (),
    can_wait: bool = False,
) -> AsyncIterator[Incoming]:
    """Receive a request; until the block ends, it counts against the request limit and its files are kept.

    ``names`` are the form fields and JSON members that may hold pictures, ``foreign`` those of the contract of another
    service. ``can_wait``: the pictures need not be read at once. Raises Unavailable before the models are loaded,
    Saturated at the request limit or, unless it ``can_wait``, if the queue is full, and the errors of uploads.receive
    and parameters.parse.
    """
    service = service_of(request)
    service.check_open()
    record = record_of(request.scope)
    if not can_wait:
        service.check_room(record.client)
    with service.request_limit.enter(record.client) as received:
        with record.stage("receive"):
            upload = await uploads.receive(
                request,
                names=names,
                limits=limits,
                received=received,
                pool=service.pool,
                foreign=foreign,
            )
        try:
            received.begin()
            checked = parameters.parse(
                request.query_params,
                upload.fields,
                request.headers,
                models=[manifest.name for manifest in service.manifests],
                deadline_seconds=service.settings.deadline_seconds,
            )
            yield Incoming(upload.pictures, checked, upload.foreign)
        finally:
            await upload.close()
