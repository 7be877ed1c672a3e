"""The answers of GET /api/models and GET /api/options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ocrsvc import __version__
from ocrsvc.formats import FORMATS
from ocrsvc.models.manifest import Manifest
from ocrsvc.pages.heif import reads_heic
from ocrsvc.pages.kinds import ACCEPTED, SUFFIXES
from ocrsvc.recognition.charsets import named
from ocrsvc.service.negotiation import DEFAULT_FORMAT
from ocrsvc.service.parameters import (
    CHARSET_MODES,
    LAYOUTS,
    MODES,
    ORIENTATIONS,
    PDF_TEXTS,
    RequestParameters,
)
from ocrsvc.settings import Settings


def models(manifests: Sequence[Manifest], default: str) -> dict[str, Any]:
    """Return the answer of GET /api/models."""
    return {"models": [_model(manifest, default) for manifest in manifests]}


_MOST_SHOWN = 300  # characters of a charset: two scripts would be nine tenths of what a page loads first


def _model(manifest: Manifest, default: str) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "default": manifest.name == default,
        "architecture": manifest.architecture,
        "characters": len(manifest.charset),
        "weights": {
            precision: {"digest": manifest.files[precision].digest, "bytes": manifest.files[precision].size}
            for precision in manifest.precisions
        },
        "licence": manifest.licence,
        "origin": manifest.origin,
        "scores": dict(manifest.scores),
    }


def options(
    settings: Settings, manifests: Sequence[Manifest], default: str, *, job_bytes: int
) -> dict[str, Any]:
    """Return the answer of GET /api/options; ``job_bytes``: largest body of a request for a job."""
    defaults = RequestParameters()
    # Phones convert HEIC to JPEG for a form that does not accept it.
    kinds = [kind for kind in ACCEPTED if kind != "HEIC" or reads_heic()]
    return {
        "version": __version__,
        "modes": list(MODES),
        "models": [manifest.name for manifest in manifests],
        "formats": [
            {"name": each.name, "media_type": each.media_type, "suffix": each.suffix}
            for each in FORMATS.values()
        ],
        "charset_modes": list(CHARSET_MODES),
        "orientations": list(ORIENTATIONS),
        "pdf_texts": list(PDF_TEXTS),
        "layouts": list(LAYOUTS),
        "charsets": [
            {
                "name": name,
                "count": len(characters),
                "characters": characters if len(characters) <= _MOST_SHOWN else None,
            }
            for name, characters in named().items()
        ],
        "accepted_types": [ACCEPTED[kind] for kind in kinds],
        "accepted_suffixes": [suffix for kind in kinds for suffix in SUFFIXES[kind]],
        "limits": {
            "max_body_bytes": settings.max_body_bytes,
            "max_batch_bytes": settings.max_batch_bytes,
            "max_batch_files": settings.max_batch_files,
            "max_job_bytes": job_bytes,
            "max_job_pages": settings.jobs_max_pages,
            "max_image_pixels": settings.max_image_pixels,
            "max_pages": settings.max_pages,
            "max_page_lines": settings.max_page_lines,
            "max_request_lines": settings.max_request_lines,
            "deadline_seconds": settings.deadline_seconds,
        },
        "defaults": {
            "mode": defaults.mode,
            "model": default,
            "format": DEFAULT_FORMAT,
            "charset_mode": defaults.charset_mode,
            "pdf_text": defaults.pdf_text,
            "layout": defaults.layout,
        },
    }
