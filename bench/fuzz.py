"""Damaged bodies of every kind at the running server: never a 5xx, a crash, a hang, or memory that grows.

    python bench/fuzz.py --bodies 100000 --json out.json --keep folder

The files and messages of bench/corpus.py are damaged at random: pictures of all kinds, PDFs, JSON, forms, regions, with
random parameters and formats of the answer. Body n of a seed is always the same one. Templates of forms do not travel
over HTTP; they are damaged and parsed here. Every 100 bodies a whole line is sent, whose text is known.

A decoder that crashes is a process of its own, so that one answer is 422 and nothing else happens; such cases are
counted. 503 is the service's right under load and not counted. --keep stores each body that was answered with another
5xx, or not at all.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import corpus
import exchange
import harness
import numbers_drawn
import samples
import serving
import uvloop
from exchange import Answer, Broken, Client

from ocrsvc.errors import OcrError
from ocrsvc.fields.template import parse_template
from ocrsvc.formats import FORMATS

KNOWN_EVERY = 100
PATIENCE_SECONDS = 90.0  # the service itself gives up after 60
_POINTS = 40  # samples of memory
_KNOWN_TEXT = "2718281828"
_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "layout": ("lines", "rows", "paragraphs", "tables", "raw", "x"),
    "charset": ("digits", "chars:0123456789", "chars:", "nothing", "digits,latin"),
    "charset_mode": ("report", "force"),
    "orientation": ("0", "90", "auto", "45"),
    "pages": ("1", "1-2", "2", "-", "1-999999999999", "0", "1,,2"),
    "pdf_text": ("auto", "never", "always"),
    "password": ("o", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")),
    "granularity": ("char", "word"),
    "n_best": ("3", "0", "1e3"),
    "review_threshold": ("0.5", "nan", "2"),
}
_TYPES = {"json": "application/json", "form": f"multipart/form-data; boundary={exchange.BOUNDARY}"}


@dataclass
class Findings:
    """What the bodies led to. ``bad`` has those that were answered with 5xx or not at all: number and what happened."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict)  # by kind
    bad: list[tuple[int, str]] = field(default_factory=list)
    crashed_decoders: int = 0
    busy: int = 0  # 503
    known_right: int = 0
    known_wrong: int = 0
    templates: int = 0
    template_faults: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0

    @property
    def bodies(self) -> int:
        """Return how many bodies were answered."""
        return sum(each.total() for each in self.statuses.values())


def main() -> None:
    options = parse()
    document = harness.head(options, ["pillow", "pypdfium2", "pikepdf"])
    with serving.ours(model=options.model) as server:
        findings, sampler, seconds = uvloop.run(
            fuzz(
                server, options.bodies, concurrency=options.concurrency, seed=options.seed, keep=options.keep
            )
        )
        document |= {"alive": server.process.is_running(), **of_log(server.log_text())}
    document |= figures(findings, sampler, seconds)
    harness.finish(options, document, parts(document))


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = harness.parser(__doc__, "fuzz", model=True)
    add = parser.add_argument
    add("--bodies", type=harness.positive, default=2_000, help="default: %(default)s")
    add("--concurrency", type=harness.positive, default=8, help="clients at once (default: %(default)s)")
    add("--seed", type=int, default=0)
    add("--keep", type=Path, metavar="DIR", help="store bodies that were answered with 5xx or not at all")
    parser.set_defaults(model="crnn-fast")
    return parser.parse_args()


def body(seed: int, number: int) -> tuple[str, bytes]:
    """Return the kind of body ``number`` and the whole request that sends it."""
    rng = random.Random(f"{seed}:{number}")
    seeds = corpus.seeds()
    kind = rng.choice(list(seeds))
    content = corpus.damaged(rng, kind, seeds[kind])
    given = {"mode": rng.choices(("line", "page", "auto"), (7, 2, 1))[0]}
    given["format"] = rng.choice(list(FORMATS))
    for name in rng.sample(list(_PARAMETERS), rng.choice((0, 0, 1, 2))):
        given[name] = rng.choice(_PARAMETERS[name])
    path = "/api/ocr/batch" if rng.random() < 0.05 else "/api/ocr"
    if kind == "regions":
        picture = corpus.seeds()["PNG"][0]
        content, type_ = exchange.form(
            [("image", "a.png", picture), (rng.choice(("regions", "ignore")), None, content)]
        )
    else:
        type_ = content_type(kind)
    if kind in ("json", "form"):
        given = {"mode": "line"} if rng.random() < 0.5 else {}
    address = f"{path}?{urllib.parse.urlencode(given)}" if given else path
    return kind, exchange.request(content, address, content_type=type_, X_Request_ID=f"fuzz-{number}")


def content_type(kind: str) -> str:
    """Return the content type of bodies of this kind."""
    return _TYPES.get(kind, "application/octet-stream")


