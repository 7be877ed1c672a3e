"""The parameters of a request: one model that validates them and describes them in the OpenAPI document."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from ocrsvc import formats
from ocrsvc.errors import InvalidParameter, UnknownModel
from ocrsvc.formats import FORMATS, Format
from ocrsvc.reading.reading import CharsetMode, Mode, ReadOptions
from ocrsvc.recognition.charsets import characters_of, named
from ocrsvc.service.negotiation import negotiate

MODES: tuple[str, ...] = get_args(Mode)
CHARSET_MODES: tuple[str, ...] = get_args(CharsetMode)
TIMEOUT_HEADER = "x-request-timeout"

_Lower = BeforeValidator(str.lower)


def _charset(text: str) -> str:
    characters_of(text)  # raises UnknownCharset
    return text


def _format(name: str) -> str:
    return formats.find(name).name  # raises UnknownFormat


class RequestParameters(BaseModel):
    """What a request may say beside its pictures; every value comes as text."""

    model_config = ConfigDict(frozen=True)

    mode: Annotated[Mode, _Lower] = Field(
        "auto", description="auto: decide by the picture; line: it is one line of text; page: look for lines."
    )
    model: str | None = Field(None, description="Name of a recogniser, see GET /api/models.")
    format: Annotated[str, _Lower, AfterValidator(_format)] | None = Field(
        None,
        description="Format of the answer; without it the Accept header decides, then json.",
        json_schema_extra={"enum": list(FORMATS)},
    )
    charset: Annotated[str, AfterValidator(_charset)] | None = Field(
        None,
        description=(
            f"Only read these characters: names of {', '.join(named())} separated by commas, or the characters "
            "themselves after 'chars:', for example digits or chars:0123456789X."
        ),
    )
    charset_mode: Annotated[CharsetMode, _Lower] = Field(
        "force",
        description=(
            "Which lines have charset_conflict and free_text: force: those whose free reading has characters that "
            "the charset's leaves out; report: all whose free reading is another one. Only with a charset."
        ),
    )
    pages: str | None = Field(None, description="Pages of a PDF or TIFF, for example 1-3,7.")
    characters: bool = Field(False, description="Add every character with its confidence and place.")
    review_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Confidence below which a line has needs_review; default: the model's own.",
    )


NAMES = tuple(RequestParameters.model_fields)


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
    """Return the checked parameters of a request.

    A field of the body wins over the query; an empty value counts as absent. ``models`` are the names that may be
    asked for. The header X-Request-Timeout (seconds) may shorten ``deadline_seconds``, never lengthen it.
    Raises UnknownModel, UnknownFormat, UnknownCharset, InvalidParameter (also for an unknown name) or NotAcceptable,
    each with the allowed values.
    """
    _check_names([*query, *fields])
    given = {
        name: value.strip() for source in (query, fields) for name, value in source.items() if value.strip()
    }
    try:
        asked = RequestParameters.model_validate(given)
    except ValidationError as error:
        raise _invalid(error.errors()[0]) from error
    if asked.model is not None and asked.model not in models:
        # Checked here and not only by the reader: a name from outside must never become a path.
        raise UnknownModel(
            f"There is no model {asked.model[:80]!r}; there are {', '.join(sorted(models))}.",
            allowed=sorted(models),
        )
    if asked.charset_mode == "report" and asked.charset is None:
        raise InvalidParameter(
            "charset_mode=report needs a charset to compare with; name one, or leave it out."
        )
    options = ReadOptions(
        mode=asked.mode,
        model=asked.model,
        charset=asked.charset,
        pages=asked.pages,
        deadline_seconds=_deadline(headers.get(TIMEOUT_HEADER), deadline_seconds),
        charset_mode=asked.charset_mode,
        review_threshold=asked.review_threshold,
    )
    chosen = negotiate(headers.get("accept", "")) if asked.format is None else formats.find(asked.format)
    return Parameters(options, chosen, asked.characters)


def openapi_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON schema of every parameter by its name, as the OpenAPI document shows them.

    Defaults are not named: Swagger UI would send every one of them.
    """
    schemas = {}
    for name, schema in RequestParameters.model_json_schema()["properties"].items():
        present: dict[str, Any] = next(
            (each for each in schema.pop("anyOf", [{}]) if each.get("type") != "null"), {}
        )
        schemas[name] = {
            key: value for key, value in (present | schema).items() if key not in ("title", "default")
        }
    return schemas


def _check_names(given: Collection[str]) -> None:
    """Raise InvalidParameter for an unknown name: a slip (charst=digits) would be ignored in silence.

    Names that begin with an underscore pass: clients add them to get around caches.
    """
    for name in given:
        if name not in NAMES and not name.startswith("_"):
            near = difflib.get_close_matches(name.lower(), NAMES, n=1)
            meant = f" (is {near[0]} meant?)" if near else ""
            raise InvalidParameter(
                f"There is no parameter {name[:40]!r}{meant}; there are {', '.join(NAMES)}.", allowed=NAMES
            )


def _invalid(details: ErrorDetails) -> InvalidParameter:
    """Return the problem that tells what pydantic found wrong in one parameter."""
    name, value = str(details["loc"][0]), str(details["input"])[:40]
    allowed = get_args(RequestParameters.model_fields[name].annotation)
    if details["type"] == "literal_error":
        return InvalidParameter(
            f"There is no {name} {value!r}; use one of {', '.join(allowed)}.", allowed=allowed
        )
    if details["type"].startswith("bool"):
        return InvalidParameter(f"{name!r} must be true or false, not {value!r}.", allowed=["true", "false"])
    return InvalidParameter(f"{name!r} must be a number from 0 to 1, not {value!r}.")


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
