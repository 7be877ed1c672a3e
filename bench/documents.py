"""Documents of many pages at the running server: text layers of PDFs, long scans, cancelling, and kill -9.

    python bench/documents.py --pages 100 --scan-pages 300 --json out.json

Text layers: Chromium prints a document of --pages pages (or name PDFs with --pdf), which is sent with pdf_text=auto,
and its first --read-pages pages with pdf_text=never, in turns. CPU seconds are those of all processes of the server.
The text is compared with that of pdftotext as bags of words, after NFKC and with hyphens at line ends joined.

Scans: a drawn scan of --scan-pages pages, as TIFF and as PDF, as a stream and as a job: time to the first page, RSS by
page with its slope, and how long the server works on after the client has hung up or deleted the job.

Resuming: a job of --resume-pages pages on a store in a file; the server gets SIGKILL in the middle and starts again.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import unicodedata
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import harness
import long_documents
import printed
import serving

PARTS = ("layers", "scans", "resume")
_LONG: dict[str, Any] = {"max_pages": 10_000, "deadline_seconds": 3_600}


def main() -> None:
    options = parse()
    document = harness.head(options, ["pypdfium2"])
    if "layers" in options.parts:
        document["layers"] = layers(options)
    if "scans" in options.parts:
        document["scans"] = [
            long_documents.scans(kind, options.scan_pages, model=options.model, **_LONG)
            for kind in options.kinds
        ]
    if "resume" in options.parts:
        document["resume"] = long_documents.resume(options.resume_pages, model=options.model, **_LONG)
    harness.finish(options, document, parts(document))


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(__doc__, "documents", rounds=1, model=True)
    add = parser.add_argument
    add("--parts", type=harness.names, default=list(PARTS), help=f"of {','.join(PARTS)} (default: all)")
    add("--pdf", type=Path, nargs="*", default=[], metavar="FILE", help="PDFs instead of a printed document")
    add("--pages", type=harness.positive, default=20, help="of the printed document (default: %(default)s)")
    add("--read-pages", type=harness.positive, default=3, help="read as pictures (default: %(default)s)")
    add("--scan-pages", type=harness.positive, default=40, help="default: %(default)s")
    add("--kinds", type=harness.names, default=["tiff", "pdf"], help="of scans (default: tiff,pdf)")
    add("--resume-pages", type=harness.positive, default=30, help="default: %(default)s")
    return parser.parse_args()


def layers(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return for each PDF the cost of its text layer and of reading it, and how it compares with pdftotext."""
    files = {path.name: path.read_bytes() for path in options.pdf}
    if not files:
        program = printed.chromium()
        if program is None:
            harness.tell("no Chromium to print a document with: name PDFs with --pdf\n")
            return []
        files = {"printed": printed.pdf(printed.document(options.pages), program)}
    found = []
    with serving.ours(model=options.model, **_LONG) as server:
        for name, data in files.items():
            selected = {"auto": "1-", "never": f"1-{options.read_pages}"}

            def act(text: str, _: int, data: bytes = data, selected: dict[str, str] = selected) -> Any:
                query = {"pdf_text": text, "pages": selected[text], "format": "jsonl"}
                return long_documents.send(server, data, query)

            act("auto", 0)  # the first request of a server pays for its start
            turns = harness.take_turns(["auto", "never"], options.rounds, act)
            figures = {
                text: harness.summary([turn[text].figures() for turn in turns]) for text in ("auto", "never")
            }
            ratios = [turn["never"].cpu_seconds_a_page / turn["auto"].cpu_seconds_a_page for turn in turns]
            lines = [line for page in turns[0]["auto"].pages for line in page.get("lines", [])]
            found.append(
                {
                    "name": name,
                    "pages": len(turns[0]["auto"].pages),
                    "lines": len(lines),
                    "lines_of_layer": sum(line.get("source") == "pdf_text" for line in lines),
                    **figures,
                    "cpu_ratio": harness.spread(ratios),
                    "words": compared(
                        "\n".join(page.get("text", "") for page in turns[0]["auto"].pages), data
                    ),
                }
            )
    return found


def compared(text: str, data: bytes) -> dict[str, int] | None:
    """Return how many words of pdftotext's there are, how many ours lacks, and how many it adds; None without it."""
    program = shutil.which("pdftotext")
    if program is None:
        return None
    done = subprocess.run([program, "-", "-"], input=data, capture_output=True, check=True)
    wanted, given = words(done.stdout.decode("utf-8", "replace")), words(text)
    return {
        "wanted": wanted.total(),
        "missing": (wanted - given).total(),
        "added": (given - wanted).total(),
    }


def words(text: str) -> Counter[str]:
    """Return the words of a text, each Chinese character being one; hyphens at line ends are joined."""
    text = unicodedata.normalize("NFKC", re.sub(r"[-\u2010\u00ad]\s*\n\s*", "", text))
    return Counter(re.findall(r"[\u2e80-\u9fff\uf900-\ufaff]|[^\s\u2e80-\u9fff\uf900-\ufaff]+", text))


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return the tables of the parts that were measured."""
    found: list[harness.Part] = []
    if document.get("layers"):
        rows = [
            [
                "document",
                "pages",
                "lines",
                "of the layer",
                "CPU s/page auto",
                "never",
                "ratio",
                "words",
                "not in ours",
                "only in ours",
            ]
        ]
        for each in document["layers"]:
            compared = each["words"] or {"wanted": "-", "missing": "-", "added": "-"}
            rows.append(
                [
                    each["name"],
                    *(str(each[name]) for name in ("pages", "lines", "lines_of_layer")),
                    f"{each['auto']['cpu_seconds_a_page']['median']:.3f}",
                    f"{each['never']['cpu_seconds_a_page']['median']:.3f}",
                    f"{each['cpu_ratio']['median']:.1f}",
                    *(str(compared[name]) for name in ("wanted", "missing", "added")),
                ]
            )
        found.append(rows)
    if document.get("scans"):
        rows = [
            [
                "scan",
                "pages",
                "as",
                "first page s",
                "all s",
                "RSS MB",
                "MB per 100 pages",
                "works on after the end s",
            ]
        ]
        for each in document["scans"]:
            for way in ("stream", "job"):
                figures = each[way]
                rows.append(
                    [
                        each["kind"],
                        str(each["pages"]),
                        way,
                        f"{figures['first_page_seconds']:.2f}",
                        f"{figures['seconds']:.1f}",
                        f"{figures['rss_megabytes'][0]:.0f} - {figures['rss_megabytes'][-1]:.0f}",
                        f"{figures['megabytes_per_100_pages']:+.1f}",
                        f"{figures['busy_seconds_after_end']:.2f}",
                    ]
                )
        found.append(rows)
    if document.get("resume"):
        each = document["resume"]
        found.append(
            f"killed at page {each['read_before']} of {each['pages']}: ready after {each['ready_seconds']:.1f} s, "
            f"goes on {each['goes_on_seconds']:.2f} s later, {each['stored_read_again']} stored pages read again, "
            f"{each['missing']} missing, {each['doubled']} doubled"
        )
    return found


if __name__ == "__main__":
    main()
