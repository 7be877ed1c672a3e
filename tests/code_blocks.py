"""Blocks of code on pages of the documentation that tests run as they stand.

A block is run if an HTML comment ``test: expect WORD`` stands before it: it must succeed and print WORD.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ADDRESS = "http://localhost:8000"  # of the service on all pages
_BLOCK = re.compile(
    r"<!-- test: expect (?P<word>[^\n]+) -->\n```(?P<language>\w+)\n(?P<code>.*?)```", re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One block of code and the word that it must print."""

    language: str
    code: str
    word: str

    def command(self) -> list[str]:
        """Return what runs the block."""
        return [sys.executable, "-c", self.code] if self.language == "python" else ["bash", "-ec", self.code]

    def asking(self, address: str) -> Block:
        """Return the block with the address of another service."""
        return Block(self.language, self.code.replace(ADDRESS, address), self.word)


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page that are to be run."""
    return [Block(m["language"], m["code"], m["word"]) for m in _BLOCK.finditer(page.read_text("utf-8"))]
