"""Pictures as text: what is accepted, and what is said about what is not."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrsvc.errors import EmptyInput, InvalidRequest
from ocrsvc.service.base64_image import decode

DATA = bytes(range(256)) + b"\xff\xfe"  # its base64 holds +, / and padding
TEXT = base64.b64encode(DATA).decode()


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"data:image/png;base64,{TEXT}",
        f"DATA:;Base64,{TEXT}",
        f"data:image/svg+xml;charset=utf-8;base64,{TEXT}",
        TEXT.rstrip("="),
        base64.urlsafe_b64encode(DATA).decode(),
        "\n".join(TEXT[i : i + 76] for i in range(0, len(TEXT), 76)) + "\r\n",
        f"  {TEXT} ",
    ],
)
def test_what_encoders_write_is_accepted(text: str) -> None:
    assert decode(text) == DATA


@given(st.binary(min_size=1, max_size=200))
def test_round_trip(data: bytes) -> None:
    assert decode(base64.b64encode(data).decode()) == data
    assert decode(base64.urlsafe_b64encode(data).decode().rstrip("=")) == data


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("iVBO*w0K", r"'\*' at position 4"),
        ("iVBORw0KGg图", r"'图' at position 10"),
        ("iVB=Rw0K", r"padding '=' at position 3"),
        ("iVBORw0KG", r"9 characters cannot be whole bytes"),
        ("data:image/png,iVBORw0K", r"data URI is not base64"),
        ("data:image/png;base64", r"data URI is not base64"),
        ("https://example.com/a.png", r"fetches no URLs"),
        ("C:\\pictures\\a.png", r"':' at position 1"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        decode(text)


@pytest.mark.parametrize("text", ["", "   \n", "data:image/png;base64,", "=", "=="])
def test_nothing_is_empty_input(text: str) -> None:
    with pytest.raises(EmptyInput):
        decode(text)


@given(st.text(max_size=60))
def test_any_text_is_bytes_or_one_of_our_errors(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        assert decode(text)
