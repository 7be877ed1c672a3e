"""``ocrsvc mcp`` as a program with a language model starts it: the official client over standard input and output."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from available import missing, model_name
from drawings import DrawnPage

pytestmark = pytest.mark.timeout(180)


def text_of(answer: Any) -> str:
    """The text of a tool's answer."""
    return str(answer.content[0].text)


async def test_a_client_lists_and_calls_the_tools(
    draw_page: Callable[..., DrawnPage], jpeg: Callable[..., bytes], tmp_path: Path
) -> None:
    if importlib.util.find_spec("mcp") is None:
        missing("no MCP SDK: pip install 'ocrsvc[mcp]'")
    from mcp.client.client import Client
    from mcp.client.stdio import StdioServerParameters

    (tmp_path / "receipt.jpg").write_bytes(jpeg(draw_page().image))
    (tmp_path / "notes.txt").write_text("hello")
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "ocrsvc", "mcp", "--folder", str(tmp_path)],
        env={**os.environ, "OCRSVC_MODEL": model_name()},
    )
    async with Client(command) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"read_image", "read_pdf"}
        assert tools["read_pdf"].input_schema["properties"].keys() >= {"path", "pages", "region"}
        path = str(tmp_path / "receipt.jpg")
        whole = await client.call_tool("read_image", {"path": path})
        assert not whole.is_error
        assert "合计 TOTAL 37.20" in text_of(whole)
        top = await client.call_tool("read_image", {"path": path, "region": [0, 0, 1, 0.2]})
        assert "上海好又多超市" in text_of(top)
        assert "TOTAL" not in text_of(top)
        wrong = await client.call_tool("read_image", {"path": str(tmp_path / "notes.txt")})
        assert wrong.is_error
        assert "The type of this file is not supported" in text_of(wrong)
        outside = await client.call_tool("read_image", {"path": "/etc/passwd"})
        assert outside.is_error
        assert "outside the folders" in text_of(outside)
