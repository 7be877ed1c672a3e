"""``ocrsvc serve``: the HTTP service and its page."""

from __future__ import annotations

import argparse
from typing import Any

from ocrsvc.commands import configuration

EPILOG = """\
examples:
  ocrsvc serve                             http://127.0.0.1:8000, all cores
  ocrsvc serve --host 0.0.0.0 --port 9000  reachable from other machines
  ocrsvc serve --workers 4                 at most four threads for models

Every other knob is an OCRSVC_* variable: see docs/settings.md. SIGTERM finishes accepted work, then ends.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add this command's arguments."""
    parser = commands.add_parser(
        "serve",
        help="run the HTTP service and its page",
        description="Run the HTTP service and its page until SIGTERM or Ctrl-C.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--host", help="address to listen on (default: OCRSVC_HOST or 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port, 0 for a free one (default: OCRSVC_PORT or 8000)")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="threads that run models (default: the cores)"
    )
    parser.add_argument("--model", metavar="NAME", help="default recogniser, or a path to a model folder")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop."""
    settings = configuration.load(
        host=options.host, port=options.port, workers=options.workers, model=options.model
    )
    from ocrsvc.service.server import serve

    serve(settings)
    return 0
