"""Misspelt parameters, members and fields are refused with the name that is meant, wherever they are."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import pytest
import tiny_model
from given_readings import line, reading

from ocrsvc.reading.reader import Reader
from ocrsvc.service.app import create_app
from ocrsvc.settings import Settings

PNG = cv2.imencode(".png", tiny_model.draw("12"))[1].tobytes()
TEXT64 = base64.b64encode(PNG).decode()
PICTURE = {"image": ("a.png", PNG)}
ROUTES = ("/api/ocr", "/api/ocr/batch", "/api/jobs")
BOX = [0, 0, 1, 1]


class ColdReader(Reader):
    """Does not run every shape once before."""

    async def start(self, *, warm: bool = False) -> None:
        await super().start(warm=warm)


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write_with_detector(tmp_path_factory.mktemp("models"))


@pytest.fixture
async def client(models_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(model="tiny", models_dir=models_dir, workers=1, detector_side_pixels=320)
    app = create_app(settings, ColdReader)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - it is on the other side of HTTP
            await asyncio.sleep(0.02)
        yield client


def check(answer: httpx.Response, wrong: str, meant: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["type"]) == (422, "/problems/invalid-parameter"), body
    assert wrong in body["detail"]
    assert f"(is {meant} meant?)" in body["detail"]


@pytest.mark.parametrize("path", ROUTES)
async def test_in_the_query_the_form_and_the_json(client: httpx.AsyncClient, path: str) -> None:
    name = "images" if path.endswith("batch") else "image"
    check(await client.post(f"{path}?charst=digits", files=PICTURE), "'charst'", "charset")
    check(await client.post(path, files=PICTURE, data={"layuot": "rows"}), "'layuot'", "layout")
    check(await client.post(path, json={name: TEXT64, "moed": "line"}), "'moed'", "mode")
    check(await client.post(path, json={"imag": TEXT64}), "'imag'", "image")
    files = {**PICTURE, "fiel": ("b.png", PNG)}
    check(await client.post(path, files=files), "'fiel'", "file")
    check(await client.post(path, files={"imgae": ("a.png", PNG)}), "'imgae'", "image")
    for index, wrong in enumerate(({"nmae": "a", "box": BOX}, {"name": "a", "bxo": BOX})):
        regions = [{"name": "first", "box": BOX}, wrong]
        place, meant = (("regions[1].nmae", "name"), ("regions[1].bxo", "box"))[index]
        check(await client.post(path, json={name: TEXT64, "regions": regions}), place, meant)
        check(await client.post(path, files=PICTURE, data={"regions": json.dumps(regions)}), place, meant)
    template: dict[str, Any] = {
        "anchors": [{"text": "合计", "box": BOX, "tolerence": 0.1}],
        "regions": [{"name": "first", "box": BOX}],
    }
    answer = await client.post(path, json={name: TEXT64, "template": template})
    check(answer, "template.anchors[0].tolerence", "tolerance")


async def test_in_an_entry_of_a_batch(client: httpx.AsyncClient) -> None:
    entries = [{"file": "a.png", "image": TEXT64}, {"fil": "b.png", "image": TEXT64}]
    check(await client.post("/api/ocr/batch", json={"images": entries}), "item 1: 'fil'", "file")


async def test_in_requests_without_a_body(client: httpx.AsyncClient) -> None:
    job = (await client.post("/api/jobs", files=PICTURE)).json()["id"]
    check(await client.get(f"/api/jobs/{job}/result?fromat=text"), "'fromat'", "format")
    for path in ("/api/models", "/api/options", f"/api/jobs/{job}", f"/api/jobs/{job}/events"):
        answer = await client.get(f"{path}?format=text")
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-parameter")
        assert "There is no parameter 'format'; there is none." in answer.json()["detail"]
        if not path.endswith("events"):
            assert (await client.get(f"{path}?_=1")).status_code == 200
    assert (await client.delete(f"/api/jobs/{job}?forec=1")).status_code == 422


@pytest.mark.parametrize(
    ("wrong", "place", "meant"),
    [("lines", "result.lnies", "lines"), ("needs_review", "result.lines.0.need_review", "needs_review")],
)
async def test_in_a_corrected_reading(client: httpx.AsyncClient, wrong: str, place: str, meant: str) -> None:
    given = json.dumps(reading(line("a", 10))).replace(f'"{wrong}"', f'"{place.rpartition(".")[2]}"')
    check(await client.post("/api/render?format=text", files={"result": ("r.json", given)}), place, meant)


async def test_a_note_in_a_corrected_reading_is_no_mistake(client: httpx.AsyncClient) -> None:
    given = reading({**line("a", 10), "checked_by": "Li"}) | {"corrections": 1}
    answer = await client.post("/api/render?format=text", files={"result": ("r.json", json.dumps(given))})
    assert (answer.status_code, answer.text) == (200, "a\n")
    wrong: dict[str, tuple[str, str | bytes]] = {
        "result": ("r.json", json.dumps(given)),
        "imagee": ("a.png", PNG),
    }
    check(await client.post("/api/render", files=wrong), "'imagee'", "image")
    check(await client.post("/api/render?layuot=rows", files=wrong), "'imagee'", "image")
