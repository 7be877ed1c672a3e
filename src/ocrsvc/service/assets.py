"""The web page at ``/`` and the API document at ``/docs``, served from local files only."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocrsvc.errors import NotFound
from ocrsvc.service.static_files import PageFiles

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# Swagger UI styles its elements inline and draws its icons from data URIs.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ocrsvc: interface</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# Served as a separate file because the policy allows no inline script.
# Swagger UI takes JSON Lines for a file to be saved, and then for broken JSON: they are shown as text.
_DOCS_START = """const LINES = "application/jsonl";
const isLines = (type) => (type ?? "").startsWith(LINES);

async function textOfLines(response) {
  if (isLines(response.headers["content-type"]) && response.data instanceof Blob) {
    response.text = response.data = await response.data.text();
  }
  return response;
}

const shownAsText = (system) => ({
  wrapComponents: {
    responseBody: (Original) => (shown) =>
      system.React.createElement(Original, {
        ...shown,
        contentType: isLines(shown.contentType) ? "text/plain" : shown.contentType,
      }),
  },
});

window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  responseInterceptor: textOfLines,
  plugins: [shownAsText],
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
"""


def web_folder() -> Path:
    """Return the folder of the web page: inside an installed package, or ``web/`` of the checkout."""
    packaged = Path(__file__).parents[1] / "_assets" / "web"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "web"


def swagger_folder() -> Path | None:
    """Return the folder of Swagger UI's files inside the fastapi-offline wheel, without importing it."""
    spec = importlib.util.find_spec("fastapi_offline")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "static"


class _Headers:
    """ASGI middleware that adds headers to every answer of ``app``."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, add)


def install(app: FastAPI, *, docs: bool = True) -> None:
    """Serve the web page and, with ``docs``, the API document."""
    web = web_folder()
    router = APIRouter(include_in_schema=False)

    policy = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
    files = PageFiles(web, policy) if web.is_dir() else None

    @router.api_route("/", methods=["GET", "HEAD"])
    async def page(request: Request) -> Response:
        if files is None:
            raise NotFound("This installation has no page; the interface is at /docs.")
        return await files.get_response("index.html", request.scope)

    @router.get("/favicon.ico")
    async def favicon() -> Response:
        icon = web / "favicon.svg"
        if icon.is_file():
            return FileResponse(icon, media_type="image/svg+xml")
        return Response(status_code=204)

    app.include_router(router)
    if files is not None:
        app.mount("/static", files, name="static")
    if docs:
        _install_docs(app)


def _install_docs(app: FastAPI) -> None:
    swagger = swagger_folder()
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def document() -> Response:
        if swagger is None:
            raise NotFound("Swagger UI (fastapi-offline) is not installed; see /openapi.json.")
        return HTMLResponse(_DOCS_PAGE, headers={"Content-Security-Policy": DOCS_POLICY})

    @router.get("/docs/start.js")
    async def start() -> Response:
        return Response(_DOCS_START, media_type="text/javascript")

    app.include_router(router)
    if swagger is not None:
        kept = {"Cache-Control": "public, max-age=86400"}
        app.mount("/docs/assets", _Headers(StaticFiles(directory=swagger), kept), name="docs-assets")
