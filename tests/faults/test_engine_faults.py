"""A real server whose engine raises, gives too few rows, or hangs: only those lines fail, and no text is another's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import drawings
import faulty_model
import httpx
import pytest
from running_server import RunningServer, launch

pytestmark = pytest.mark.timeout(600)

LINES = 60
RUN_SECONDS = 3.0


@pytest.fixture(scope="module")
def server(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    faulty_model.write(models_dir)
    chosen: dict[str, Any] = {"model": "faulty", "models_dir": models_dir, "detector_side_pixels": 320}
    chosen |= {"workers": 1, "run_seconds": RUN_SECONDS, "deadline_seconds": 300, "max_queue_seconds": 600}
    with launch(tmp_path_factory.mktemp("server"), **chosen) as running:
        running.wait_until_ready()
        yield running


def texts_and_faults(fault: int) -> list[tuple[str, int]]:
    return [(f"{1000 + number}", fault if number % 10 == 7 else 0) for number in range(LINES)]


async def answers(url: str, fault: int) -> list[tuple[str, int, httpx.Response]]:
    """Send all lines at once, so that they are read in the same batches; every tenth has the fault."""
    async with httpx.AsyncClient(base_url=url, timeout=300) as client:

        async def read(text: str, own_fault: int) -> tuple[str, int, httpx.Response]:
            body = drawings.encode(faulty_model.draw(text, own_fault))
            return text, own_fault, await client.post("/api/ocr?mode=line", content=body)

        return await asyncio.gather(*(read(text, own) for text, own in texts_and_faults(fault)))


@pytest.mark.parametrize("fault", [faulty_model.RAISES, faulty_model.LOSES_A_ROW], ids=["raises", "rows"])
async def test_a_line_that_breaks_the_engine_fails_alone(server: RunningServer, fault: int) -> None:
    for text, own_fault, answer in await answers(server.url, fault):
        if own_fault:
            assert (answer.status_code, answer.json()["type"]) == (500, "/problems/engine-failure")
        else:
            assert (answer.status_code, answer.json().get("text")) == (200, text)
    await goes_on(server)


async def test_a_run_that_hangs_is_ended_and_the_service_goes_on(server: RunningServer) -> None:
    """Lines of the same run share its fate, because to try each alone would take as long again."""
    seen = await answers(server.url, faulty_model.HANGS)
    for text, own_fault, answer in seen:
        if answer.status_code == 200:
            assert not own_fault
            assert answer.json()["text"] == text
        else:
            assert (answer.status_code, answer.json()["type"]) == (500, "/problems/run-too-long")
    assert any("too long and are ended" in line["event"] for line in server.log_lines())
    await goes_on(server)


async def goes_on(server: RunningServer) -> None:
    """All is as before: lines are read, nothing is inside, and no probe complains."""
    assert all(answer.json()["text"] == text for text, _, answer in await answers(server.url, 0))
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for probe in ("livez", "readyz"):
            assert (await client.get(f"/{probe}")).status_code == 200
        figures = (await client.get("/metrics")).text
    assert "ocrsvc_lines_outstanding 0.0" in figures
    assert "ocrsvc_requests_inside 0.0" in figures
