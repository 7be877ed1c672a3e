"""The ML backend over HTTP: what Label Studio calls to have tasks read."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, HTTPException
from PIL import Image
from pydantic import BaseModel, Field

from label_studio_ocrsvc.labelling import Labelling, UnsuitableConfiguration
from label_studio_ocrsvc.pictures import Pictures, Unfetchable
from label_studio_ocrsvc.predictions import prediction_of
from ocrsvc import OCR, Client, OcrError

UNNAMED = "$undefined$"  # key of pictures that were uploaded before there was a labelling configuration
_log = logging.getLogger("label_studio_ocrsvc")


class Setup(BaseModel):
    """What Label Studio sends when it connects, and when a labelling configuration changes."""

    label_config: str = Field(alias="schema")


class Tasks(BaseModel):
    """Tasks to read, with the labelling configuration of their project."""

    tasks: list[dict[str, Any]]
    label_config: str


def application(reader: OCR | Client, pictures: Pictures, options: Mapping[str, Any]) -> FastAPI:
    """Return the backend; ``options`` are keyword arguments of the reader, such as ``charset``."""
    app = FastAPI(title="label-studio-ocrsvc", docs_url=None, redoc_url=None)

    def version() -> str:
        blank = io.BytesIO()
        Image.new("L", (64, 32), 255).save(blank, "PNG")
        model = reader.read(blank.getvalue(), **options).model
        return f"{model.name}-{model.digest.removeprefix('sha256:')[:8]}"

    @app.get("/")
    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "UP", "model_class": "ocrsvc"}

    @app.post("/setup")
    def setup(sent: Setup) -> dict[str, str]:
        labelling_of(sent.label_config)
        return {"model_version": version()}

    @app.get("/versions")
    def versions() -> dict[str, list[str]]:
        return {"versions": [version()]}

    @app.post("/predict")
    def predict(sent: Tasks) -> dict[str, Any]:
        labelling, named = labelling_of(sent.label_config), version()
        return {"results": [predicted(task, labelling, named) for task in sent.tasks]}

    @app.post("/webhook", status_code=201)
    def webhook(sent: dict[str, Any]) -> dict[str, Any]:
        # Training takes minutes and may forget something: it stays a command (docs/finetuning.md).
        return {"status": "ok", "result": {}}

    def predicted(task: dict[str, Any], labelling: Labelling, named: str) -> dict[str, Any]:
        try:
            data = task["data"]
            picture = pictures.fetch(str(data[labelling.data_key if labelling.data_key in data else UNNAMED]))
            return prediction_of(reader.read(picture, mode="page", **options), labelling, named)
        except (KeyError, Unfetchable) as error:
            _log.warning("Task %s: %s", task.get("id"), error)
        except OcrError as error:
            _log.warning("Task %s: %s", task.get("id"), error.detail)
        return {"model_version": named, "score": 0.0, "result": []}  # Label Studio wants one for each task

    def labelling_of(configuration: str) -> Labelling:
        try:
            return Labelling.of(configuration)
        except UnsuitableConfiguration as error:
            raise HTTPException(400, str(error)) from error

    return app
