"""Options of the engine, as docling takes them."""

from __future__ import annotations

from typing import ClassVar, Literal

from docling.datamodel.pipeline_options import OcrOptions
from pydantic import ConfigDict, Field, SecretStr


class OcrsvcOcrOptions(OcrOptions):
    """What ``PdfPipelineOptions.ocr_options`` takes to read with ocrsvc."""

    kind: ClassVar[Literal["ocrsvc"]] = "ocrsvc"

    lang: list[str] = Field(
        default_factory=list, description="Languages to check, as BCP-47 tags. One model reads all of them."
    )
    url: str | None = Field(default=None, description="Address of an ocrsvc service. Default: read here.")
    api_key: SecretStr | None = Field(default=None, description="Key of the service.")
    model: str | None = Field(default=None, description="Name of a recogniser, as in `ocrsvc models`.")

    model_config = ConfigDict(extra="forbid")
