"""The backend of Label Studio as a process: its calls, checked by Label Studio's own SDK; and exports as lines."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from available import missing, model_name, need_training
from drawings import DrawnPage
from PIL import Image

from ocrsvc import OCR
from ocrsvc.models import manifest
from ocrsvc.models.registry import default_models_dir

pytestmark = pytest.mark.timeout(600)

PERSONAL_TOKEN, ACCESS = "head.refresh.sign", "head.access.sign"
CORRECTED = "改过的 corrected"
UPLOADED = "/data/upload/1/1a2b3c4d-receipt.png"
LISTENING = re.compile(r"running on (http://\S+)")
TEMPLATE = """<View>
  <Image name="image" value="$ocr"/>
  <Labels name="label" toName="image"><Label value="Text"/><Label value="Handwriting"/></Labels>
  <Rectangle name="bbox" toName="image"/><Polygon name="poly" toName="image"/>
  <TextArea name="transcription" toName="image" perRegion="true" editable="true"/>
</View>"""  # Label Studio's own for OCR
CONFIGURATIONS = {
    "template": TEMPLATE,
    "rectangles": """<View><Image name="image" value="$ocr"/>
        <RectangleLabels name="kind" toName="image"><Label value="Print"/></RectangleLabels>
        <TextArea name="text" toName="image" perRegion="true"/></View>""",
    "polygons": """<View><Image name="image" value="$ocr"/>
        <PolygonLabels name="kind" toName="image"><Label value="Print"/></PolygonLabels>
        <TextArea name="text" toName="image" perRegion="true"/></View>""",
}


@dataclass(frozen=True)
class Home:
    """What stands for Label Studio: its address, and the page that it holds."""

    url: str
    page: DrawnPage


@pytest.fixture(scope="module")
def home(draw_page: Callable[..., DrawnPage], png: Callable[..., bytes]) -> Iterator[Home]:
    """A server with one picture for whoever has a token, as Label Studio gives one for a personal token."""
    page = draw_page()
    content = png(page.image)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == f"Bearer {ACCESS}"
            self._answer(200 if known and self.path == UPLOADED else 401, content)

        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.path == "/api/token/refresh/" and sent == {"refresh": PERSONAL_TOKEN}
            self._answer(200 if known else 401, json.dumps({"access": ACCESS}).encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Home(f"http://127.0.0.1:{server.server_address[1]}", page)
        server.shutdown()


@pytest.fixture(scope="module")
def backend(
    home: Home, plugin: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """The backend, which reads in its own process."""
    log = tmp_path_factory.mktemp("backend") / "log"
    path = os.pathsep.join([str(plugin("label-studio-ocrsvc")), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep), "OCRSVC_MODEL": model_name()}
    environment["LABEL_STUDIO_API_KEY"] = PERSONAL_TOKEN
    command = [
        sys.executable,
        "-m",
        "label_studio_ocrsvc",
        "serve",
        "--port",
        "0",
        "--label-studio",
        home.url,
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        while not (listening := LISTENING.search(log.read_text("utf-8"))):
            assert process.poll() is None, log.read_text("utf-8")
            time.sleep(0.05)
        with httpx.Client(base_url=listening[1], timeout=120) as client:
            yield client
    finally:
        process.terminate()
        process.wait(timeout=60)


def predicted(
    backend: httpx.Client, configuration: str, *addresses: str, key: str = "ocr"
) -> list[dict[str, Any]]:
    tasks = [{"id": number, "data": {key: address}} for number, address in enumerate(addresses, 1)]
    asked = {
        "tasks": tasks,
        "label_config": configuration,
        "project": "1.1764000000",
        "params": {"context": None},
    }
    answer = backend.post("/predict", json=asked)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def test_label_studio_can_connect(backend: httpx.Client) -> None:
    assert backend.get("/health").json()["status"] == "UP"
    setup = {
        "project": "1.1764000000",
        "schema": TEMPLATE,
        "hostname": "",
        "access_token": "",
        "extra_params": None,
    }
    version = backend.post("/setup", json=setup).json()["model_version"]
    assert re.fullmatch(rf"{model_name()}-[0-9a-f]{{8}}", version)
    event = {"action": "START_TRAINING", "project": {"id": 1, "label_config": TEMPLATE}}
    assert backend.post("/webhook", json=event).status_code == 201
    refused = backend.post(
        "/setup", json={"project": "1.2", "schema": "<View><Text name='t' value='$t'/></View>"}
    )
    assert (refused.status_code, "TextArea" in refused.json()["detail"]) == (400, True)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_predictions_are_valid_for_label_studio(backend: httpx.Client, home: Home, name: str) -> None:
    try:
        from label_studio_sdk.label_interface import LabelInterface
    except ImportError:
        missing("no label-studio-sdk: make setup")
    (prediction,) = predicted(backend, CONFIGURATIONS[name], UPLOADED)
    assert LabelInterface(CONFIGURATIONS[name]).validate_prediction(prediction, return_errors=True) == []
    texts = [each for each in prediction["result"] if each["type"] == "textarea"]
    assert [each["value"]["text"] for each in texts] == [[line] for line in home.page.lines]
    height, width = home.page.image.shape[:2]
    for each, (left, top, right, bottom) in zip(texts, home.page.boxes, strict=True):
        assert (each["original_width"], each["original_height"]) == (width, height)
        if name != "polygons":
            value = each["value"]
            found = np.array(
                [value["x"], value["y"], value["x"] + value["width"], value["y"] + value["height"]]
            )
            wanted = 100 * np.array([left / width, top / height, right / width, bottom / height])
            assert np.abs(found - wanted).max() < 4, each


def test_a_picture_that_cannot_be_had_leaves_the_others(backend: httpx.Client, home: Home) -> None:
    addresses = (
        "http://elsewhere.invalid/a.png",
        "/data/upload/1/other.png",
        "data:image/png;base64,AAAA",
        UPLOADED,
    )
    *empty, full = predicted(backend, TEMPLATE, *addresses)
    assert [each["result"] for each in empty] == [[], [], []]
    assert len(full["result"]) == 3 * len(home.page.lines)


def test_a_picture_uploaded_before_the_configuration_is_read(backend: httpx.Client, home: Home) -> None:
    (prediction,) = predicted(backend, TEMPLATE, UPLOADED, key="$undefined$")
    assert len(prediction["result"]) == 3 * len(home.page.lines)


@dataclass(frozen=True)
class Lines:
    """What the converter made of an export: the manifest, what the command printed, the texts that were drawn."""

    manifest: Path
    printed: str
    drawn: tuple[str, ...]

    @property
    def rows(self) -> list[dict[str, str]]:
        return [json.loads(row) for row in self.manifest.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def lines(
    backend: httpx.Client,
    home: Home,
    png: Callable[..., bytes],
    program: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Lines:
    """Of an export in which someone has corrected a page: another first text, no second."""
    folder = tmp_path_factory.mktemp("export")
    (prediction,) = predicted(backend, TEMPLATE, UPLOADED)
    corrected = json.loads(json.dumps(prediction["result"]))
    texts = [each["value"]["text"] for each in corrected if each["type"] == "textarea"]
    texts[0][0], texts[1][0] = CORRECTED, ""
    old = {"updated_at": "2026-11-01T10:00:00Z", "was_cancelled": False, "result": []}
    skipped = {"updated_at": "2026-11-03T10:00:00Z", "was_cancelled": True, "result": []}
    new = {"updated_at": "2026-11-02T10:00:00Z", "was_cancelled": False, "result": corrected}
    tasks = [
        {"id": 1, "data": {"ocr": UPLOADED}, "annotations": [old, new, skipped]},
        {"id": 2, "data": {"ocr": "/data/local-files/?d=scans/gone.png"}, "annotations": [new]},
        {"id": 3, "data": {"ocr": UPLOADED}, "annotations": []},
    ]
    (folder / "project.json").write_text(json.dumps(tasks), "utf-8")
    (folder / "pictures").mkdir()
    (folder / "pictures" / "receipt.png").write_bytes(png(home.page.image))
    command = [sys.executable, "-m", "label_studio_ocrsvc", "export", "project.json"]
    command += ["--pictures", "pictures", "--out", "lines"]
    printed = program(command, "label-studio-ocrsvc", "fastapi", cwd=folder)
    return Lines(folder / "lines" / "manifest.jsonl", printed, home.page.lines)


def test_an_export_becomes_lines(lines: Lines) -> None:
    assert lines.printed == f"{len(lines.drawn) - 1} lines in lines/manifest.jsonl, 2 left out\n"
    assert [row["text"] for row in lines.rows] == [CORRECTED, *lines.drawn[2:]]
    with OCR(model=model_name()) as ocr:
        read = [ocr(lines.manifest.parent / row["file"], mode="line").text for row in lines.rows]
    assert read == [lines.drawn[0], *lines.drawn[2:]]


def test_fine_tuning_takes_the_lines(lines: Lines) -> None:
    need_training()
    from ocrsvc.training.data import examples

    found = examples.read(lines.manifest, manifest.load(default_models_dir() / "crnn"))
    assert [sample.text for sample in found.samples] == [CORRECTED, *lines.drawn[2:]]


def test_outlines_survive_the_way_to_label_studio_and_back(
    plugin: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(plugin("label-studio-ocrsvc")))
    from label_studio_ocrsvc.outlines import as_value, of_value

    turned = ((100.0, 200.0), (400.0, 250.0), (390.0, 310.0), (90.0, 260.0))
    for rectangle in (True, False):
        value = as_value(turned, 800, 600, rectangle=rectangle)
        assert np.allclose(of_value(value, 800, 600) or (), turned)
    outside = as_value(((-5.0, 10.0), (900.0, 10.0), (900.0, 50.0), (-5.0, 50.0)), 800, 600, rectangle=True)
    assert (outside["x"], outside["width"], outside["rotation"]) == (0, 100, 0)


def test_pictures_come_only_from_where_they_may(
    home: Home, plugin: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(plugin("label-studio-ocrsvc")))
    from label_studio_ocrsvc.pictures import Pictures, Unfetchable

    pictures = Pictures(home.url, PERSONAL_TOKEN)
    assert Image.open(io.BytesIO(pictures.fetch(UPLOADED))).size == home.page.image.shape[1::-1]
    for address in ("http://127.0.0.1:1/a.png", "file:///etc/hostname", "//elsewhere.invalid/a.png"):
        with pytest.raises(Unfetchable, match="is not Label Studio"):
            pictures.fetch(address)
    with pytest.raises(Unfetchable, match="401"):
        Pictures(home.url, "legacy").fetch(UPLOADED)
    strange = Pictures("http://127.0.0.1:1", PERSONAL_TOKEN, [home.url])
    with pytest.raises(Unfetchable, match="401"):  # the token stays at home
        strange.fetch(home.url + UPLOADED)
