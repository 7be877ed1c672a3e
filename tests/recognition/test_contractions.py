"""Contractions: the space behind a wide apostrophe goes where English has none, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from ocrsvc.recognition.contractions import Contractions
from ocrsvc.recognition.ctc import Runs

NOTHING = np.empty((1, 0, 8), np.int32), np.empty((1, 0, 8), np.float32)
ALPHABET = "abcdefghijklmnopqrstuvwxyzIW’' 。3"


def runs_of(*lines: str) -> Runs:
    rows = [row for row, line in enumerate(lines) for _ in line]
    starts = [2 * place for line in lines for place in range(len(line))]
    return Runs(
        np.array(rows, np.intp),
        np.array(starts, np.intp),
        np.array(starts, np.intp) + 1,
        np.array([ALPHABET.index(c) + 1 for line in lines for c in line], np.int32),
        np.full(len(rows), 0.9, np.float32),
    )


def texts_of(runs: Runs, count: int) -> list[str]:
    return ["".join(ALPHABET[c - 1] for c in runs.classes[runs.rows == row]) for row in range(count)]


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
    runs = runs_of(line)
    chosen = Contractions(ALPHABET).choose(*NOTHING, runs)
    assert texts_of(chosen, 1) == [text]
    assert len(chosen.rows) == len(chosen.starts) == len(chosen.ends) == len(chosen.peaks) == len(text)


def test_lines_of_a_batch_do_not_touch() -> None:
    lines = ("it’", " s", "don’ t", "")
    chosen = Contractions(ALPHABET).choose(*NOTHING, runs_of(*lines))
    assert texts_of(chosen, 4) == ["it’", " s", "don’t", ""]


def test_charsets_without_spaces_or_apostrophes_have_none() -> None:
    judge = Contractions(ALPHABET)
    assert judge.judges("abc’ ")
    assert not judge.judges("abc ")
    assert not judge.judges("abc’")
