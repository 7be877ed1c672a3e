"""The service of the blog posts: Flask, one picture a request, every line resized to one size, a loop over characters.

    PYTHONPATH=bench python -m peers.naive_flask --port 8001 --model crnn

Their size is 32 x 320. Here it is 48 x 320, because the model was trained for that height. The InferenceSession has
ORT's defaults. Flask's own server runs it, with a thread for each request.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
from flask import Flask, request
from numpy.typing import NDArray

from peers.own import manifest
from peers.service import parse

WIDTH = 320  # pixels, of every line


def create_app(model: str, precision: str = "fp32") -> Flask:
    """Return the service. POST /ocr with a picture, as body or form field ``image``, gives text and confidence."""
    spec = manifest(model)
    session = ort.InferenceSession(spec.files[precision].read())
    app = Flask(__name__)

    @app.post("/ocr")
    def ocr() -> dict[str, Any] | tuple[dict[str, str], int]:
        data = request.files["image"].read() if "image" in request.files else request.get_data()
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if picture is None:
            return {"error": "no picture"}, 400
        pixels = cv2.resize(picture, (WIDTH, spec.input.height))[None]
        indices, probabilities = session.run(["indices", "probabilities"], {"pixels": pixels})
        text, confidence = decode(indices[0, :, 0], probabilities[0, :, 0], spec.charset)
        return {"text": text, "confidence": confidence}

    return app


def decode(best: NDArray[np.int32], peaks: NDArray[np.float32], charset: str) -> tuple[str, float]:
    """Return the text of the best class of each step, repeats merged and blanks dropped, and its mean probability."""
    text, sure, previous = "", [], 0
    for index, peak in zip(best, peaks, strict=True):
        if index not in (0, previous):
            text += charset[index - 1]
            sure.append(float(peak))
        previous = index
    return text, sum(sure) / len(sure) if sure else 0.0


if __name__ == "__main__":
    service = parse(__doc__)
    create_app(service.model, service.precision).run(port=service.port, threaded=True)
