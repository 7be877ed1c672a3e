"""Umi-OCR's reading of a picture (hiroi-sora/Umi-OCR, docs/http/api_ocr.md): POST /api/ocr with ``base64``.

Its clients look at ``code``: 100 for text, 101 for none, and others for a failure, whose reason is ``data``. All of
them come with status 200; ours keep their status where a client has to wait, or to say who it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from ocrsvc.compat import umi_text
from ocrsvc.compat.contract import Contract, Members, Refusal, Sent
from ocrsvc.compat.umi_text import PARSERS, Parser
from ocrsvc.errors import InvalidParameter, Unauthorized
from ocrsvc.fields.region import MOST_REGIONS, Area
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Document

MEMBER = "base64"  # the JSON member that tells this contract from our own
DONE, NO_TEXT, BAD_OPTIONS, FAILED = 100, 101, 804, 902
_LANGUAGES = (
    ("models/config_chinese.txt", "简体中文"),
    ("models/config_en.txt", "English"),
    ("models/config_chinese_cht(v2).txt", "繁體中文"),
)
_UNREAD = ("korean", "cyrillic")
_PARSER_TITLES = (
    "多栏-按自然段换行",
    "多栏-总是换行",
    "多栏-无换行",
    "单栏-按自然段换行",
    "单栏-总是换行",
    "单栏-无换行",
    "单栏-保留缩进",
    "不做处理",
)
_FORMATS = (("dict", "含有位置等信息的原始字典"), ("text", "纯文本"))


def option_list() -> dict[str, Any]:
    """Return the answer of GET /api/ocr/get_options."""
    return {
        "ocr.language": _choice("语言/模型库", _LANGUAGES),
        "tbpu.parser": _choice("排版解析方案", tuple(zip(PARSERS, _PARSER_TITLES, strict=True))),
        "tbpu.ignoreArea": {
            "title": "忽略区域",
            "toolTip": "数组，每一项为[[左上角x,y],[右下角x,y]]。",
            "default": [],
            "type": "var",
        },
        "data.format": _choice("数据返回格式", _FORMATS),
    }


def _choice(title: str, choices: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return {
        "title": title,
        "optionsList": [list(each) for each in choices],
        "type": "enum",
        "default": choices[0][0],
    }


def parser_of(asked: Mapping[str, Any]) -> Parser:
    """Return how the text is to be laid out; raises InvalidParameter."""
    parser = asked.get("tbpu.parser", PARSERS[0])
    if parser not in PARSERS:
        raise InvalidParameter(f"tbpu.parser must be one of {', '.join(PARSERS)}.", allowed=PARSERS)
    return cast(Parser, parser)


def reading_options(options: ReadOptions, asked: Mapping[str, Any]) -> ReadOptions:
    """Return what Umi-OCR's options ask for; raises InvalidParameter. Those of its engine have no counterpart."""
    language = str(asked.get("ocr.language", ""))
    if any(each in language.lower() for each in _UNREAD):
        raise InvalidParameter(f"ocr.language {language[:60]!r} is not read.")
    ignored = asked.get("tbpu.ignoreArea") or []
    if not isinstance(ignored, list) or len(ignored) > MOST_REGIONS:
        raise InvalidParameter(f"tbpu.ignoreArea must be a list of at most {MOST_REGIONS} areas.")
    return replace(
        options,
        layout=umi_text.layout_of(parser_of(asked)),
        ignore=tuple(_area(each) for each in ignored),
    )


def _area(corners: Any) -> Area:
    try:
        (left, top), (right, bottom) = corners
        return Area(
            box=(float(left), float(top), float(right), float(bottom)),
            unit="pixel",
        )
    except (TypeError, ValueError) as error:
        raise InvalidParameter(
            "tbpu.ignoreArea: each area must be [[left, top], [right, bottom]] in pixels."
        ) from error


def page_answer(document: Document, parser: Parser) -> dict[str, Any]:
    """Return ``code`` and ``data`` of one page or picture."""
    blocks = umi_text.text_blocks(document, parser)
    return {"code": DONE, "data": blocks} if blocks else {"code": NO_TEXT, "data": "No text in OCR result."}


def _asked(members: Members) -> Mapping[str, Any]:
    asked = members.get("options") or {}
    if not isinstance(asked, dict):
        raise InvalidParameter("options must be an object.")
    return asked


def _options(options: ReadOptions, members: Members) -> ReadOptions:
    asked = _asked(members)
    if asked.get("data.format", "dict") not in ("dict", "text"):
        raise InvalidParameter("data.format must be dict or text.", allowed=["dict", "text"])
    return reading_options(options, asked)


def _answer(document: Document, sent: Sent) -> dict[str, Any]:
    asked = _asked(sent.members)
    body = page_answer(document, parser_of(asked))
    if body["code"] == DONE and asked.get("data.format") == "text":
        body["data"] = umi_text.text_of(body["data"])
    return {**body, "time": round(sent.seconds, 3), "timestamp": sent.began}


def refuse(problem: Members) -> Refusal:
    """Return a problem as code and reason; status 200 if the request is at fault."""
    status = problem["status"]
    code = BAD_OPTIONS if problem["type"].endswith(InvalidParameter.slug) else FAILED
    fault = 400 <= status < 429 and status != Unauthorized.status
    return Refusal(200 if fault else status, {"code": code, "data": problem["detail"]})


CONTRACT = Contract((MEMBER,), _options, _answer, refuse)
