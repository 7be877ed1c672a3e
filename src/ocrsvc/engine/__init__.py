"""Reads pictures and documents in the caller's process: ``OCR`` and ``AsyncOCR``, without a server."""
