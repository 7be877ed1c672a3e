"""Stand-ins for docling's layout and table models, whose weights are not on the package index.

Everything else that runs is docling's own: backends, the OCR stage, page assembly, reading order, export. A page is a
heading (the upper third) and a text (the rest). Imported by programs that tests start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docling.datamodel.base_models import Cluster, LayoutPrediction, Page, TableStructurePrediction
from docling.datamodel.document import ConversionResult
from docling.datamodel.pipeline_options import (
    BaseLayoutOptions,
    BaseTableStructureOptions,
    PdfPipelineOptions,
)
from docling.models.base_layout_model import BaseLayoutModel
from docling.models.base_table_model import BaseTableStructureModel
from docling.models.plugins import defaults
from docling_core.types.doc.base import BoundingBox
from docling_core.types.doc.labels import DocItemLabel

HEADING_SHARE = 1 / 3  # of the height of a page


class DrawnLayout(BaseLayoutModel):
    """Stands where docling's default layout model does."""

    def __init__(self, **_: Any) -> None:
        """Take what docling gives to a layout model."""

    @classmethod
    def get_options_type(cls) -> type[BaseLayoutOptions]:
        """Return the options of the model that this one stands for."""
        return type(PdfPipelineOptions().layout_options)

    def predict_layout(self, conv_res: ConversionResult, pages: Sequence[Page]) -> Sequence[LayoutPrediction]:
        """Return a heading and a text for each page."""
        return [LayoutPrediction(clusters=list(_clusters(page))) for page in pages]


class NoTables(BaseTableStructureModel):
    """Stands where docling's default table model does."""

    def __init__(self, **_: Any) -> None:
        """Take what docling gives to a table model."""
        self.enabled = False

    @classmethod
    def get_options_type(cls) -> type[BaseTableStructureOptions]:
        """Return the options of the model that this one stands for."""
        return type(PdfPipelineOptions().table_structure_options)

    def predict_tables(
        self, conv_res: ConversionResult, pages: Sequence[Page]
    ) -> Sequence[TableStructurePrediction]:
        """Return no tables."""
        return []


def _clusters(page: Page) -> Sequence[Cluster]:
    assert page.size is not None
    width, height = page.size.width, page.size.height
    middle = height * HEADING_SHARE
    heading = BoundingBox(l=0, t=0, r=width, b=middle)
    text = BoundingBox(l=0, t=middle, r=width, b=height)
    return (
        Cluster(id=0, label=DocItemLabel.SECTION_HEADER, bbox=heading),
        Cluster(id=1, label=DocItemLabel.TEXT, bbox=text),
    )


defaults.layout_engines = lambda: {"layout_engines": [DrawnLayout]}
defaults.table_structure_engines = lambda: {"table_structure_engines": [NoTables]}
