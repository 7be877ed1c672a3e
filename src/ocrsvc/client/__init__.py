"""Asks a running service: ``Client`` and ``AsyncClient``, with the results of ``OCR``. Needs the extra ``client``."""
