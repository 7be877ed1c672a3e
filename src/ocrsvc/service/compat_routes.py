"""Routes under which clients of other OCR services ask for one file (``ocrsvc.compat``)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ocrsvc.compat import fastgpt, liteparse, open_webui, paddlex, rapidocr_api, umi_documents, umi_ocr
from ocrsvc.service import compat_openapi as described
from ocrsvc.service import compat_reading
from ocrsvc.service.record import record_of
from ocrsvc.service.routes import Direct
from ocrsvc.service.state import service_of
from ocrsvc.service.uploads import media_type_of

compat = APIRouter(route_class=Direct, tags=[described.TAG])


@compat.post(
    "/ocr",
    operation_id="compatOcr",
    summary="PaddleX, RapidOCRAPI and LiteParse: read one file",
    openapi_extra=described.request(
        described.json_with("file", "fileType", "textRecScoreThresh", "logId"),
        described.form("file", "image_file", fields=("image_data", "language", "use_det")),
    ),
    responses=described.responses(
        {"anyOf": [described.PADDLEX, described.RAPIDOCR_API, described.LITEPARSE]}
    ),
)
async def ocr(request: Request) -> Response:
    """Answer JSON as PaddleX, a form with `image_file` or `image_data` as RapidOCRAPI, with `file` as LiteParse.

    The picture is in `file` for PaddleX, too, as base64.
    """
    if media_type_of(request).startswith("multipart/"):
        return await compat_reading.read(request, (liteparse.CONTRACT, rapidocr_api.CONTRACT))
    return await compat_reading.read(request, (paddlex.OCR,))


@compat.get(
    "/health",
    operation_id="compatHealth",
    summary="PaddleX: whether the service is ready",
    responses=described.responses(described.PADDLEX_HEALTH, 503),
)
async def health(request: Request) -> Response:
    """Answer as PaddleX' servers once files can be read, like `/readyz`."""
    service_of(request).check_ready()
    answer = paddlex.healthy(record_of(request.scope).request_id)
    return Response(compat_reading.encoded(answer), media_type="application/json")


@compat.post(
    "/layout-parsing",
    operation_id="compatLayoutParsing",
    summary="PaddleX: read one file with its layout",
    openapi_extra=described.request(described.json_with("file", "fileType", "logId")),
    responses=described.responses(described.PADDLEX),
)
async def layout_parsing(request: Request) -> Response:
    """Answer as PaddleX' layout parsing: blocks and Markdown for each page. RAGFlow asks here."""
    return await compat_reading.read(request, (paddlex.LAYOUT_PARSING,))


@compat.post(
    "/v2/parse/file",
    operation_id="compatFastGpt",
    summary="FastGPT: read one PDF as Markdown",
    openapi_extra=described.request(described.form("file")),
    responses=described.responses(described.FASTGPT),
)
async def parse_file(request: Request) -> Response:
    """Answer as FastGPT's `customPdfParse` expects it: the number of pages, and Markdown."""
    return await compat_reading.read(request, (fastgpt.CONTRACT,))


@compat.put(
    "/process",
    operation_id="compatOpenWebUi",
    summary="Open WebUI: read one file page by page",
    openapi_extra=described.request(described.any_file()),
    responses=described.responses(described.OPEN_WEBUI),
)
async def process(request: Request) -> Response:
    """Answer as Open WebUI's external content extraction engine: Markdown for each page that has text."""
    return await compat_reading.read(request, (open_webui.CONTRACT,))


@compat.get(
    "/api/ocr/get_options",
    operation_id="compatUmiOptions",
    summary="Umi-OCR: the options of POST /api/ocr",
    responses=described.responses(described.UMI_OPTIONS, 503),
)
async def umi_options(request: Request) -> Response:
    """Return the options that a request with `base64` may have."""
    return Response(compat_reading.encoded(umi_ocr.option_list()), media_type="application/json")


@compat.get(
    "/api/doc/get_options",
    operation_id="compatUmiDocumentOptions",
    summary="Umi-OCR: the options of POST /api/doc/upload",
    responses=described.responses(described.UMI_OPTIONS, 503),
)
async def umi_document_options(request: Request) -> Response:
    """Return the options that an upload may have."""
    return Response(compat_reading.encoded(umi_documents.option_list()), media_type="application/json")
