"""LangChain documents of pictures and PDFs, one a page."""

from langchain_ocrsvc.loader import OcrsvcLoader
from langchain_ocrsvc.parser import OcrsvcParser

__all__ = ["OcrsvcLoader", "OcrsvcParser"]
