"""The same model in LitServe with its dynamic batching: ``workers`` processes that take batches off its queue.

    PYTHONPATH=bench python -m peers.litserve_service --port 8001 --model crnn --precision int8

POST /predict with ``{"image": base64}``, LitServe's way to send pictures, gives ``{"text"}``.
"""

# Without `from __future__ import annotations`: LitServe looks at the type of decode_request's argument.

import base64
from typing import Any

import litserve

from peers.reading import Line, Reading
from peers.service import Service, parse


class Reader(litserve.LitAPI):
    """Decodes and reads in one process."""

    def __init__(self, service: Service) -> None:
        super().__init__(max_batch_size=service.max_batch, batch_timeout=service.wait_ms / 1000)
        self._service = service

    def setup(self, device: str) -> None:
        """Open the model, once in each worker."""
        self._reading = Reading(self._service.model, self._service.precision)

    def decode_request(self, request: dict[str, Any]) -> Line:
        """Return the picture of the request, decoded and scaled."""
        return self._reading.fit(base64.b64decode(request["image"]))

    def batch(self, inputs: list[Line]) -> list[Line]:
        """Return the lines as they are: those of several widths stay apart."""
        return inputs

    def predict(self, x: list[Line]) -> list[str]:
        """Read a batch of lines."""
        return self._reading.read(x)

    def unbatch(self, output: list[str]) -> list[str]:
        """Return a text for each request."""
        return output

    def encode_response(self, output: str) -> dict[str, str]:
        """Return the answer as JSON."""
        return {"text": output}


if __name__ == "__main__":
    service = parse(__doc__)
    server = litserve.LitServer(
        Reader(service), accelerator="cpu", workers_per_device=service.workers, timeout=60
    )
    server.run(host="127.0.0.1", port=service.port, generate_client_file=False, log_level="warning")
