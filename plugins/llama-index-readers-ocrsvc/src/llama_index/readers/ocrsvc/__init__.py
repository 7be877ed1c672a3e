"""LlamaIndex documents of pictures and PDFs, one a page."""

from llama_index.readers.ocrsvc.base import OcrsvcReader

__all__ = ["OcrsvcReader"]
