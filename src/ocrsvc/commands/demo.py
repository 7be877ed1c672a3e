"""``ocrsvc demo``: reads a sample picture that comes with the package."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

EPILOG = """\
examples:
  ocrsvc demo
  ocrsvc demo --save receipt.jpg     then try: ocrsvc read receipt.jpg --format markdown
  ocrsvc demo --marked lines.png
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "demo",
        help="read a sample picture",
        description="Read a sample picture, a drawn receipt in Chinese and English, and print its lines.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="also copy the sample picture to this file")
    parser.add_argument(
        "--marked", type=Path, metavar="FILE", help="also write the picture with its lines outlined"
    )
    parser.add_argument("--model", metavar="NAME", help="recogniser (see `ocrsvc models`)")
    parser.set_defaults(run=run)


def sample() -> Path:
    """Return the sample picture: inside an installed package, or ``examples/`` of the checkout."""
    packaged = Path(__file__).parents[1] / "_assets" / "receipt.jpg"
    return packaged if packaged.is_file() else Path(__file__).parents[3] / "examples" / "receipt.jpg"


def run(options: argparse.Namespace) -> int:
    """Print each line with its confidence, and what to do next; return 0."""
    from ocrsvc.engine.drawing import as_png
    from ocrsvc.engine.ocr import OCR

    path = sample()
    with OCR(model=options.model) as ocr:
        result = ocr.read(path)
    seconds = result.timing_ms["total"] / 1000
    page = result.pages[0]
    print(f"A drawn receipt of {page.width} x {page.height} pixels, read in {seconds:.2f} s:\n")
    for line in result.lines:
        print(f"  {line.confidence:6.1%}  {line.text}{'  (to be checked)' if line.needs_review else ''}")
    print("\nThe first column is the probability that the whole line is right.")
    if options.save is not None:
        shutil.copyfile(path, options.save)
        print(f"The sample is now in {options.save}.")
    if options.marked is not None:
        options.marked.write_bytes(as_png(result.draw()))
        print(f"The lines are outlined in {options.marked}.")
    print("Next: ocrsvc read FILE, or ocrsvc serve and a browser.")
    return 0
