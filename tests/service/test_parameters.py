"""What a caller may ask for, from where, and what is said about a wrong value."""

from __future__ import annotations

from typing import Any

import pytest

from ocrsvc.errors import (
    InvalidParameter,
    NotAcceptable,
    OcrError,
    UnknownCharset,
    UnknownFormat,
    UnknownModel,
)
from ocrsvc.service.negotiation import negotiate
from ocrsvc.service.parameters import Parameters, parse


def ask(
    query: dict[str, str] | None = None,
    fields: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> Parameters:
    return parse(query or {}, fields or {}, headers or {}, models=("crnn", "crnn-fast"), deadline_seconds=60)


def test_nothing_asked_for() -> None:
    asked = ask()
    options = asked.options
    assert (options.mode, options.model, options.charset, options.pages) == ("auto", None, None, None)
    assert options.deadline_seconds == 60
    assert asked.format.name == "json"
    assert asked.granularity == "line"


@pytest.mark.parametrize("place", ["query", "fields"])
def test_query_and_fields_are_the_same(place: str) -> None:
    given = {
        "mode": "LINE",
        "model": "crnn-fast",
        "format": "tsv",
        "charset": "digits",
        "pages": "1-3,7",
        "characters": "true",
    }
    asked = ask(**{place: given})
    options = asked.options
    assert (options.mode, options.model, options.charset, options.pages) == (
        "line",
        "crnn-fast",
        "digits",
        "1-3,7",
    )
    assert asked.format.name == "tsv"
    assert asked.granularity == "char"


@pytest.mark.parametrize("layout", ["lines", "rows", "paragraphs", "tables", "raw"])
def test_a_layout_reaches_the_options(layout: str) -> None:
    options = ask({"layout": layout.upper()}).options
    assert options.layout == layout
    assert options.with_blocks == (layout in ("rows", "paragraphs", "tables"))
    with pytest.raises(InvalidParameter, match=r"no layout 'columns'.*lines, rows"):
        ask({"layout": "columns"})


@pytest.mark.parametrize("name", ["markdown", "csv", "xlsx", "docx"])
def test_formats_of_blocks_ask_for_them(name: str) -> None:
    assert ask({"format": name}).options.with_blocks
    assert not ask({"format": "json"}).options.with_blocks


def test_pdf_text_and_password_reach_the_options() -> None:
    assert (ask().options.pdf_text, ask().options.password) == ("auto", None)
    asked = ask({"pdf_text": "Always"}, {"password": " open sesame "})
    assert (asked.options.pdf_text, asked.options.password) == ("always", " open sesame ")
    assert "sesame" not in repr(asked)
    with pytest.raises(InvalidParameter, match="more than 127 characters") as refused:
        ask({}, {"password": "sesame" * 30})
    assert "sesame" not in repr(refused.value) + str(refused.value.extra) + repr(refused.value.__cause__)


def test_charset_mode_and_threshold_reach_the_options() -> None:
    asked = ask({"charset": "digits", "charset_mode": "REPORT", "review_threshold": "0.75"}).options
    assert (asked.charset_mode, asked.review_threshold) == ("report", 0.75)
    assert (ask().options.charset_mode, ask().options.review_threshold) == ("force", None)


@pytest.mark.parametrize(("given", "count"), [({}, 0), ({"n_best": "1"}, 1), ({"n_best": "5"}, 5)])
def test_the_number_of_alternatives_reaches_the_options(given: dict[str, str], count: int) -> None:
    assert ask(given).options.n_best == ask({}, given).options.n_best == count


def test_a_field_wins_and_an_empty_value_is_none() -> None:
    assert ask({"mode": "page"}, {"mode": "line"}).options.mode == "line"
    assert ask({"mode": "page"}, {"mode": ""}).options.mode == "page"
    assert ask({"model": " ", "charset": ""}).options.model is None


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ({"mode": "word"}, InvalidParameter, "no mode 'word'; use one of auto, line, page"),
        ({"model": "gpt"}, UnknownModel, "no model 'gpt'; there are crnn, crnn-fast"),
        ({"model": "../../etc"}, UnknownModel, "no model"),
        ({"pdf_text": "maybe"}, InvalidParameter, "no pdf_text 'maybe'; use one of auto, never, always"),
        ({"format": "rtf"}, UnknownFormat, "no output format 'rtf'; use one of text, json"),
        ({"charset": "klingon"}, UnknownCharset, "klingon"),
        ({"charset_mode": "warn"}, InvalidParameter, "no charset_mode 'warn'; use one of force, report"),
        ({"charset_mode": "report"}, InvalidParameter, "needs a charset"),
        ({"review_threshold": "1.1"}, InvalidParameter, "number from 0 to 1, not '1.1'"),
        ({"review_threshold": "nan"}, InvalidParameter, "number from 0 to 1"),
        ({"n_best": "0"}, InvalidParameter, "'n_best' must be a whole number from 1 to 5, not '0'"),
        ({"n_best": "6"}, InvalidParameter, "whole number from 1 to 5, not '6'"),
        ({"n_best": "2.5"}, InvalidParameter, "whole number from 1 to 5, not '2.5'"),
        ({"n_best": "all"}, InvalidParameter, "whole number from 1 to 5, not 'all'"),
        ({"characters": "maybe"}, InvalidParameter, "'characters' must be true or false, not 'maybe'"),
        ({"characters": "t"}, InvalidParameter, "'characters' must be true or false, not 't'"),
    ],
)
def test_wrong_values(given: dict[str, str], kind: type[OcrError], said: str) -> None:
    with pytest.raises(kind, match=said):
        ask(given)


