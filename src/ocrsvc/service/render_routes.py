"""The route that writes a given reading in a format, so that what a person has corrected is in every one of them."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from ocrsvc.errors import InvalidRequest, UnsupportedMedia
from ocrsvc.formats import Rendering
from ocrsvc.service import form_body, openapi, unknown_names
from ocrsvc.service.attachment import headers_of
from ocrsvc.service.connection import unless_gone
from ocrsvc.service.given_reading import GivenReading
from ocrsvc.service.parameters import parse_rendering
from ocrsvc.service.pictures import Picture, UploadLimits, file_name, valid_text
from ocrsvc.service.record import record_of
from ocrsvc.service.routes import Direct
from ocrsvc.service.state import service_of
from ocrsvc.service.uploads import ONE, media_type_of

rendering = APIRouter(route_class=Direct, tags=["reading"])


@rendering.post(
    "/api/render",
    operation_id="render",
    summary="Write a corrected reading in any format",
    openapi_extra=openapi.given_reading(),
    responses=openapi.reading_responses(),
)
async def render(request: Request) -> Response:
    """Send the answer of a reading in `json`, corrected, as `result`; for `format=pdf` the document, too, as `image`.

    ```
    curl -F result=@corrected.json -F image=@scan.pdf -o searchable.pdf 'http://localhost:8000/api/render?format=pdf'
    ```

    Nothing is read. `characters` of a line count only if they spell its `text`. Members that the answer of a reading
    does not have are ignored.
    """
    service, record = service_of(request), record_of(request.scope)
    if media_type_of(request) != "multipart/form-data":
        raise UnsupportedMedia("Send multipart/form-data with a field 'result'.")
    service.check_open()
    most = service.job_file.multipart_bytes  # of the reading and its document together
    with service.request_limit.enter(record.client) as received:
        with record.stage("receive"):
            form = await form_body.received_form(request, UploadLimits(most, most, 2), received)
        try:
            received.begin()
            result, document, fields = await _parts(form, most)
            asked = parse_rendering(request.query_params, fields, request.headers)
            if asked.format.needs_source and document is None:
                raise InvalidRequest(
                    f"The format {asked.format.name} contains the document: send it, too, in the field 'image'."
                )
            drawing = Rendering(request_id=record.request_id, granularity=asked.granularity)
            name = "text"
            if document is not None:
                name = document.name
                if asked.format.needs_source:
                    source = await document.load(service.pool, limit_bytes=most)
                    drawing = replace(drawing, source=source, password=asked.password)
            given = GivenReading(result, asked.format.structured, asked.layout)
            with record.stage("format"):
                work = service.isolated.render(asked.format, given, drawing)
                content = await unless_gone(work, request.receive, service.giving_up)
        finally:
            await form.close()
    return Response(content, headers=headers_of(asked.format, name), media_type=asked.format.media_type)


async def _parts(form: FormData, limit_bytes: int) -> tuple[bytes, Picture | None, dict[str, str]]:
    """Return the reading, its document if there is one, and the parameters."""
    result: bytes | None = None
    document: Picture | None = None
    fields: dict[str, str] = {}
    for name, value in form.multi_items():
        if name == "result" and isinstance(value, UploadFile):
            result = await value.read(limit_bytes)
        elif name == "result":
            result = str(value).encode("utf-8", "replace")
        elif name in ONE:
            document = Picture(file_name(value.filename) if isinstance(value, UploadFile) else name, value)
        elif isinstance(value, str):
            fields[name] = valid_text(name, value)
        else:
            raise unknown_names.unknown("file", name, ("result", *ONE))
    if not result:
        raise InvalidRequest("The form has no reading: send the JSON of one in the field 'result'.")
    return result, document, fields
