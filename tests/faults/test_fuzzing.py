"""Damaged bodies of every kind at the real server, bench/fuzz.py in small, and any text at what parses it."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import corpus
import drawings
import exchange
import fuzz
import pytest
import serving
import tiny_model
from hypothesis import given, settings
from hypothesis import strategies as st

from ocrsvc.errors import OcrError
from ocrsvc.fields.region import parse_areas, parse_regions
from ocrsvc.fields.template import parse_template
from ocrsvc.pages.source import select_pages
from ocrsvc.recognition.charsets import characters_of
from ocrsvc.service import json_body, parameters
from ocrsvc.service.negotiation import negotiate
from ocrsvc.service.pictures import UploadLimits

BODIES = 2_000  # of the bench's 100 000; always the same ones
SEED = 1

pytestmark = pytest.mark.timeout(900)


def test_no_body_is_our_fault(
    bench_server: serving.Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(fuzz, "known", lambda: ("0123", drawings.encode(tiny_model.draw("0123"))))
    monkeypatch.setattr(serving, "ours", lambda **_: contextlib.nullcontext(bench_server))
    out, keep = tmp_path / "out.json", tmp_path / "kept"
    arguments = ["--bodies", str(BODIES), "--seed", str(SEED), "--json", str(out), "--keep", str(keep)]
    monkeypatch.setattr(sys, "argv", ["fuzz.py", *arguments])
    fuzz.main()
    report = json.loads(out.read_text("utf-8"))
    assert report["bodies"] == BODIES, capsys.readouterr().out
    assert report["bad"] == []
    assert report["alive"]
    assert (report["log_faults"], report["log_strays"]) == (0, 0), report["log_examples"]
    assert report["template_faults"] == []
    assert (report["known_wrong"], report["known_right"]) == (0, BODIES // fuzz.KNOWN_EVERY)
    assert {status for counts in report["statuses"].values() for status in counts} <= {
        "200", "400", "413", "415", "422", "503", "504"
    }  # fmt: skip
    assert not keep.exists()


@pytest.mark.parametrize("kind", sorted(corpus.seeds()))
def test_the_whole_files_can_be_read(bench_server: serving.Server, kind: str) -> None:
    """The corpus is of use only if the damage is all that is wrong."""
    for number, content in enumerate(corpus.seeds()[kind]):
        type_ = fuzz.content_type(kind)
        if kind == "regions":
            picture = corpus.seeds()["PNG"][0]
            content, type_ = exchange.form([("image", "a", picture), ("regions", None, content)])
        request = exchange.request(content, "/api/ocr", content_type=type_)
        status, body = serving.ask(
            bench_server.port, request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
        )
        assert status == 200, (kind, number, body[:300])


def test_the_whole_templates_can_be_parsed() -> None:
    for content in corpus.templates():
        parse_template(content.decode())


def test_a_body_is_always_the_same() -> None:
    assert fuzz.body(3, 7) == fuzz.body(3, 7)
    assert len({fuzz.body(3, number) for number in range(50)}) == 50


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(
                ("box", "polygon", "unit", "page", "name", "type", "charset", "anchors", "regions", "text")
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
TEXTS = st.text(max_size=60) | JSON.map(json.dumps)
PARSERS: dict[str, Callable[[str], object]] = {
    "regions": parse_regions,
    "areas": parse_areas,
    "template": parse_template,
    "pages": lambda text: select_pages(text, 100, 50),
    "charset": characters_of,
    "accept": negotiate,
    "json": lambda text: json_body.parse(
        text.encode("utf-8", "surrogatepass"), ("image",), UploadLimits(1000, 1000, 1)
    ),
    "parameters": lambda text: parameters.parse(
        {}, dict.fromkeys(parameters.NAMES, text), {"accept": text}, models=["tiny"], deadline_seconds=60
    ),
}


@pytest.mark.parametrize("name", sorted(PARSERS))
@settings(max_examples=80, deadline=None)
@given(text=TEXTS)
def test_any_text_is_understood_or_refused(name: str, text: str) -> None:
    with contextlib.suppress(OcrError):
        PARSERS[name](text)


@pytest.mark.parametrize("name", parameters.NAMES)
@settings(max_examples=30, deadline=None)
@given(text=TEXTS)
def test_each_parameter_takes_any_text(name: str, text: str) -> None:
    """One at a time, because a request with several wrong ones is refused for the first."""
    with contextlib.suppress(OcrError):
        parameters.parse({name: text}, {}, {}, models=["tiny"], deadline_seconds=60)