def test_a_path_is_no_model(tmp_path: Any) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UnknownModel):
        ask({"model": str(tmp_path)})


@pytest.mark.parametrize(("header", "seconds"), [("2.5", 2.5), ("999", 60), ("", 60)])
def test_the_deadline_may_only_be_shortened(header: str, seconds: float) -> None:
    assert ask(headers={"x-request-timeout": header}).options.deadline_seconds == seconds


@pytest.mark.parametrize("header", ["soon", "0", "-1", "nan", "inf"])
def test_a_wrong_deadline(header: str) -> None:
    with pytest.raises(InvalidParameter, match="number of seconds"):
        ask(headers={"x-request-timeout": header})


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("application/json", "json"),
        ("application/*", "json"),
        ("text/plain", "text"),
        ("text/*", "text"),
        ("text/tab-separated-values", "tsv"),
        ("application/jsonl", "jsonl"),
        ("application/x-ndjson", "jsonl"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "json"),
        ("text/plain;q=0.2, application/jsonl;q=0.9", "jsonl"),
        ("application/json;q=0, text/plain", "text"),
        ("Text/Plain; charset=utf-8", "text"),
        ("text/plain;q=rubbish, */*;q=0.1", "json"),
        (",", "json"),
    ],
)
def test_accept(accept: str, name: str) -> None:
    assert negotiate(accept).format.name == name


def test_pages_are_asked_for_as_lines_or_events() -> None:
    assert ask({"format": "jsonl"}).streamed
    assert not ask({"format": "jsonl"}).events
    asked = ask(headers={"accept": "text/event-stream"})
    assert (asked.streamed, asked.events, asked.format.name) == (True, True, "jsonl")
    assert not ask({"format": "json"}, headers={"accept": "text/event-stream"}).streamed


@pytest.mark.parametrize("accept", ["image/png", "text/html", "application/json;q=0"])
def test_accept_of_nothing_that_we_write(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="text/plain, application/json"):
        negotiate(accept)


def test_the_format_parameter_wins_over_accept() -> None:
    assert ask({"format": "text"}, headers={"accept": "image/png"}).format.name == "text"


@pytest.mark.parametrize("place", ["query", "fields"])
def test_a_name_that_is_none_is_told(place: str) -> None:
    with pytest.raises(InvalidParameter, match=r"'charst' \(is charset meant\?\); there are mode, model"):
        ask(**{place: {"mode": "line", "charst": "digits"}})
    with pytest.raises(InvalidParameter, match=r"'zzzz'; there are") as refusal:
        ask(**{place: {"zzzz": ""}})
    assert "charset" in refusal.value.extra["allowed"]
    assert ask(**{place: {"_": "1795712", "mode": "line"}}).options.mode == "line"


def test_regions_and_areas_to_ignore_reach_the_options() -> None:
    assert (ask().options.regions, ask().options.ignore) == ((), ())
    text = '[{"name": "sum", "box": [0, 0, 0.5, 0.1], "type": "amount", "page": 2}]'
    options = ask({"ignore": '[{"box": [0, 0, 10, 10], "unit": "pixel"}]'}, {"regions": text}).options
    (region,), (area,) = options.regions, options.ignore
    assert (region.name, region.type, region.page) == ("sum", "amount", 2)
    assert (area.box, area.unit) == ((0, 0, 10, 10), "pixel")


def test_a_template_reaches_the_options_and_stands_alone() -> None:
    anchor, region = '{"text": "Sum", "box": [0, 0, 1, 0.1]}', '{"name": "sum", "box": [0, 0, 1, 1]}'
    text = f'{{"anchors": [{anchor}], "regions": [{region}]}}'
    template = ask({"template": text}).options.template
    assert template is not None
    assert (template.anchors[0].text, template.regions[0].name) == ("Sum", "sum")
    with pytest.raises(InvalidParameter, match="regions and ignore of its own"):
        ask({"template": text, "regions": f"[{region}]"})


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("template", '{"anchors": [], "regions": []}', r"template\.anchors"),
        ("regions", "[", r"regions: Invalid JSON"),
        ("regions", '[{"name": "a", "box": [0, 0, 1, 1], "type": "isbn"}]', r"regions\[0\]\.type"),
        ("ignore", '[{"box": [0, 0, 1]}]', r"ignore\[0\]\.box\[3\]"),
    ],
)
def test_a_wrong_region_is_refused_with_its_place(name: str, value: str, place: str) -> None:
    with pytest.raises(InvalidParameter, match=place):
        ask({name: value})
