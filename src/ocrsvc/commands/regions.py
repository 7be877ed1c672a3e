"""Files of regions and templates, for the command line."""

from __future__ import annotations

import json
from pathlib import Path

from ocrsvc.diagnosis import configuration
from ocrsvc.errors import OcrError
from ocrsvc.fields.region import Area, Region, parse_areas, parse_regions
from ocrsvc.fields.template import Template, parse_template


def regions_of(path: Path) -> tuple[tuple[Region, ...], tuple[Area, ...]]:
    """Return regions and areas to ignore of a file: an object with ``regions`` and ``ignore``, or a list of regions.

    Raises InvalidSettings, which names the file and the place in it.
    """
    text = _text(path)
    try:
        given = json.loads(text)
    except ValueError as error:
        raise configuration.InvalidSettings(f"{path} is not JSON: {error}") from error
    if isinstance(given, list):
        given = {"regions": given}
    if not isinstance(given, dict) or not set(given) <= {"regions", "ignore"}:
        raise configuration.InvalidSettings(
            f"{path} must be a list of regions, or an object with regions and ignore"
        )
    try:
        regions = parse_regions(json.dumps(given.get("regions", [])))
        return regions, parse_areas(json.dumps(given.get("ignore", [])))
    except OcrError as error:
        raise configuration.InvalidSettings(f"{path}: {error.detail}") from error


def template_of(path: Path) -> Template:
    """Return the template in a file; InvalidSettings names the file and the place in it."""
    try:
        return parse_template(_text(path))
    except OcrError as error:
        raise configuration.InvalidSettings(f"{path}: {error.detail}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise configuration.InvalidSettings(f"{path} cannot be read: {error}") from error
