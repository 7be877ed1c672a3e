"""Folders of drawn lines, documents and bad files, with what a bulk run makes of them."""

from __future__ import annotations

from pathlib import Path

import drawings
import tiny_model

PAGES = 3  # of each document


def draw_scans(folder: Path, lines: int, documents: int = 1) -> dict[tuple[str, int | None], str | None]:
    """Draw lines and documents, and bad files; return the text of each page, None for what has no text."""
    folder.mkdir(parents=True)
    expected: dict[tuple[str, int | None], str | None] = {}
    for number in range(lines):
        name = f"{number:04}.png"
        (folder / name).write_bytes(drawings.encode(tiny_model.draw(f"{number:04}")))
        expected[name, 1] = f"{number:04}"
    for number in range(documents):
        name = f"document{number}.tiff"
        (folder / name).write_bytes(tiny_model.tiff(PAGES))
        expected |= {(name, page): f"{page:03}" for page in range(1, PAGES + 1)}
    (folder / "twice.png").write_bytes((folder / "0000.png").read_bytes())
    (folder / "empty.png").touch()
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff but no picture")
    (folder / ".hidden.png").touch()
    (folder / "notes.txt").write_text("no picture")
    return expected | {("twice.png", 1): "0000", ("empty.png", None): None, ("broken.jpg", None): None}
