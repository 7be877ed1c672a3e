"""Loads the Settings of commands: ``OCRSVC_*`` variables, overridden by the command's arguments."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ocrsvc.settings import Settings

Origin = Literal["default", "environment", "flag"]

# Limits for commands that read the user's own files, where those of a public service are too strict. Variables that
# the user sets take precedence.
OFFLINE: dict[str, Any] = {
    "deadline_seconds": 3600.0,
    "max_queue_seconds": 86_400.0,
    "max_pages": 10_000,
    "max_page_lines": 20_000,
    "max_request_lines": 1_000_000,
}


_PREFIX = "OCRSVC_"
_SERVICE_LINK = re.compile(_PREFIX + r"(SERVICE_(HOST|PORT).*|PORT_\d+_(TCP|UDP).*)")


class InvalidSettings(Exception):
    """A variable or an argument has an invalid value; the message names it in one line."""


def load(**arguments: Any) -> Settings:
    """Return the settings in force; arguments that are None are ignored. Raises InvalidSettings."""
    from pydantic import ValidationError

    from ocrsvc.settings import Settings

    try:
        return Settings(**{name: value for name, value in arguments.items() if value is not None})
    except ValidationError as error:
        raise InvalidSettings(
            "; ".join(
                f"{_PREFIX}{_name(issue['loc'])}: {issue['msg']}{_hint(issue['input'])}"
                for issue in error.errors()
            )
        ) from error


def unknown_variables() -> list[str]:
    """Return a warning for every unknown ``OCRSVC_*`` variable, because typos would be ignored silently.

    Kubernetes' variables for a service called ocrsvc are skipped (``OCRSVC_SERVICE_HOST``, ``OCRSVC_PORT_8000_TCP``).
    """
    from ocrsvc.settings import Settings

    known = {f"{_PREFIX}{name}".upper() for name in Settings.model_fields}
    lines = []
    for name in sorted(os.environ):
        if name.startswith(_PREFIX) and name not in known and not _SERVICE_LINK.fullmatch(name):
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            lines.append(
                f"{name} is no setting" + (f"; is {near[0]} meant?" if near else ", see docs/settings.md")
            )
    return lines


def load_offline(**arguments: Any) -> Settings:
    """Return the settings for the user's own files: the limits of ``OFFLINE``, unless the user sets others."""
    settings = load(**arguments)
    relaxed = {name: value for name, value in OFFLINE.items() if name not in settings.model_fields_set}
    return settings.model_copy(update=relaxed)


@dataclass(frozen=True, slots=True)
class Sourced:
    """The settings in force, and where the value of each comes from."""

    settings: Settings
    origins: Mapping[str, Origin]


def load_sourced(**arguments: Any) -> Sourced:
    """Return the settings as ``load`` does, with the origin of each."""
    given = {name for name, value in arguments.items() if value is not None}
    settings = load(**arguments)
    explicit = settings.model_fields_set
    origins: dict[str, Origin] = {
        name: "flag" if name in given else "environment" if name in explicit else "default"
        for name in type(settings).model_fields
    }
    return Sourced(settings, origins)


def _hint(value: object) -> str:
    if isinstance(value, str) and value.startswith("tcp://"):
        return " (Kubernetes sets it for a service called ocrsvc: say enableServiceLinks: false)"
    return ""


def _name(location: tuple[int | str, ...]) -> str:
    return "_".join(str(part) for part in location).upper()
