"""Request parameters: one pydantic model both validates them and describes them in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from ocrsvc import formats
from ocrsvc.errors import InvalidParameter, UnknownModel
from ocrsvc.fields.region import parse_areas, parse_regions
from ocrsvc.fields.template import parse_template
from ocrsvc.formats import FORMATS, Format, Granularity
from ocrsvc.pages.text_layer import PdfText
from ocrsvc.pages.turns import TurnName, turn_named
from ocrsvc.reading.reading import CharsetMode, Mode, ReadOptions
from ocrsvc.recognition.charsets import characters_of, named
from ocrsvc.results import MOST_ALTERNATIVES, Layout
from ocrsvc.service import unknown_names
from ocrsvc.service.negotiation import negotiate

MODES: tuple[str, ...] = get_args(Mode)
CHARSET_MODES: tuple[str, ...] = get_args(CharsetMode)
ORIENTATIONS: tuple[str, ...] = get_args(TurnName)
LAYOUTS: tuple[str, ...] = get_args(Layout)
PDF_TEXTS: tuple[str, ...] = get_args(PdfText)
GRANULARITIES: tuple[str, ...] = get_args(Granularity)
TIMEOUT_HEADER = "x-request-timeout"

_Lower = BeforeValidator(str.lower)
_MOST_PASSWORD_CHARACTERS = 127  # of the standard; longer ones are cut there by all programs
_FLAGS = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)


def _charset(text: str) -> str:
    characters_of(text)  # raises UnknownCharset
    return text


def _flag(text: str) -> bool:
    if text.lower() not in _FLAGS:  # pydantic would take t, f, y and n as well
        raise InvalidParameter(
            f"'characters' must be true or false, not {text[:40]!r}.", allowed=["true", "false"]
        )
    return _FLAGS[text.lower()]


def _password(text: str) -> str:
    if len(text) > _MOST_PASSWORD_CHARACTERS:  # the message must not repeat it, as pydantic's would
        raise InvalidParameter(f"password has more than {_MOST_PASSWORD_CHARACTERS} characters.")
    return text


class RequestParameters(BaseModel):
    """All parameters of a request; every value arrives as text."""

    model_config = ConfigDict(frozen=True)

    mode: Annotated[Mode, _Lower] = Field(
        "auto",
        description="line: the picture is one line of text; page: find the lines; auto: decide by its shape.",
    )
    model: str | None = Field(None, description="Name of a recogniser, see GET /api/models.")
    format: Annotated[str, _Lower] | None = Field(
        None,
        description="Format of the answer. Default: the one that the Accept header prefers, or else json.",
        json_schema_extra={"enum": list(FORMATS)},
    )
    charset: Annotated[str, AfterValidator(_charset)] | None = Field(
        None,
        description=(
            f"Read only these characters. Names, separated by commas: {', '.join(named())}. Or the characters "
            "themselves after 'chars:'. Examples: digits; chars:0123456789X."
        ),
    )
    charset_mode: Annotated[CharsetMode, _Lower] = Field(
        "force",
        description=(
            "Which lines get charset_conflict and free_text. force: lines where the charset left out a character; "
            "report: lines where it changed anything. Applies only with a charset."
        ),
    )
    orientation: Annotated[TurnName, _Lower] = Field(
        "auto",
        description=(
            "Clockwise angle in degrees by which pages have to be turned to be upright; auto: find it for each page."
        ),
    )
    layout: Annotated[Layout, _Lower] = Field(
        "lines",
        description=(
            "How the text is laid out. lines: line by line; rows: lines side by side on one line, columns kept apart "
            "by spaces; paragraphs: text reflowed, a blank line between blocks; tables: the same, with tables in "
            "Markdown; raw: lines by their upper edges, ungrouped. With rows, paragraphs and tables, json has blocks."
        ),
    )
    pages: str | None = Field(None, description="Pages of a PDF or TIFF, for example 1-3,7.")
    pdf_text: Annotated[PdfText, _Lower] = Field(
        "auto",
        description=(
            "Use of the text layer of a PDF. auto: text that is visible and agrees with the picture is taken, the rest "
            "is read; never: all is read; always: the layer of each page that has one is taken unchecked."
        ),
    )
    password: Annotated[SecretStr, BeforeValidator(_password)] | None = Field(
        None, description="Password of an encrypted PDF. Send it in the body: addresses are often logged."
    )
    characters: Annotated[bool, BeforeValidator(_flag)] = Field(
        False, description="Short for granularity=char."
    )
    granularity: Annotated[Granularity, _Lower] = Field(
        "line",
        description=(
            "Smallest parts with a place of their own. word: add the words of each line to json and jsonl, which tsv, "
            "hocr and alto always have; char: add its characters to all of these."
        ),
    )
    n_best: int | None = Field(
        None,
        ge=1,
        le=MOST_ALTERNATIVES,
        description=(
            "Add the most probable texts of each line, at most this many; with characters=true also of each "
            "character. Applies to json and jsonl."
        ),
    )
    review_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Lines with a lower confidence get needs_review. Default: the server's setting or the model's own.",
    )
    regions: str | None = Field(
        None,
        description=(
            "JSON list of places whose text is wanted: name, box or polygon, unit (fraction, pixel), page, and charset "
            "or type (date, amount, id_card, credit_code, bank_card, plate, phone, invoice_number). The answer has "
            "fields. Applies to json and jsonl."
        ),
    )
    ignore: str | None = Field(
        None, description="JSON list of places whose lines are left out: box or polygon, unit, page."
    )
    template: str | None = Field(
        None,
        description=(
            "Instead of regions and ignore: JSON object with anchors (texts that are printed on every copy of a form) "
            "and regions, which are found by them on pages that are shifted, scaled or slightly turned."
        ),
    )


NAMES = tuple(RequestParameters.model_fields)


@dataclass(frozen=True, slots=True)
class Parameters:
    """Checked parameters of one request."""

    options: ReadOptions
    format: Format
    granularity: Granularity
    events: bool = False

    @property
    def streamed(self) -> bool:
        """Return whether the pages are delivered as they are read: as JSON Lines, or as server-sent ``events``."""
        return self.events or self.format.name == "jsonl"


def parse(
    query: Mapping[str, str],
    fields: Mapping[str, str],
    headers: Mapping[str, str],
    *,
    models: Collection[str],
    deadline_seconds: float,
) -> Parameters:
    """Return the checked parameters of a request.

    A field of the body overrides the query; an empty value counts as absent. ``models`` are the allowed model names.
    The header X-Request-Timeout (seconds) may shorten ``deadline_seconds``, never lengthen it.
    Raises UnknownModel, UnknownFormat, UnknownCharset, InvalidParameter (also for an unknown name) or NotAcceptable,
    each with the allowed values.
    """
    asked = _asked(query, fields)
    if asked.model is not None and asked.model not in models:
        # Also checked here, because a name from a request must never become a path.
        raise UnknownModel(
            f"There is no model {asked.model[:80]!r}; there are {', '.join(sorted(models))}.",
            allowed=sorted(models),
        )
    if asked.charset_mode == "report" and asked.charset is None:
        raise InvalidParameter(
            "charset_mode=report needs a charset to compare with; name one, or leave it out."
        )
    if asked.template is not None and (asked.regions is not None or asked.ignore is not None):
        raise InvalidParameter("A template has regions and ignore of its own: send either it or them.")
    options = ReadOptions(
        mode=asked.mode,
        model=asked.model,
        charset=asked.charset,
        pages=asked.pages,
        deadline_seconds=_deadline(headers.get(TIMEOUT_HEADER), deadline_seconds),
        charset_mode=asked.charset_mode,
        review_threshold=asked.review_threshold,
        n_best=asked.n_best or 0,
        orientation=turn_named(asked.orientation),
        pdf_text=asked.pdf_text,
        password=asked.password.get_secret_value() if asked.password else None,
        layout=asked.layout,
        regions=parse_regions(asked.regions) if asked.regions else (),
        ignore=parse_areas(asked.ignore) if asked.ignore else (),
        template=parse_template(asked.template) if asked.template else None,
    )
    if asked.format is None:
        chosen = negotiate(headers.get("accept", ""))
        options = replace(options, structured=chosen.format.structured)
        return Parameters(options, chosen.format, _granularity(asked), chosen.events)
    format_ = formats.find(asked.format)
    return Parameters(replace(options, structured=format_.structured), format_, _granularity(asked))


RESULT_NAMES = ("format", "characters", "granularity")
RENDERING_NAMES = (*RESULT_NAMES, "layout", "password")


def parse_result(
    query: Mapping[str, str], headers: Mapping[str, str], *, format_name: str, granularity: Granularity
) -> tuple[Format, bool, Granularity]:
    """Return the format of a job's result, whether as server-sent events, and its smallest parts.

    ``format_name`` and ``granularity`` are what the job was sent with. Raises as ``parse`` does.
    """
    asked = _asked(query, names=RESULT_NAMES)
    if asked.model_fields_set & {"characters", "granularity"}:
        granularity = _granularity(asked)
    accept = headers.get("accept", "").strip()
    if asked.format is None and accept not in ("", "*/*"):
        chosen = negotiate(accept)
        return chosen.format, chosen.events, granularity
    return formats.find(asked.format or format_name), False, granularity


@dataclass(frozen=True, slots=True)
class RenderingParameters:
    """Checked parameters of POST /api/render."""

    format: Format
    granularity: Granularity
    layout: Layout
    password: str | None = None


def parse_rendering(
    query: Mapping[str, str], fields: Mapping[str, str], headers: Mapping[str, str]
) -> RenderingParameters:
    """Return how a given reading is to be written; raises as ``parse`` does."""
    asked = _asked(query, fields, names=RENDERING_NAMES)
    format_ = (
        negotiate(headers.get("accept", "")).format if asked.format is None else formats.find(asked.format)
    )
    password = asked.password.get_secret_value() if asked.password else None
    return RenderingParameters(format_, _granularity(asked), asked.layout, password)


def check_none(query: Mapping[str, str]) -> None:
    """Raise InvalidParameter if a request to a route without parameters has one."""
    unknown_names.check("parameter", query, ())


def _asked(*sources: Mapping[str, str], names: Sequence[str] = NAMES) -> RequestParameters:
    """Return what the sources say, of which later ones override earlier ones; an empty value counts as absent."""
    unknown_names.check("parameter", [name for source in sources for name in source], names)
    given = {
        name: value if name == "password" else value.strip()  # a password may begin with a space
        for source in sources
        for name, value in source.items()
        if value.strip()
    }
    try:
        return RequestParameters.model_validate(given)
    except ValidationError as error:
        raise _invalid(error.errors()[0]) from error


def _granularity(asked: RequestParameters) -> Granularity:
    return "char" if asked.characters else asked.granularity


def openapi_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON schema of each parameter by name, for the OpenAPI document.

    Defaults are left out, because Swagger UI would send every one of them.
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


def _invalid(details: ErrorDetails) -> InvalidParameter:
    """Return pydantic's finding about one parameter as an InvalidParameter."""
    name, value = str(details["loc"][0]), str(details["input"])[:40]
    allowed = get_args(RequestParameters.model_fields[name].annotation)
    if details["type"] == "literal_error":
        return InvalidParameter(
            f"There is no {name} {value!r}; use one of {', '.join(allowed)}.", allowed=allowed
        )
    wanted = f"a whole number from 1 to {MOST_ALTERNATIVES}" if name == "n_best" else "a number from 0 to 1"
    return InvalidParameter(f"{name!r} must be {wanted}, not {value!r}.")


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
