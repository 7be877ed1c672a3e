"""Templates of forms: texts that are expected at places (anchors), and the regions of fields relative to them.

A template is a JSON object. Its places are fractions of its own page, or pixels of a page of the size ``page``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

from ocrsvc.fields.region import MOST_BYTES, Area, Areas, Regions, check_names, needed, parsed
from ocrsvc.results import Polygon

MOST_ANCHORS = 16
_MOST_TEXT_CHARACTERS = 64
Size = Annotated[int, Field(ge=1, le=100_000)]


@dataclass(frozen=True, slots=True)
class PageSize:
    """Width and height in pixels of the page of a template."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    width: Size
    height: Size


@dataclass(frozen=True, slots=True)
class Anchor(Area):
    """Text that is expected at a place.

    ``tolerance``: largest distance from there, as a fraction of the page's longer side. ``similarity``: least share of
    the text that must agree, from 0 to 1.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", json_schema_extra=needed("text"))

    text: Annotated[str, Field(min_length=1, max_length=_MOST_TEXT_CHARACTERS)] = ""
    tolerance: Annotated[float, Field(gt=0, le=1)] = 0.15
    similarity: Annotated[float, Field(gt=0, le=1)] = 0.75

    def __post_init__(self) -> None:
        Area.__post_init__(self)
        if not self.text.strip():
            raise ValueError("text is missing")


@dataclass(frozen=True, slots=True)
class Template:
    """Anchors of a form, and the regions to read once the anchors are found.

    ``least_anchors``: number of anchors that must be found; default: half of them. ``page``: the size in pixels of the
    template's page, needed for the unit ``pixel``.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    anchors: Annotated[tuple[Anchor, ...], Field(min_length=1, max_length=MOST_ANCHORS)]
    regions: Annotated[Regions, Field(min_length=1)]
    name: Annotated[str, Field(max_length=_MOST_TEXT_CHARACTERS)] = ""
    page: PageSize | None = None
    ignore: Areas = ()
    least_anchors: Annotated[int, Field(ge=1, le=MOST_ANCHORS)] | None = None

    def __post_init__(self) -> None:
        areas: tuple[Area, ...] = (*self.anchors, *self.regions, *self.ignore)
        if self.page is None and any(area.unit == "pixel" for area in areas):
            raise ValueError("places in pixels need the size of the template's page")
        if self.least_anchors is not None and self.least_anchors > len(self.anchors):
            raise ValueError(
                f"least_anchors is {self.least_anchors}, but there are {len(self.anchors)} anchors"
            )

    @property
    def needed_anchors(self) -> int:
        """Return the number of anchors that must be found on a page."""
        return self.least_anchors or (len(self.anchors) + 1) // 2

    def stretched(self, area: Area, width: float, height: float) -> Polygon:
        """Return the corners of one of its areas on a page of this size, as if the page were the template's."""
        if area.unit == "fraction" or self.page is None:
            return area.on(width, height)
        across, down = width / self.page.width, height / self.page.height
        a, b, c, d = ((x * across, y * down) for x, y in area.on(self.page.width, self.page.height))
        return a, b, c, d


def parse_template(text: str) -> Template:
    """Return the template in a JSON object; InvalidParameter says where it is wrong."""
    template: Template = parsed(text, "template", _adapter(), 4 * MOST_BYTES)
    check_names(template.regions, "template.regions")
    return template


def schema() -> dict[str, Any]:
    """Return the JSON schema of templates."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_adapter().json_schema(),
        "title": "ocrsvc template",
    }


@cache
def _adapter() -> TypeAdapter[Template]:
    return TypeAdapter(Template)
