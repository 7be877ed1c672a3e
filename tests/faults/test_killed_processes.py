"""Decoder processes that are killed again and again: an answer is right or a problem, and the service goes on."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
import tiny_model
from running_server import StartServer

pytestmark = pytest.mark.timeout(600)

REQUESTS = 24


def test_killed_decoders(start_server: StartServer) -> None:
    server = start_server(decode_processes=2)
    document, expected = tiny_model.tiff(3), tiny_model.text_of_tiff(3)
    stop = threading.Event()
    killed: list[psutil.Process] = []

    def kill() -> None:
        while not stop.wait(0.3):
            for child in psutil.Process(server.process.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
                    killed.append(child)

    def read(client: httpx.Client) -> httpx.Response:
        return client.post("/api/ocr?mode=line&format=text", content=document)

    with httpx.Client(base_url=server.url, timeout=300) as client, ThreadPoolExecutor(8) as pool:
        killer = threading.Thread(target=kill)
        killer.start()
        try:
            answers = list(pool.map(read, [client] * REQUESTS))
        finally:
            stop.set()
            killer.join()
        assert killed
        while any(map(lives, killed)):  # a process dies only once it gets to run
            time.sleep(0.05)
        for answer in answers:
            if answer.status_code == 200:
                assert answer.text == expected
            else:  # killed in the middle of this file, or before it was ready
                told = (answer.status_code, answer.json()["type"])
                assert told in {(422, "/problems/undecodable-image"), (503, "/problems/unavailable")}
        assert [(answer.status_code, answer.text) for answer in pool.map(read, [client] * 8)] == [
            (200, expected)
        ] * 8
        assert client.get("/readyz").status_code == 200
        assert "ocrsvc_decode_pixels_inflight 0.0" in client.get("/metrics").text


def lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