async def fuzz(
    server: serving.Server, bodies: int, *, concurrency: int, seed: int = 0, keep: Path | None = None
) -> tuple[Findings, samples.Sampler, float]:
    """Send so many bodies, and return what came of them, samples of the server, and the seconds it took."""
    findings, sampler = Findings(), samples.Sampler(server)
    client = Client(server.port, PATIENCE_SECONDS)
    numbers = iter(range(bodies))
    begun = time.monotonic()
    await sampler.look()

    async def one_client() -> None:
        for number in numbers:
            await _one(client, findings, seed, number, keep)
            sampler.requests += 1
            if number % KNOWN_EVERY == 0:
                await _known(client, findings)
            if number % max(1, bodies // _POINTS) == 0:
                await sampler.look()
                harness.tell(f"{number} of {bodies} bodies, {len(findings.bad)} bad")

    await asyncio.gather(*(one_client() for _ in range(concurrency)))
    seconds = time.monotonic() - begun
    await sampler.settle()
    client.close()
    return findings, sampler, seconds


async def _one(client: Client, findings: Findings, seed: int, number: int, keep: Path | None) -> None:
    kind, content = body(seed, number)
    began = time.monotonic()
    said = ""
    try:
        answer = await client.ask(content)
        findings.statuses.setdefault(kind, Counter())[answer.status] += 1
        said = _complaint(answer, findings)
    except Broken:
        said = "no answer"
    except TimeoutError:
        said = f"no answer within {PATIENCE_SECONDS:g} s"
    findings.slowest_seconds = max(findings.slowest_seconds, time.monotonic() - began)
    if said:
        findings.bad.append((number, f"{kind}: {said}"))
        _store(keep, f"{seed}-{number}.http", content)
    findings.templates += 1
    findings.template_faults += template_faults(seed, number)


def _store(folder: Path | None, name: str, content: bytes) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def template_faults(seed: int, number: int) -> list[str]:
    """Parse a damaged template, and return what it raised that is no error of the user."""
    rng = random.Random(f"template:{seed}:{number}")
    text = corpus.damaged(rng, "template", corpus.templates()).decode("utf-8", "replace")
    with contextlib.suppress(OcrError):
        try:
            parse_template(text)
        except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, AttributeError) as error:
            return [f"{number}: {error!r}"]
    return []


def _complaint(answer: Answer, findings: Findings) -> str:
    """Return what is wrong with an answer, or nothing."""
    for problem in _problems(answer):
        status, detail = problem.get("status", 0), str(problem.get("detail", ""))
        findings.crashed_decoders += "crashed" in detail
        if status == 503:
            findings.busy += 1
        elif status >= 500:
            return f"{status} {detail}"
    return f"{answer.status}" if answer.status >= 500 and answer.status != 503 else ""


def _problems(answer: Answer) -> Iterator[Mapping[str, Any]]:
    """Yield the problem that an answer is, or those in the records of a stream."""
    kind = answer.headers.get("content-type", "")
    if kind.startswith("application/problem+json"):
        yield answer.json()
    elif "jsonl" in kind:
        records = [json.loads(line) for line in answer.body.splitlines()]
        yield from (record["error"] for record in records if record.get("error"))


def known() -> tuple[str, bytes]:
    """Return a text and its picture, which every model of ours can read."""
    return _KNOWN_TEXT, numbers_drawn.png(numbers_drawn.drawn(_KNOWN_TEXT, 0))


async def _known(client: Client, findings: Findings) -> None:
    """Send a line that can be read."""
    text, picture = known()
    content = exchange.request(picture, "/api/ocr?mode=line&format=text")
    for _ in itertools.repeat(None):
        answer = await client.ask(content)
        if answer.status != 503:
            break
        await asyncio.sleep(0.5)
    right = answer.status == 200 and answer.body.decode().strip() == text
    findings.known_right += right
    findings.known_wrong += not right


def of_log(text: str) -> dict[str, Any]:
    """Return how many lines of the log tell of faults of the service, and examples of them."""
    rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    faults = [
        row for row in rows if row.get("event") == "unexpected failure" or row.get("level") == "critical"
    ]
    strays = [line for line in text.splitlines() if line and not line.startswith("{")]
    return {"log_faults": len(faults), "log_strays": len(strays), "log_examples": [*faults[:5], *strays[:5]]}


def figures(findings: Findings, sampler: samples.Sampler, seconds: float) -> dict[str, Any]:
    """Return the fields of the report."""
    return {
        "seconds": round(seconds, 1),
        "bodies": findings.bodies,
        "statuses": {
            kind: {str(status): count for status, count in sorted(counts.items())}
            for kind, counts in sorted(findings.statuses.items())
        },
        "bad": [{"number": number, "what": what} for number, what in findings.bad],
        "crashed_decoders": findings.crashed_decoders,
        "busy": findings.busy,
        "known_right": findings.known_right,
        "known_wrong": findings.known_wrong,
        "templates": findings.templates,
        "template_faults": findings.template_faults,
        "slowest_seconds": round(findings.slowest_seconds, 2),
        "samples": samples.columns(sampler.samples),
    }


def parts(document: Mapping[str, Any]) -> list[harness.Part]:
    """Return the statuses by kind, and what must not be."""
    statuses = sorted({status for counts in document["statuses"].values() for status in counts})
    rows = [["kind", *statuses]]
    rows += [
        [kind, *(str(counts.get(status, 0)) for status in statuses)]
        for kind, counts in document["statuses"].items()
    ]
    memory = document["samples"]["megabytes"]
    middle = memory[len(memory) // 2]
    about = (
        f"{document['bodies']} bodies in {document['seconds']:.0f} s, the slowest {document['slowest_seconds']} s\n"
        f"5xx or no answer: {len(document['bad'])}; crashed decoders: {document['crashed_decoders']}; "
        f"faults in the log: {document['log_faults']}; other output: {document['log_strays']}\n"
        f"whole lines between them: {document['known_right']} right, {document['known_wrong']} wrong\n"
        f"templates: {document['templates']}, of which {len(document['template_faults'])} faults\n"
        f"RSS {memory[0]:.0f} MB, in the middle {middle:.0f} MB, at the end {memory[-1]:.0f} MB; descriptors "
        f"{document['samples']['descriptors'][0]} and {document['samples']['descriptors'][-1]}"
    )
    bad = "\n".join(f"{each['number']}: {each['what']}" for each in document["bad"][:20])
    return [rows, about, *([bad] if bad else [])]


if __name__ == "__main__":
    main()
