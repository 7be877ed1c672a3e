"""How commands get their Settings: from ``OCRSVC_*`` variables, with the command's own arguments on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocrsvc.settings import Settings

# A command reads the user's own files and nobody waits behind them: limits made for a public service only get
# in the way. What the user sets in the environment still holds.
OFFLINE: dict[str, Any] = {"deadline_seconds": 3600.0, "max_queue_seconds": 86_400.0, "max_pages": 10_000}


class InvalidSettings(Exception):
    """A variable or an argument has a value that no setting can take; the message names it in one line."""


def load(**arguments: Any) -> Settings:
    """Return the settings in force; arguments that are None were not given. Raises InvalidSettings."""
    from pydantic import ValidationError

    from ocrsvc.settings import Settings

    try:
        return Settings(**{name: value for name, value in arguments.items() if value is not None})
    except ValidationError as error:
        raise InvalidSettings(
            "; ".join(f"OCRSVC_{_name(issue['loc'])}: {issue['msg']}" for issue in error.errors())
        ) from error


def load_offline(**arguments: Any) -> Settings:
    """Return the settings for work on the user's own files: no deadlines but those that the user sets."""
    settings = load(**arguments)
    relaxed = {name: value for name, value in OFFLINE.items() if name not in settings.model_fields_set}
    return settings.model_copy(update=relaxed)


def _name(location: tuple[int | str, ...]) -> str:
    return "_".join(str(part) for part in location).upper()
