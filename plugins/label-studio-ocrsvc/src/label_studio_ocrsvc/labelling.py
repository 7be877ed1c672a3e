"""What a labelling configuration of Label Studio has for text: a picture, a shape, a text area, perhaps labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lxml import etree

Shape = Literal["rectangle", "rectanglelabels", "polygon", "polygonlabels"]
_SHAPES: dict[str, Shape] = {
    "RectangleLabels": "rectanglelabels",
    "Rectangle": "rectangle",
    "PolygonLabels": "polygonlabels",
    "Polygon": "polygon",
}


class UnsuitableConfiguration(ValueError):
    """A labelling configuration without a picture, a shape and a text area for it."""


@dataclass(frozen=True, slots=True)
class Labelling:
    """The names of the controls, as ``from_name`` and ``to_name`` of results have them.

    ``data_key``: which value of a task is the address of the picture. ``shape``: type of the results that are outlines.
    ``labels_name``: of a separate ``Labels`` control, if there is one. ``label``: the first of the labels, if any.
    """

    picture_name: str
    data_key: str
    shape: Shape
    shape_name: str
    text_name: str
    labels_name: str | None = None
    label: str | None = None

    @classmethod
    def of(cls, configuration: str) -> Labelling:
        """Return what a configuration (XML) has. Raises UnsuitableConfiguration."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        try:
            tree = etree.fromstring(configuration.encode(), parser)
        except etree.XMLSyntaxError as error:
            raise UnsuitableConfiguration(f"The labelling configuration is no XML: {error}") from error
        for picture in tree.iter("Image"):
            name, value = picture.get("name", ""), picture.get("value", "")
            texts = _controls(tree, "TextArea", name)
            shapes = [(tag, each) for tag in _SHAPES for each in _controls(tree, tag, name)]
            if texts and shapes:
                (tag, shape), labels = shapes[0], _controls(tree, "Labels", name)
                holder = shape if tag.endswith("Labels") else labels[0] if labels else None
                return cls(
                    picture_name=name,
                    data_key=value.removeprefix("$"),
                    shape=_SHAPES[tag],
                    shape_name=shape.get("name", ""),
                    text_name=texts[0].get("name", ""),
                    labels_name=labels[0].get("name") if labels and holder is labels[0] else None,
                    label=_first_label(holder),
                )
        raise UnsuitableConfiguration(
            "The labelling configuration needs an Image, and for it a TextArea and one of "
            f"{', '.join(_SHAPES)}."
        )


def _controls(tree: etree._Element, tag: str, picture: str) -> list[etree._Element]:
    return [each for each in tree.iter(tag) if picture in each.get("toName", "").split(",")]


def _first_label(holder: etree._Element | None) -> str | None:
    labels = [] if holder is None else [each.get("value") for each in holder.iter("Label")]
    return labels[0] if labels else None
