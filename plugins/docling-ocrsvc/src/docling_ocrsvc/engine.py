"""The OCR engine: docling says which parts of a page to read, ocrsvc reads them, docling merges the lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.base_models import DoclingComponentType, ErrorItem, FailureCategory, Page
from docling.datamodel.document import ConversionResult
from docling.datamodel.pipeline_options import OcrOptions
from docling.datamodel.settings import settings
from docling.exceptions import OcrLanguageNotSupportedError
from docling.models.base_ocr_model import BaseOcrModel
from docling.utils.ocr_language import OcrLanguage, OcrLanguageResolver, OcrLanguageSupport
from docling.utils.profiling import TimeRecorder
from docling_core.types.doc.base import BoundingBox, CoordOrigin
from docling_core.types.doc.page import BoundingRectangle, TextCell

from docling_ocrsvc.options import OcrsvcOcrOptions
from ocrsvc import OCR, Client, OcrError
from ocrsvc.results import Line

# Chinese and the languages in the Latin script whose letters the models have.
LANGUAGES = tuple(
    (  # noqa: SIM905
        "zh zh-Hant en af ca da de et eu fi fr gl hr hu id is it la nl no pl pt ro sk sl es sq sv"
    ).split()
)


class OcrsvcOcrModel(BaseOcrModel):
    """Reads pages in this process or, with the option ``url``, with a service."""

    multiple_languages: ClassVar[bool] = True

    def __init__(
        self,
        enabled: bool,
        artifacts_path: Path | None,
        options: OcrsvcOcrOptions,
        accelerator_options: AcceleratorOptions,
    ) -> None:
        super().__init__(
            enabled=enabled,
            artifacts_path=artifacts_path,
            options=options,
            accelerator_options=accelerator_options,
        )
        self._scale = options.scale
        self._reader: OCR | Client | None = None
        if enabled:
            self.resolve_ocr_languages()
            self._reader = _reader(options)
        self._parameters: dict[str, Any] = {"model": options.model} if options.url else {}

    @classmethod
    def get_options_type(cls) -> type[OcrOptions]:
        """Return the options by which docling finds this engine."""
        return OcrsvcOcrOptions

    def supported_ocr_languages(self) -> OcrLanguageSupport:
        """Return the languages that may be named."""
        return OcrLanguageSupport(bcp47=list(LANGUAGES))

    def map_ocr_language(self, language: OcrLanguage) -> str:
        """Return the tag of a language that is read, with or without docling's prefix ``iso:``.

        Raises OcrLanguageNotSupportedError for any other.
        """
        tagged: OcrLanguage | None = language
        if language.native is not None:
            tagged = OcrLanguageResolver.canonicalize_bcp47(language.native, raise_exception=False)
        if tagged is None or tagged.short_tag() not in LANGUAGES:
            raise OcrLanguageNotSupportedError(
                "ocrsvc", language.tag(), supported=self.supported_ocr_languages()
            )
        return tagged.short_tag()

    def __call__(self, conv_res: ConversionResult, page_batch: Iterable[Page]) -> Iterable[Page]:
        """Yield the pages with the lines that were read."""
        for page in page_batch:
            if self._reader is not None and page._backend is not None and page._backend.is_valid():
                with TimeRecorder(conv_res, "ocr"):
                    parts = [part for part in self.get_ocr_rects(page) if part.area() > 0]
                    cells = [cell for part in parts for cell in self._cells(conv_res, page, part)]
                    self.post_process_cells(cells, page, conv_res)
                if settings.debug.visualize_ocr:
                    self.draw_ocr_rects_and_cells(conv_res, page, parts)
            yield page

    def _cells(self, conv_res: ConversionResult, page: Page, part: BoundingBox) -> Iterator[TextCell]:
        """Yield the lines of a part of a page. One that cannot be read is noted, and the page goes on."""
        assert self._reader is not None  # noqa: S101
        assert page._backend is not None  # noqa: S101
        image = page._backend.get_page_image(scale=self._scale, cropbox=part)
        try:
            result = self._reader.read(image, mode="page", **self._parameters)
        except OcrError as error:
            conv_res.errors.append(
                ErrorItem(
                    component_type=DoclingComponentType.MODEL,
                    module_name=type(self).__name__,
                    error_message=error.detail,
                    category=FailureCategory.INFERENCE_FAILURE,
                    page_no=page.page_no,
                )
            )
            return
        for index, line in enumerate(result.lines):
            yield TextCell(
                index=index,
                text=line.text,
                orig=line.text,
                from_ocr=True,
                confidence=line.confidence,
                rect=_rectangle(line, part, self._scale),
            )


def _reader(options: OcrsvcOcrOptions) -> OCR | Client:
    if options.url is None:
        return OCR(model=options.model)
    key = options.api_key.get_secret_value() if options.api_key is not None else None
    return Client(options.url, api_key=key)


def _rectangle(line: Line, part: BoundingBox, scale: float) -> BoundingRectangle:
    """Return the place of a line on the page, in points; docling counts corners from the lower left one."""
    top_left, top_right, bottom_right, bottom_left = (
        (x / scale + part.l, y / scale + part.t) for x, y in line.polygon
    )
    return BoundingRectangle(
        r_x0=bottom_left[0],
        r_y0=bottom_left[1],
        r_x1=bottom_right[0],
        r_y1=bottom_right[1],
        r_x2=top_right[0],
        r_y2=top_right[1],
        r_x3=top_left[0],
        r_y3=top_left[1],
        coord_origin=CoordOrigin.TOPLEFT,
    )
