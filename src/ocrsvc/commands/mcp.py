"""``ocrsvc mcp``: tools for language models, over standard input and output."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
from pathlib import Path
from typing import Any

EPILOG = """\
A program with a language model starts this command. In its configuration:

  {"mcpServers": {"ocrsvc": {"command": "ocrsvc", "args": ["mcp", "--folder", "/home/me/documents"]}}}

It needs the extra mcp: pip install 'ocrsvc[mcp]'. See docs/agents.md.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "mcp",
        help="let language models read pictures and PDFs (Model Context Protocol)",
        description="Serve the tools read_image and read_pdf over standard input and output.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--folder",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="read only files inside this folder; may be repeated (default: any file that you may read)",
    )
    parser.add_argument("--model", metavar="NAME", help="recogniser (see `ocrsvc models`)")
    parser.set_defaults(run=run, error=parser.error)


def run(options: argparse.Namespace) -> int:
    """Answer until the other side closes standard input; return 0."""
    if importlib.util.find_spec("mcp") is None:
        options.error("this command needs the MCP SDK: pip install 'ocrsvc[mcp]'")
    for folder in options.folder:
        if not folder.is_dir():
            options.error(f"{folder} is no folder")
    from ocrsvc.agents.document_tools import DocumentTools
    from ocrsvc.agents.tool_server import tool_server
    from ocrsvc.engine.async_ocr import AsyncOCR

    async def serve() -> None:
        async with AsyncOCR(model=options.model) as ocr:
            await tool_server(DocumentTools(ocr, options.folder)).run_stdio_async()

    asyncio.run(serve())
    return 0
