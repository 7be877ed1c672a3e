"""``ocrsvc models``: lists the installed models."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from ocrsvc.diagnosis import configuration

if TYPE_CHECKING:
    from ocrsvc.models.manifest import Manifest

EPILOG = """\
examples:
  ocrsvc models
  ocrsvc models --json | jq -r '.[].name'
  OCRSVC_MODELS_DIR=/srv/models ocrsvc models
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "models",
        help="list the installed models",
        description="List the installed recognisers and detectors; * marks the default.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print a JSON array instead of a table")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the models as a table or as JSON; return 0."""
    from ocrsvc.models.registry import Registry

    settings = configuration.load()
    registry = Registry(settings)
    manifests = registry.manifests("recogniser") + registry.manifests("detector")
    if options.json:
        rows = [describe(manifest, default=settings.model) for manifest in manifests]
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        _table(manifests, settings.model)
    return 0


def describe(manifest: Manifest, *, default: str) -> dict[str, Any]:
    """Return a model's entry of GET /api/models, with its kind, because that route lists only recognisers."""
    from ocrsvc.service import catalogue

    said: dict[str, Any] = catalogue.models([manifest], default)["models"][0]
    return {"kind": manifest.kind, **said}


def _table(manifests: list[Manifest], default: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "kind", "architecture", "characters", "weights", "licence"):
        table.add_column(title, justify="right" if title == "characters" else "left", overflow="fold")
    for manifest in manifests:
        weights = ", ".join(f"{key} {manifest.files[key].size / 1e6:.1f} MB" for key in manifest.precisions)
        table.add_row(
            manifest.name + ("*" if manifest.name == default else ""),
            manifest.kind,
            manifest.architecture,
            f"{len(manifest.charset):,}" if manifest.charset else "-",
            weights,
            manifest.licence,
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table)  # a pipe has no width to fold to
