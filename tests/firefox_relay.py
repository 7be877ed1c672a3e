#!/usr/bin/env python3
"""Starts Firefox for Playwright, and stands between the two.

Playwright speaks WebDriver BiDi with the Firefox of Mozilla's newest releases. The one of a distribution is older: it
does not know all commands, and its events about downloads lack their names. Run as Playwright runs a browser::

    firefox_relay.py FIREFOX [ARGUMENT ...]
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

LISTENING = "WebDriver BiDi listening on ws://{}"
_LISTENING = re.compile(LISTENING.format(r"(\S+)"))
_LACKING = frozenset({"emulation.setMediaFeaturesOverride"})  # colour schemes: answered as if they were set
_OPTIONS: dict[str, Any] = {"max_size": None, "ping_interval": None}


def completed(message: str) -> str:
    """Return a message of Firefox with the names of downloads that it lacks: their addresses, which are unique."""
    found = json.loads(message)
    if str(found.get("method")).startswith("browsingContext.download"):
        parameters = found["params"]
        parameters["download"] = (
            parameters.get("download") or parameters.get("navigation") or parameters["url"]
        )
        return json.dumps(found)
    return message


async def relay(playwright: ServerConnection, address: str) -> None:
    """Hand over messages in both directions until either side ends."""
    async with connect(f"ws://{address}/session", **_OPTIONS) as firefox, asyncio.TaskGroup() as group:
        answers = group.create_task(_answer(firefox, playwright))
        async for message in playwright:
            asked = json.loads(message)
            if asked["method"] in _LACKING:
                await playwright.send(json.dumps({"type": "success", "id": asked["id"], "result": {}}))
            else:
                await firefox.send(message)
        answers.cancel()


async def _answer(firefox: ClientConnection, playwright: ServerConnection) -> None:
    async for message in firefox:
        await playwright.send(completed(str(message)))
    await playwright.close()


@asynccontextmanager
async def started(command: list[str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, str | None]]:
    """Yield the browser's process, and where it listens, or None if it ended first."""
    browser = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert browser.stderr is not None
    address = None
    async for line in browser.stderr:
        if found := _LISTENING.search(line.decode(errors="replace")):
            address = found[1]
            break
    rest = asyncio.create_task(browser.stderr.read())  # or its pipe fills up
    yield browser, address
    rest.cancel()


async def main(command: list[str]) -> int:
    """Run the browser; return its exit status."""
    async with started(command) as (browser, address):
        if address is None:
            return await browser.wait()
        async with serve(lambda playwright: relay(playwright, address), "127.0.0.1", 0, **_OPTIONS) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            print(LISTENING.format(f"127.0.0.1:{port}"), file=sys.stderr, flush=True)
            return await browser.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
