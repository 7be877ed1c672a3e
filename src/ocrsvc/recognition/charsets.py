"""Charsets to which a caller may restrict the text: ``digits``, ``latin,space``, ``plate``, ``0123456789ABCDEF``.

A charset is a subset of the model's classes. The recogniser renormalises its probabilities over that subset, so that
the O of a plate is read as 0 if O is not allowed, instead of being dropped.
"""

from __future__ import annotations

import functools
import json
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ocrsvc.errors import UnknownCharset

_MAX_LENGTH = 2_000  # most characters of a specification; longer ones only waste memory
PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领港澳学警挂"

SCRIPTS_FILE = Path(__file__).with_name("scripts.json")  # made by ocrsvc.training.texts.charset
SCRIPTS = ("hans", "hant", "kana", "signs", "european")

_NAMED: Mapping[str, str] = MappingProxyType(
    {
        "digits": string.digits,
        "number": string.digits + "+-.,%",
        "money": string.digits + "+-.,¥￥$€£元",
        "date": string.digits + "-/.: 年月日时分秒",
        "hex": string.digits + "abcdefABCDEF",
        "upper": string.ascii_uppercase,
        "lower": string.ascii_lowercase,
        "letters": string.ascii_letters,
        "alphanumeric": string.ascii_letters + string.digits,
        "latin": string.ascii_letters + string.digits + string.punctuation + " ",
        "plate": PROVINCES + string.ascii_uppercase + string.digits + "·",
        "space": " ",
        "punctuation": string.punctuation + "，。、；：？！（）《》“”‘’【】—…·",
    }
)

_WORD = re.compile(r"[a-z]{2,}")


@functools.cache
def named() -> Mapping[str, str]:
    """Return the named charsets, among them Simplified (``hans``) and Traditional Chinese (``hant``)."""
    scripts = json.loads(SCRIPTS_FILE.read_text(encoding="utf-8"))
    return MappingProxyType({**_NAMED, **{name: scripts[name] for name in SCRIPTS}})


@dataclass(frozen=True, slots=True)
class Charset:
    """Classes of one model to which a reading is restricted.

    ``classes`` is ``int32 [n]``, ascending, and always begins with class 0, the CTC blank.
    """

    spec: str
    characters: str
    classes: NDArray[np.int32]


def characters_of(spec: str) -> str:
    """Return the characters of a specification, without repeats; raise UnknownCharset if it is not valid.

    A specification is a list of names separated by commas (``digits,space``), which may end with ``chars:`` and
    literal characters up to the end (``digits,chars:abc,``). Text that does not begin with a lower-case word stands
    for its own characters (``0123456789X``).
    """
    if not spec or len(spec) > _MAX_LENGTH:
        raise UnknownCharset(f"A charset has 1 to {_MAX_LENGTH} characters. {_allowed()}", charset=spec[:80])
    names, marker, literal = spec.partition("chars:")
    if not marker and not _WORD.fullmatch(spec.partition(",")[0].strip()):
        return "".join(dict.fromkeys(spec))
    if marker:
        names = names.strip().removesuffix(",")
    parts = [name.strip() for name in names.split(",")] if names else []
    unknown = [name for name in parts if name not in named()]
    if unknown or not (parts or literal):
        raise UnknownCharset(
            f"Unknown charset {', '.join(map(repr, unknown)) or repr(spec)}. {_allowed()}", charset=spec
        )
    return "".join(dict.fromkeys("".join(named()[name] for name in parts) + literal))


def resolve(spec: str, alphabet: str) -> Charset:
    """Return the charset of this specification for a model whose class i is ``alphabet[i - 1]``.

    Characters that the model cannot write are left out; raises UnknownCharset if none remain.
    """
    wanted = set(characters_of(spec))
    classes = [i for i, character in enumerate(alphabet, start=1) if character in wanted]
    if not classes:
        raise UnknownCharset(
            f"The model can write none of the characters of {spec!r}. {_allowed()}", charset=spec
        )
    characters = "".join(alphabet[i - 1] for i in classes)
    return Charset(spec, characters, np.array([0, *classes], dtype=np.int32))


def _allowed() -> str:
    return (
        f"Use one or more of {', '.join(named())} separated by commas, or the characters "
        "themselves after 'chars:', for example 'digits,chars:Xx'."
    )
