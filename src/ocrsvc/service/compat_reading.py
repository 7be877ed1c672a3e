"""Reads files for clients of other services: our limits and deadlines, and answers as their contract has it."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from ocrsvc.compat.contract import Contract, Members, Refusal, Sent, without_empty_lines
from ocrsvc.errors import InvalidParameter, InvalidRequest, OcrError
from ocrsvc.pages.kinds import sniff
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.service import body, parameters, problems, uploads
from ocrsvc.service.connection import unless_gone
from ocrsvc.service.pictures import Picture, Upload, UploadLimits, file_name
from ocrsvc.service.record import record_of
from ocrsvc.service.request_limit import ReceivedBody
from ocrsvc.service.state import Service, service_of
from ocrsvc.service.writing import written

# Our parameters that say what an answer contains, which here the contract does.
_NOT_IN_QUERY = ("format", "granularity", "characters", "n_best", "regions")


async def read(request: Request, contracts: Sequence[Contract]) -> Response:
    """Return the answer to a request after one of these contracts, which differ in the member with the picture.

    A request that fits none of them is refused as the first one does it.
    """
    service = service_of(request)
    names = [name for contract in contracts for name in contract.pictures]
    contract = contracts[0]
    try:
        service.check_room(record_of(request.scope).client)
        async with received(request, names, service.one_file) as (picture, members):
            contract = next(each for each in contracts if picture.member in (each.pictures or ("",)))
            return await answer(request, contract, picture, members, options_of(request, service))
    except OcrError as error:
        return refused(request, contract.refuse, error)


async def answer(
    request: Request, contract: Contract, picture: Picture, members: Members, options: ReadOptions
) -> Response:
    """Read one file and return the answer of its contract; errors are answered as the contract does it."""
    service, record = service_of(request), record_of(request.scope)
    began, clock = time.time(), time.perf_counter()
    try:
        asked = contract.options(options, members)
        data = await picture.load(service.pool, limit_bytes=service.settings.max_body_bytes)
        kind = sniff(data)
        work = service.read(Picture(picture.name, data), asked, client=record.client, log=record.stage_log)
        document = await unless_gone(work, request.receive, service.giving_up)
        record.add(document)
        document = without_empty_lines(document)
        sent = Sent(members, kind, picture.name, record.request_id, began, time.perf_counter() - clock)
        with record.stage("format"):
            content = await written(
                service.pool, len(document.lines), lambda: encoded(contract.answer(document, sent))
            )
    except OcrError as error:
        return refused(request, contract.refuse, error)
    return Response(content, media_type="application/json")


@asynccontextmanager
async def received(
    request: Request, names: Sequence[str], limits: UploadLimits
) -> AsyncIterator[tuple[Picture, Members]]:
    """Receive a request with one file; until the block ends, it counts against the request limit.

    ``names``: form fields or JSON members that may hold the file; without any, it is the body, whatever its type.
    """
    service = service_of(request)
    service.check_open()
    record = record_of(request.scope)
    with service.request_limit.enter(record.client) as holder:
        with record.stage("receive"):
            upload = await _upload(request, names, limits, holder, service)
        try:
            holder.begin()
            yield upload.pictures[0], upload.foreign or upload.fields
        finally:
            await upload.close()


async def _upload(
    request: Request, names: Sequence[str], limits: UploadLimits, holder: ReceivedBody, service: Service
) -> Upload:
    if not names:
        content = await body.whole(request, limit_bytes=limits.body_bytes, received=holder)
        name = file_name(unquote(request.headers.get("x-filename", "")))
        return Upload((Picture(name, content),), {})
    is_form = uploads.media_type_of(request).startswith("multipart/")
    upload = await uploads.receive(
        request,
        names=names if is_form else (),
        foreign=names,
        limits=limits,
        received=holder,
        pool=service.pool,
    )
    if not upload.pictures[0].member:
        raise InvalidRequest(f"Send a form or JSON with the file as {' or '.join(map(repr, names))}.")
    return upload


def options_of(request: Request, service: Service) -> ReadOptions:
    """Return the options of a request before its own contract is asked: our parameters, in the query.

    Raises InvalidParameter for those that would change the form of the answer.
    """
    for name in _NOT_IN_QUERY:
        if name in request.query_params:
            raise InvalidParameter(f"{name!r} has no effect here: the form of the answer is fixed.")
    timeout = {name: value for name, value in request.headers.items() if name == parameters.TIMEOUT_HEADER}
    return parameters.parse(
        request.query_params,
        {},
        timeout,
        models=[manifest.name for manifest in service.manifests],
        deadline_seconds=service.settings.deadline_seconds,
    ).options


def refused(request: Request, refuse: Callable[[Members], Refusal], error: OcrError) -> Response:
    """Return an error as a contract has it: our problem document with its members, or these alone with status 200."""
    record = record_of(request.scope)
    problem = problems.describe(error)
    record.fail(problem.slug, error)
    document = problem.body(instance=request.url.path, request_id=record.request_id)
    refusal = refuse(document)
    if refusal.status == 200:
        return Response(encoded(refusal.members), media_type="application/json")
    content = encoded({**document, "status": refusal.status, **refusal.members})
    return Response(content, refusal.status, dict(problem.headers), problems.MEDIA_TYPE)


def encoded(content: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Return compact JSON in UTF-8."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)
    return text.encode()
