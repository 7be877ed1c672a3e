"""``ocrsvc serve``: the HTTP service and its page."""

from __future__ import annotations

import argparse
import logging.config
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
    parser.add_argument(
        "--no-tune", action="store_false", dest="tune", default=None, help="ignore what `ocrsvc tune` found"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop."""
    sourced = configuration.load_tuned(
        host=options.host,
        port=options.port,
        workers=options.workers,
        model=options.model,
        tune=options.tune,
    )
    from ocrsvc.service.logs import configuration as logging_configuration
    from ocrsvc.service.server import serve

    logging.config.dictConfig(logging_configuration())
    if sourced.found.warning:
        logging.getLogger("ocrsvc").warning(sourced.found.warning)
    if tuned := {name: getattr(sourced.settings, name) for name in sourced.tuned}:
        logging.getLogger("ocrsvc").info("tuned", extra=tuned)
    serve(sourced.settings)
    return 0
