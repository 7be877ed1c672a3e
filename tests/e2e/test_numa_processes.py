"""`ocrsvc serve --processes-per-numa-node` on this machine's CPUs, each of which a drawn sysfs calls a node."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from available import missing
from running_server import launch

pytestmark = pytest.mark.timeout(180)

# The command itself; only where it looks for nodes is another place.
SERVE = """
import sys
from functools import partial
from pathlib import Path
from ocrsvc.commands import cli
from ocrsvc.machine import processes

if __name__ == "__main__":
    processes.places = partial(processes.places, root=Path(sys.argv[1]))
    sys.exit(cli.main(["serve", "--processes-per-numa-node"]))
"""


async def test_two_processes_answer_behind_one_port_and_finish_what_they_accepted(
    tmp_path: Path, draw_page: Callable[..., Any], png: Callable[..., bytes]
) -> None:
    cpus = sorted(os.sched_getaffinity(0))[:2]
    if len(cpus) < 2:
        missing("two CPUs")
    for number, each in enumerate(cpus):
        (tmp_path / f"sys/devices/system/node/node{number}").mkdir(parents=True)
        (tmp_path / f"sys/devices/system/node/node{number}/cpulist").write_text(f"{each}\n")
    script = tmp_path / "serve.py"
    script.write_text(SERVE)
    page = png(draw_page().image)
    command = [sys.executable, str(script), str(tmp_path)]
    with launch(tmp_path, command=command, model="crnn-fast") as server:
        log = server.log_lines()
        own = next(line["processes"] for line in log if "processes" in line)
        for url in own:
            await asyncio.to_thread(replace(server, url=url).wait_until_ready)
        async with httpx.AsyncClient(timeout=60) as client:

            async def inside(url: str) -> float:
                figures = (await client.get(f"{url}/metrics")).text
                return float(re.findall(r"^ocrsvc_requests_inside (\S+)", figures, re.MULTILINE)[0])

            both = (await client.get(f"{server.url}/metrics")).text
            for number in range(2):
                assert f'\nocrsvc_process_up{{process="{number}"}} 1.0\n' in both
                assert f'\nocrsvc_ready{{process="{number}"}} 1.0\n' in both
            assert both.count("# TYPE ocrsvc_ready gauge\n") == 1
            assert "process=" not in (await client.get(f"{own[0]}/metrics")).text

            job = (await client.post(f"{own[0]}/api/jobs?mode=page", content=page)).json()["id"]
            assert (await client.get(f"{own[1]}/api/jobs/{job}")).status_code == 200
            running = [
                asyncio.create_task(client.post(f"{url}/api/ocr?mode=page", content=page))
                for url in [*own, server.url, server.url]
            ]
            while sum([await inside(url) for url in own]) + sum(each.done() for each in running) < len(
                running
            ):
                pass
            pids = [line["pid"] for line in server.log_lines() if line["event"] == "process started"]
            threads = [
                {cpu for task in os.listdir(f"/proc/{pid}/task") for cpu in os.sched_getaffinity(int(task))}
                for pid in pids
            ]
            server.process.send_signal(signal.SIGTERM)
            answers = await asyncio.gather(*running)
        assert threads == [{each} for each in cpus]
        assert [answer.status_code for answer in answers] == [200] * len(running)
        assert len({answer.json()["text"] for answer in answers}) == 1
        assert await asyncio.to_thread(server.wait) == 0
        assert "traceback" not in server.log_text().lower()
