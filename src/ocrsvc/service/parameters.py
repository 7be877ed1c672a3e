"""What a caller may ask for beside the picture: from the query, the form fields or the JSON members."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import cast, get_args

from ocrsvc import formats
from ocrsvc.errors import InvalidParameter, NotAcceptable, UnknownModel
from ocrsvc.formats import Format
from ocrsvc.reading.reading import CharsetMode, Mode, ReadOptions
from ocrsvc.recognition.charsets import characters_of

MODES: tuple[str, ...] = get_args(Mode)
CHARSET_MODES: tuple[str, ...] = get_args(CharsetMode)
NAMES = (
    "mode",
    "model",
    "format",
    "charset",
    "charset_mode",
    "pages",
    "characters",
    "review_threshold",
)
DEFAULT_MODE = "auto"
DEFAULT_CHARSET_MODE = "force"
DEFAULT_FORMAT = "json"
TIMEOUT_HEADER = "x-request-timeout"

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_ALIASES = {
    "application/x-ndjson": "jsonl",
    "application/x-jsonlines": "jsonl",
    "application/json-lines": "jsonl",
}


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one request, checked."""

    options: ReadOptions
    format: Format
    characters: bool


def parse(
    query: Mapping[str, str],
    fields: Mapping[str, str],
    headers: Mapping[str, str],
    *,
    models: Collection[str],
    deadline_seconds: float,
) -> Parameters:
    """Return the parameters; a field of the body wins over the query, an empty value counts as none, an unknown name
    is an error.

    ``models`` are the names that may be asked for; ``deadline_seconds`` may be shortened by the header
    X-Request-Timeout (seconds), never lengthened. UnknownModel, UnknownFormat, UnknownCharset,
    InvalidParameter or NotAcceptable say what is allowed.
    """
    _check_names([*query, *fields])
    given = {
        name: value.strip() for name in NAMES if (value := fields.get(name) or query.get(name) or "").strip()
    }
    mode = given.get("mode", DEFAULT_MODE).lower()
    if mode not in MODES:
        raise InvalidParameter(
            f"There is no mode {mode[:40]!r}; use one of {', '.join(MODES)}.", allowed=MODES
        )
    model = given.get("model")
    if model is not None and model not in models:
        # Checked here and not only by the reader: a name from outside must never become a path.
        raise UnknownModel(
            f"There is no model {model[:80]!r}; there are {', '.join(sorted(models))}.",
            allowed=sorted(models),
        )
    charset = given.get("charset")
    if charset is not None:
        characters_of(charset)
    charset_mode = given.get("charset_mode", DEFAULT_CHARSET_MODE).lower()
    if charset_mode not in CHARSET_MODES:
        raise InvalidParameter(
            f"There is no charset_mode {charset_mode[:40]!r}; use one of {', '.join(CHARSET_MODES)}.",
            allowed=CHARSET_MODES,
        )
    if charset_mode == "report" and charset is None:
        raise InvalidParameter(
            "charset_mode=report needs a charset to compare with; name one, or leave it out."
        )
    options = ReadOptions(
        mode=cast(Mode, mode),
        model=model,
        charset=charset,
        pages=given.get("pages"),
        deadline_seconds=_deadline(headers.get(TIMEOUT_HEADER), deadline_seconds),
        charset_mode=cast(CharsetMode, charset_mode),
        review_threshold=_share("review_threshold", given.get("review_threshold")),
    )
    chosen = (
        formats.find(given["format"].lower()) if "format" in given else negotiate(headers.get("accept", ""))
    )
    return Parameters(options, chosen, _flag("characters", given.get("characters")))


def _check_names(given: Collection[str]) -> None:
    """Raise InvalidParameter for a name that is none: a slip (charst=digits) would be ignored in silence.

    Names that begin with an underscore are let through: clients add them against caches.
    """
    for name in given:
        if name not in NAMES and not name.startswith("_"):
            near = difflib.get_close_matches(name.lower(), NAMES, n=1)
            meant = f" (is {near[0]} meant?)" if near else ""
            raise InvalidParameter(
                f"There is no parameter {name[:40]!r}{meant}; there are {', '.join(NAMES)}.", allowed=NAMES
            )


def negotiate(accept: str) -> Format:
    """Return the format that an Accept header prefers (RFC 9110, 12.5.1), JSON where it does not care."""
    wanted = sorted(_accepted(accept), key=lambda wish: -wish[1])
    for media_type, quality in wanted:
        if quality <= 0:
            continue
        if media_type in ("*/*", "application/*"):
            return formats.FORMATS[DEFAULT_FORMAT]
        if media_type in _ALIASES:
            return formats.FORMATS[_ALIASES[media_type]]
        for each in formats.FORMATS.values():
            own = each.media_type.partition(";")[0]
            if media_type in (own, own.partition("/")[0] + "/*"):
                return each
    if not wanted:
        return formats.FORMATS[DEFAULT_FORMAT]
    offered = [each.media_type.partition(";")[0] for each in formats.FORMATS.values()]
    raise NotAcceptable(f"The Accept header names none of {', '.join(offered)}.", allowed=offered)


def _accepted(accept: str) -> list[tuple[str, float]]:
    wanted = []
    for part in accept.split(","):
        media_type, *attributes = (piece.strip().lower() for piece in part.split(";"))
        if not media_type:
            continue
        quality = 1.0
        for attribute in attributes:
            if attribute.startswith("q="):
                try:
                    quality = float(attribute[2:])
                except ValueError:
                    quality = 0.0
        wanted.append((media_type, quality))
    return wanted


def _deadline(asked: str | None, limit_seconds: float) -> float:
    if not asked:
        return limit_seconds
    try:
        seconds = float(asked)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise InvalidParameter(f"{TIMEOUT_HEADER} must be a number of seconds above 0, not {asked[:40]!r}.")
    return min(seconds, limit_seconds)


def _share(name: str, value: str | None) -> float | None:
    if value is None:
        return None
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise InvalidParameter(f"{name!r} must be a number from 0 to 1, not {value[:40]!r}.")
    return share


def _flag(name: str, value: str | None) -> bool:
    if value is None or value.lower() in _FALSE:
        return False
    if value.lower() in _TRUE:
        return True
    raise InvalidParameter(f"{name!r} must be true or false, not {value[:40]!r}.", allowed=["true", "false"])
