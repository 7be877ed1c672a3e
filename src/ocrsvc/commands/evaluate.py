"""``ocrsvc evaluate``: measures accuracy and speed of a model on a labelled data set."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrsvc.commands import arguments
from ocrsvc.commands.readings import opened, readings
from ocrsvc.diagnosis import configuration
from ocrsvc.errors import message
from ocrsvc.results import Document

if TYPE_CHECKING:
    from ocrsvc.diagnosis.evaluation import Kind, Sample, Scores
    from ocrsvc.diagnosis.strata import RatedLine, Stratum
    from ocrsvc.settings import Settings

EPILOG = """\
DATA_DIR holds one folder a source, each with manifest.jsonl beside img/. A row of the manifest is
  {"file": "img/0001.png", "text": "what it says"}
and for pages also "boxes": [{"text": ..., "ignore": false}, ...] and "complete": whether all text is
labelled.

  lines  exact        share equal after NFKC, without white space and case
         ned          1 - edit distance / longer length
         strict       share equal with spaces and case, in sources whose labels carry both ("strict": true)
         ece          expected calibration error of the lines' confidence: how far it is, in the mean of 15 bins of
                      equal size, from the share of exact lines; bins are small in one source, MEAN is of all lines
  pages  line_recall  share of labelled lines found in the page's text
         char_f1      F1 of the characters, on pages whose labels are complete
MEAN is over sources. A picture that cannot be decoded counts as wrong.

--strata shows for each source, script, length and height of lines whether their confidence is right: excess is the
mean confidence minus the share of exact lines, flagged the share of the right lines that need review, caught that of
the wrong ones. In strata of less than some 100 lines, excess and ece are mostly chance.

examples:
  ocrsvc evaluate data/lines --limit 300
  ocrsvc evaluate data/lines --model ppocrv6-small --precision fp32 --json
  ocrsvc evaluate data/lines --strata
  ocrsvc evaluate data/pages --kind pages --predictions pages.jsonl
