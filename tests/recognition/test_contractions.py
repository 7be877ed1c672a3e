"""Contractions: the space behind a wide apostrophe goes where English has none, and nowhere else."""

from __future__ import annotations

import pytest
from decoded_runs import NOTHING, runs_of, texts_of

from ocrsvc.recognition.contractions import Contractions

ALPHABET = "abcdefghijklmnopqrstuvwxyzIW’' 。3"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("I don’ t think it’ s", "I don’t think it’s"),
        ("We' ll see, we’ ve".replace(",", ""), "We'll see we’ve"),
        ("cats’ tails", "cats’ tails"),
        ("cats’ toys", "cats’ toys"),
        ("’ t", "’ t"),
        ("3’ s", "3’ s"),
        ("it’ s。", "it’s。"),
        ("it’ s3", "it’s3"),
        ("don’ ", "don’ "),
        ("don’t", "don’t"),
    ],
)
def test_where_a_space_goes(line: str, text: str) -> None:
    runs = runs_of(ALPHABET, line)
    chosen = Contractions(ALPHABET).choose(*NOTHING, runs)
    assert texts_of(ALPHABET, chosen, 1) == [text]
    assert len(chosen.rows) == len(chosen.starts) == len(chosen.ends) == len(chosen.peaks) == len(text)


def test_lines_of_a_batch_do_not_touch() -> None:
    lines = ("it’", " s", "don’ t", "")
    chosen = Contractions(ALPHABET).choose(*NOTHING, runs_of(ALPHABET, *lines))
    assert texts_of(ALPHABET, chosen, 4) == ["it’", " s", "don’t", ""]


def test_charsets_without_spaces_or_apostrophes_have_none() -> None:
    judge = Contractions(ALPHABET)
    assert judge.judges("abc’ ")
    assert not judge.judges("abc ")
    assert not judge.judges("abc’")
