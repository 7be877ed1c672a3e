"""Regions of a page: places whose text a caller asks for, or wants ignored; parsed from JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from ocrsvc.errors import InvalidParameter, UnknownCharset
from ocrsvc.recognition.charsets import characters_of
from ocrsvc.results import Point, Polygon
from ocrsvc.text import nearest

TypeName = Literal[
    "date", "amount", "id_card", "credit_code", "bank_card", "plate", "phone", "invoice_number"
]
Unit = Literal["fraction", "pixel"]
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Corner = tuple[Coordinate, Coordinate]
Box = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
Corners = tuple[Corner, Corner, Corner, Corner]

MOST_REGIONS = 64  # of one kind in a request; a form has up to 40 fields
MOST_BYTES = 64 * 1024  # of the JSON of regions
_MOST_NAME_CHARACTERS = 64
LEAST_PIXELS = 4  # width and height of a region that can be read
_UNKNOWN = "unexpected_keyword_argument"  # pydantic's name of the error for a member that does not exist


@dataclass(frozen=True, slots=True)
class Area:
    """Place on the upright page: a ``box`` (left, top, right, bottom) or a ``polygon`` of four corners.

    Corners are clockwise from the top left of the text. ``unit``: fractions of the page's width and height, or pixels.
    ``page``: its number from 1, or None for every page.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    box: Box | None = None
    polygon: Corners | None = None
    unit: Unit = "fraction"
    page: Annotated[int, Field(ge=1)] | None = None

    def __post_init__(self) -> None:
        if (self.box is None) == (self.polygon is None):
            raise ValueError("give either box or polygon")
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError("box is left, top, right, bottom: left < right and top < bottom")
        if self.polygon is not None and not _is_convex(self.polygon):
            raise ValueError("polygon must be four corners of a convex shape, clockwise from the top left")

    def on(self, width: float, height: float) -> Polygon:
        """Return its corners in pixels on an upright page of this size."""
        across, down = (width, height) if self.unit == "fraction" else (1.0, 1.0)
        if self.polygon is not None:
            corners = tuple((x * across, y * down) for x, y in self.polygon)
            return corners[0], corners[1], corners[2], corners[3]
        left, top, right, bottom = self.box or (0.0, 0.0, 0.0, 0.0)
        left, right, top, bottom = left * across, right * across, top * down, bottom * down
        return (left, top), (right, top), (right, bottom), (left, bottom)


def needed(member: str) -> Callable[[dict[str, Any]], None]:
    """Return a change of a JSON schema: this member is required.

    A dataclass cannot say so of a member after others that have defaults.
    """

    def require(schema: dict[str, Any]) -> None:
        schema["properties"][member].pop("default", None)
        schema["required"] = [*schema.get("required", ()), member]

    return require


@dataclass(frozen=True, slots=True)
class Region(Area):
    """Area whose text is asked for by ``name``; read with a ``charset``, or as a value of a ``type``."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", json_schema_extra=needed("name"))

    name: Annotated[str, Field(min_length=1, max_length=_MOST_NAME_CHARACTERS)] = ""
    charset: str | None = None
    type: TypeName | None = None

    def __post_init__(self) -> None:
        Area.__post_init__(self)
        if not self.name:
            raise ValueError("name is missing")
        if self.charset is not None and self.type is not None:
            raise ValueError("give either charset or type: a type has its own characters")
        if self.charset is not None:
            try:
                characters_of(self.charset)
            except UnknownCharset as error:
                raise ValueError(error.detail) from error


Regions = Annotated[tuple[Region, ...], Field(max_length=MOST_REGIONS)]
Areas = Annotated[tuple[Area, ...], Field(max_length=MOST_REGIONS)]


def parse_regions(text: str, name: str = "regions") -> tuple[Region, ...]:
    """Return the regions in a JSON list; InvalidParameter says where it is wrong. Names must differ."""
    regions: tuple[Region, ...] = parsed(text, name, _regions())
    check_names(regions, name)
    return regions


def parse_areas(text: str, name: str = "ignore") -> tuple[Area, ...]:
    """Return the areas in a JSON list; InvalidParameter says where it is wrong."""
    areas: tuple[Area, ...] = parsed(text, name, _areas())
    return areas


def check_names(regions: tuple[Region, ...], name: str) -> None:
    """Raise InvalidParameter if two regions of the same page have the same name."""
    seen: dict[tuple[str, int | None], int] = {}
    for index, region in enumerate(regions):
        first = seen.setdefault((region.name, region.page), index)
        if first != index:
            raise InvalidParameter(
                f"{name}[{index}].name: {region.name!r} is the name of {name}[{first}] already.",
                place=f"{name}[{index}].name",
            )


def parsed(text: str, name: str, adapter: TypeAdapter[Any], most_bytes: int = MOST_BYTES) -> Any:
    """Return what the adapter makes of JSON; InvalidParameter names the place (``regions[2].box``) that is wrong."""
    if len(text.encode()) > most_bytes:
        raise InvalidParameter(
            f"{name} has more than {most_bytes // 1024} KiB of JSON.", max_bytes=most_bytes
        )
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        place = name + _place(details["loc"])
        raise InvalidParameter(
            f"{place}: {_reason(details)}{_meant(details, adapter)}.", place=place
        ) from error


def _reason(details: Mapping[str, Any]) -> str:
    if details["type"] == _UNKNOWN:
        return "there is no such member"
    return str(details["msg"]).removeprefix("Value error, ").rstrip(".")


def _meant(details: Mapping[str, Any], adapter: TypeAdapter[Any]) -> str:
    """Return the member that is meant, if the error is one that does not exist."""
    if details["type"] != _UNKNOWN:
        return ""
    known = {name for each in _objects(adapter.json_schema()) for name in each.get("properties", ())}
    near = nearest(str(details["loc"][-1]).lower(), sorted(known))
    return f" (is {near} meant?)" if near else ""


def _objects(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield schema
    yield from schema.get("$defs", {}).values()


def _place(path: tuple[int | str, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


@cache
def _regions() -> TypeAdapter[tuple[Region, ...]]:
    return TypeAdapter(Regions)


@cache
def _areas() -> TypeAdapter[tuple[Area, ...]]:
    return TypeAdapter(Areas)


def contains(polygon: Polygon, point: Point) -> bool:
    """Return whether a point lies in a convex polygon whose corners are clockwise."""
    x, y = point
    return all(
        (right[0] - left[0]) * (y - left[1]) - (right[1] - left[1]) * (x - left[0]) >= 0
        for left, right in zip(polygon, (*polygon[1:], polygon[0]), strict=True)
    )


def centre(polygon: Polygon) -> Point:
    """Return the mean of the corners."""
    return sum(x for x, _ in polygon) / 4, sum(y for _, y in polygon) / 4


def size(polygon: Polygon) -> tuple[float, float]:
    """Return the longer of two opposite sides: width and height in pixels."""
    top, right, bottom, left = (
        math.dist(one, other) for one, other in zip(polygon, (*polygon[1:], polygon[0]), strict=True)
    )
    return max(top, bottom), max(left, right)


def is_on_page(polygon: Polygon, width: float, height: float) -> bool:
    """Return whether its centre is on a page of this size, and it is large enough to be read."""
    x, y = centre(polygon)
    return 0 <= x <= width and 0 <= y <= height and min(size(polygon)) >= LEAST_PIXELS


def _is_convex(corners: Corners) -> bool:
    around = (*corners, *corners[:2])
    turns = [
        (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
        for a, b, c in zip(around, around[1:], around[2:], strict=False)
    ]
    return all(turn > 0 for turn in turns)
