"""How many identifying numbers are read right, with check digits and without, and whether a wrong one is ever valid.

    python bench/fields.py --lines 300 --seed 1 --json out.json

Identity cards, credit codes and bank cards (or ``--kinds``) are drawn in turn and degraded so that plain reading gets
many of them wrong (``drawn_fields``; extra ``train``). "plain right": the text holds the number. "value right": so does
the best value of the type. "recovered": it is right where plain reading was not, "wrong": it is not. "wrong, valid"
should be 0.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import drawn_fields
import harness
from drawn_fields import FieldLine

from ocrsvc.fields.decoding import Decoded, decode
from ocrsvc.fields.types import TYPES
from ocrsvc.machine import cpu
from ocrsvc.models.manifest import load
from ocrsvc.models.registry import default_models_dir
from ocrsvc.recognition.grammar_search import certain, search
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import LineText

_CHUNK = 128  # lines that are drawn and read at once
_MARGINS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)


def main() -> None:
    parser = harness.parser(__doc__, "fields", model=True)
    parser.add_argument(
        "--lines", type=harness.positive, default=300, metavar="N", help="default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the drawn lines (default: %(default)s)")
    parser.add_argument(
        "--fonts", type=Path, nargs="*", default=[], metavar="FOLDER", help="more faces than the machine's"
    )
    parser.add_argument(
        "--kinds",
        nargs="+",
        choices=[*drawn_fields.KINDS, "amount", "date"],
        default=drawn_fields.KINDS,
        help="types of the values, in turn (default: those with a check digit)",
    )
    options = parser.parse_args()
    head = harness.head(options)
    folder = Path(options.model)
    spec = load(folder if folder.is_dir() else default_models_dir() / options.model)
    recogniser = Recogniser(spec, cpu=cpu.inspect())
    results: list[Result] = []
    chunk: list[FieldLine] = []
    for line in drawn_fields.draw(options.lines, options.seed, options.fonts, options.kinds):
        chunk.append(line)
        if len(chunk) == _CHUNK:
            results += judged(chunk, drawn_fields.read(recogniser, chunk))
            chunk = []
            harness.tell(f"{len(results)} of {options.lines} lines")
    results += judged(chunk, drawn_fields.read(recogniser, chunk))
    document = {**head, **summary(results)}
    harness.finish(options, document, parts(document))


Result = tuple[FieldLine, bool, Decoded, float]
"""A line, whether plain reading has its number, the decoded value, and the seconds of processor time that took."""


def judged(lines: Sequence[FieldLine], texts: Sequence[LineText]) -> list[Result]:
    """Return what plain reading and decoding make of each line."""
    results = []
    for line, text in zip(lines, texts, strict=True):
        field_type = TYPES[line.kind]
        plain = any(value == line.value for value, _ in search(certain(text.text), field_type.grammar))
        begun = time.process_time()
        found = decode(text, field_type)
        results.append((line, plain, found, time.process_time() - begun))
    return results


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Return the counts by type, and by the margin from which a value is valid."""
    kinds = {
        kind: [each for each in results if each[0].kind == kind]
        for kind in dict.fromkeys(each[0].kind for each in results)
    }
    return {
        "types": {kind: counts(own) for kind, own in {**kinds, "all": results}.items()},
        "margins": {str(margin): accepted(results, margin) for margin in _MARGINS},
        "decode_ms": round(1000 * sum(seconds for *_, seconds in results) / max(1, len(results)), 2),
    }


def counts(results: Iterable[Result]) -> dict[str, int]:
    """Return how many lines there are, and what became of them."""
    found = dict.fromkeys(
        ("lines", "plain_right", "value_right", "valid", "valid_right", "recovered", "wrong", "wrong_valid"),
        0,
    )
    for line, plain, decoded, _ in results:
        right = decoded.value == line.value
        found["lines"] += 1
        found["plain_right"] += plain
        found["value_right"] += right
        found["valid"] += decoded.valid
        found["valid_right"] += decoded.valid and right
        found["recovered"] += right and not plain
        found["wrong"] += decoded.value is not None and not right
        found["wrong_valid"] += decoded.valid and not right
    return found


def accepted(results: Iterable[Result], margin: float) -> dict[str, int]:
    """Return what would be valid from this margin on."""
    right = [each[2].value == each[0].value for each in results if each[2].value and each[2].margin >= margin]
    return {"valid": len(right), "wrong": right.count(False)}


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return a table by type and one by margin."""
    heads = ["type", "lines", "plain right", "value right", "recovered", "wrong", "valid", "wrong, valid"]
    rows = [heads]
    for kind, own in document["types"].items():
        share = {name: f"{own[name] / max(1, own['lines']):.4f}" for name in own}
        shares = [share[name] for name in ("plain_right", "value_right", "recovered", "wrong", "valid")]
        rows.append([kind, str(own["lines"]), *shares, str(own["wrong_valid"])])
    margins = [["margin from", "valid", "of them wrong"]]
    margins += [[name, str(own["valid"]), str(own["wrong"])] for name, own in document["margins"].items()]
    return [rows, margins, f"decoding takes {document['decode_ms']} ms of processor time a line"]


if __name__ == "__main__":
    main()