"""


@dataclass(frozen=True, slots=True)
class Run:
    """Result of one pass over a data set: documents and errors by sample key, ``seconds`` without the warm-up."""

    documents: Mapping[str, Document]
    failures: Mapping[str, str]
    seconds: float

    @property
    def lines(self) -> int:
        """Return the number of lines read."""
        return sum(len(document.lines) for document in self.documents.values())


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "evaluate",
        help="score a model on labelled pictures",
        description="Score a model on a labelled data set: accuracy by source, and speed.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("data", metavar="DATA_DIR", type=Path)
    parser.add_argument(
        "--limit", type=int, metavar="N", help="at most N pictures of each source, always the same"
    )
    parser.add_argument("--model", metavar="NAME", help="recogniser (see `ocrsvc models`), or a model folder")
    arguments.add_detector(parser)
    parser.add_argument("--precision", choices=("auto", "int8", "fp32"), help="which weights (default: auto)")
    parser.add_argument("--kind", choices=("lines", "pages"), help="default: pages if the labels have boxes")
    parser.add_argument(
        "--predictions", metavar="OUT.jsonl", type=Path, help="also write the recognised text"
    )
    parser.add_argument(
        "--strata", action="store_true", help="also print accuracy and confidence by kind of line"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of a table")
    parser.set_defaults(run=run, error=parser.error)


def run(options: argparse.Namespace) -> int:
    """Print the scores; return 1 if any picture could not be read."""
    from ocrsvc.diagnosis import evaluation, strata

    settings = configuration.load_offline(
        model=options.model, detector=options.detector, precision=options.precision
    )
    found = evaluation.samples(options.data, options.limit)
    kind: Kind = options.kind or evaluation.kind_of(found)
    if options.strata and kind == "pages":
        options.error("--strata needs labelled lines, and these are pages")
    outcome = asyncio.run(_read(found, settings, kind))
    if options.predictions:
        _write_predictions(options.predictions, found, outcome)
    texts = {key: document.text for key, document in outcome.documents.items()}
    sure = {
        key: document.lines[0].confidence for key, document in outcome.documents.items() if document.lines
    }
    scores = evaluation.score(kind, found, texts, sure)
    kinds = strata.strata(_rated(found, outcome)) if options.strata else []
    if options.json:
        print(json.dumps(_summary(kind, settings, scores, kinds, outcome), ensure_ascii=False, indent=2))
    else:
        _print_table(evaluation.METRICS[kind], scores)
        if kinds:
            print(strata.table(kinds))
        print(
            f"{len(found)} {kind}, {outcome.lines / outcome.seconds:.1f} lines/s, {outcome.seconds:.1f} s, "
            f"model {settings.model}, precision {settings.precision}"
        )
    return 1 if outcome.failures else 0


async def _read(found: Sequence[Sample], settings: Settings, kind: Kind) -> Run:
    from ocrsvc.reading.reading import ReadOptions

    request = ReadOptions(mode="line" if kind == "lines" else "page")
    documents, failures = {}, {}
    async with opened(settings, warm=True) as reader:
        begun = time.perf_counter()
        answers = readings(reader, found, _load, request, settings=settings, unit=kind)
        async with aclosing(answers):
            async for sample, answer in answers:
                if isinstance(answer, Document):
                    documents[sample.key] = answer
                else:
                    failures[sample.key] = message(answer)
                    print(f"ocrsvc: {sample.path}: {failures[sample.key]}", file=sys.stderr)
        seconds = time.perf_counter() - begun
    return Run(documents, failures, seconds)


def _load(sample: Sample) -> bytes:
    return sample.path.read_bytes()


def _rated(found: Sequence[Sample], outcome: Run) -> list[RatedLine]:
    """Return the lines that were read, with their confidence and whether they are right."""
    from ocrsvc.diagnosis.evaluation import rate_line
    from ocrsvc.diagnosis.strata import RatedLine

    rated = []
    for sample in found:
        document = outcome.documents.get(sample.key)
        if document is not None:
            line = document.lines[0] if document.lines else None
            right = rate_line(sample, document.text)["exact"] == 1
            height = document.pages[0].height
            rated.append(
                RatedLine(
                    sample.source,
                    document.text,
                    height,
                    line.confidence if line else 0.0,
                    right,
                    flagged=bool(line and line.needs_review),
                )
            )
    return rated


def _write_predictions(path: Path, found: Sequence[Sample], outcome: Run) -> None:
    with path.open("w", encoding="utf-8") as out:
        for sample in found:
            row: dict[str, Any] = {"file": sample.key}
            if sample.key in outcome.documents:
                document = outcome.documents[sample.key]
                row["text"] = document.text
                row["lines"] = [{"text": line.text, "confidence": line.confidence} for line in document.lines]
            else:
                row["error"] = {"detail": outcome.failures[sample.key]}
            row["label"] = sample.row["text"]
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _summary(
    kind: Kind, settings: Settings, scores: Sequence[Scores], kinds: Sequence[Stratum], outcome: Run
) -> dict[str, Any]:
    *sources, mean = scores
    by_kind: dict[str, dict[str, Any]] = {}
    for each in kinds:
        by_kind.setdefault(each.kind, {})[each.name] = {
            "lines": each.lines,
            "exact": each.exact,
            "confidence": each.confidence,
            "ece": each.ece,
            "flagged": each.flagged,
            "caught": each.caught,
        }
    return {
        "kind": kind,
        "model": settings.model,
        "precision": settings.precision,
        "sources": {row.source: {"images": row.images, **row.values} for row in sources},
        "mean": dict(mean.values),
        **({"strata": by_kind} if by_kind else {}),
        "images": mean.images,
        "failed": len(outcome.failures),
        "lines": outcome.lines,
        "seconds": round(outcome.seconds, 3),
        "lines_per_second": round(outcome.lines / outcome.seconds, 2),
    }


def _print_table(metrics: Sequence[str], scores: Sequence[Scores]) -> None:
    width = max(20, *(len(row.source) for row in scores))
    print("source".ljust(width), "images".rjust(6), *(name.rjust(12) for name in metrics))
    for row in scores:
        cells = [f"{row.values[name]:12.4f}" if name in row.values else "-".rjust(12) for name in metrics]
        print(row.source.ljust(width), str(row.images).rjust(6), *cells)
