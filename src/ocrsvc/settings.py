"""All settings of the service, read once from ``OCRSVC_*`` variables or given explicitly, then frozen.

A test asserts that each field is described in docs/settings.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Precision = Literal["auto", "int8", "fp32"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "json", "text"]


class Settings(BaseSettings):
    """Configuration of one process; units are in the names."""

    model_config = SettingsConfigDict(
        env_prefix="OCRSVC_", env_ignore_empty=True, frozen=True, extra="forbid", protected_namespaces=()
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    listen_when_ready: bool = Field(
        False,
        description="Whether the port is opened only once the models are ready, for proxies without health checks.",
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port for /metrics alone, without a key. Default: the service's own.",
    )

    api_keys: SecretStr | None = Field(
        None,
        description="API keys, separated by commas, in plain text or as sha256:HEX. Default: no key needed.",
    )
    api_keys_file: Path | None = Field(
        None, description="File of API keys, one a line, perhaps with a name; read again when it changes."
    )
    allow_anonymous: bool = Field(
        False, description="Whether other machines may be served although there is no API key."
    )
    key_requests_per_minute: int | None = Field(
        None, ge=1, le=1_000_000, description="Most POST requests of one key in a minute. Default: no limit."
    )
    key_requests_at_once: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Most POST requests of one key in work at once. Default: no limit.",
    )
    cors_origins: str = Field(
        "", description="Other sites whose pages may use the service, separated by commas. Default: none."
    )
    compat: bool = Field(
        True,
        description="Whether clients of other OCR services are answered, under the paths that they know.",
    )
    docs: bool = Field(
        True, description="Whether /docs and /openapi.json describe the interface, without a key."
    )

    log_level: LogLevel = Field(
        "info", description="Least important lines of the log: debug, info, warning or error."
    )
    log_format: LogFormat = Field(
        "auto", description="json, text, or auto: text on a terminal, JSON elsewhere."
    )

    model: str = Field("crnn", description="Name of the default recogniser, or a path to a model folder.")
    models_dir: Path | None = Field(
        None, description="Folder of models. Default: the models that ship with the package."
    )
    cache_dir: Path | None = Field(
        None,
        description="Folder for converted models. Default: the user's cache folder.",
    )
    precision: Precision = Field(
        "auto", description="Which weights to run: int8, fp32, or auto (int8 where shipped)."
    )

    providers: str = Field(
        "cpu",
        pattern=r"^(cpu|cuda|cann|openvino)(,(cpu|cuda|cann|openvino))*$",
        description="ONNX Runtime execution providers, in order: cpu, cuda, cann, openvino.",
    )

    review_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Confidence below which a line needs review. Default: the model's, or 0.9 without a calibration.",
    )

    reread_below: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Confidence below which a cascade reads a line again. Default: that of the cascade.",
    )

    context: bool = Field(True, description="Whether ambiguous characters are resolved with a dictionary.")

    workers: int | None = Field(
        None, ge=1, le=256, description="Threads that run models. Default: one for each effective core."
    )
    run_threads: int = Field(1, ge=1, le=256, description="Threads that share one run of a model.")
    arena: bool = Field(True, description="Whether ONNX Runtime reuses memory between runs.")
    decode_threads: int = Field(2, ge=1, le=64, description="Threads that decode images and cut out lines.")
    decode_processes: int = Field(
        2,
        ge=1,
        le=64,
        description="Most processes that decode all but small JPEG and PNG pictures.",
    )
    decode_seconds: float = Field(
        20.0, gt=0, le=3600, description="Most CPU time for decoding one page, in seconds."
    )
    max_batch: int = Field(32, ge=1, le=256, description="Most lines in one batch.")
    t_max_ms: float = Field(40.0, gt=0, le=10_000, description="Longest estimated time of one batch, in ms.")
    max_wait_ms: float = Field(
        0.0, ge=0, le=1_000, description="Longest wait of an idle worker for more lines, in ms."
    )
    run_cache_bytes: int = Field(
        0,
        ge=0,
        description="Most bytes of answers of the models that are kept for the same pixels; 0 keeps none.",
    )
    run_cache_entries: int = Field(100_000, ge=1, description="Most answers of the models that are kept.")
    max_queue_seconds: float = Field(60.0, gt=0, description="Most estimated work that may wait, in seconds.")
    deadline_seconds: float = Field(
        60.0, gt=0, le=3600, description="Longest time for one request, in seconds."
    )
    run_seconds: float = Field(
        60.0, gt=0, le=3600, description="Longest time of one run of a model, in seconds; then it is ended."
    )
    watchdog_seconds: float = Field(
        120.0,
        ge=0,
        le=3600,
        description="How long the process may be stuck before it exits, in seconds; 0 for ever.",
    )
    drain_seconds: float = Field(
        25.0, ge=0, le=600, description="Longest time to finish accepted work at shutdown."
    )

    max_body_bytes: int = Field(20 * 2**20, ge=1024, description="Largest request body, in bytes.")
    max_batch_bytes: int = Field(
        200 * 2**20, ge=1024, description="Largest multipart body of /api/ocr/batch, in bytes."
    )
    max_inflight_bytes: int | None = Field(
        None,
        ge=1024,
        description="Most bytes of request bodies held at once. Default: 1 GiB, or 1/16 of a container's memory.",
    )
    max_requests: int = Field(
        256, ge=1, le=100_000, description="Most requests in work at once; more are refused."
    )
    max_inflight_pixels: int | None = Field(
        None,
        ge=1024,
        description="Most decoded pixels in memory at once; more wait. Default: 8 million for each worker, or less.",
    )
    max_decode_bytes: int | None = Field(
        None,
        ge=1024,
        description="Most memory for decoding one page, in bytes. Default: 18 a pixel, or what a container leaves.",
    )
    max_image_pixels: int = Field(
        64_000_000, ge=1024, description="Most pixels of one picture or rendered page."
    )
    max_pages: int = Field(50, ge=1, le=10_000, description="Most pages of one PDF or TIFF.")
    max_page_lines: int = Field(
        2_000, ge=1, le=100_000, description="Most lines of one page that are read; the rest is counted."
    )
    max_request_lines: int = Field(
        20_000, ge=1, le=1_000_000, description="Most lines of all pages of one input that are read."
    )
    max_batch_files: int = Field(
        100, ge=1, le=10_000, description="Most files of one /api/ocr/batch request."
    )

    jobs_path: Path | None = Field(
        None, description="SQLite file of the jobs. Default: memory, where a restart loses them."
    )
    jobs_dsn: SecretStr | None = Field(
        None,
        description="PostgreSQL database of the jobs instead of a file, postgresql://USER:PASSWORD@HOST/DATABASE.",
    )
    jobs_dsn_file: Path | None = Field(
        None, description="File with the address of that database; read again for each connection."
    )
    jobs_max_bytes: int | None = Field(
        None,
        ge=64 * 1024,
        description="Most bytes of inputs and pages of all jobs. Default: 1 GiB, or 64 MiB in memory.",
    )
    jobs_max_count: int = Field(1000, ge=1, le=100_000, description="Most jobs, unfinished and finished.")
    jobs_keep_seconds: float = Field(
        86_400.0, gt=0, description="How long a job is kept after its end, in seconds."
    )
    jobs_at_once: int = Field(2, ge=1, le=64, description="Jobs that one process reads at the same time.")
    jobs_page_seconds: float = Field(
        300.0, gt=0, le=86_400, description="Longest time for one page of a job, in seconds."
    )
    jobs_max_pages: int = Field(2000, ge=1, le=10_000, description="Most pages of the document of a job.")
    jobs_max_body_bytes: int = Field(
        100 * 2**20, ge=1024, description="Largest request body of POST /api/jobs, in bytes."
    )

    pdf_dpi: int = Field(200, ge=36, le=600, description="Resolution at which PDF pages are drawn.")

    detector: str | None = Field(
        None,
        description="Text detector, by name or folder. Default: the one named in the recogniser's manifest.",
    )
    detector_side_pixels: int = Field(
        1120, ge=320, le=4096, description="Longer side of a page in the detector, in pixels, at 4:3."
    )
    enhance: str = Field(
        "", description="Preprocessing steps for line images, such as stretch,clahe. Default: none."
    )
