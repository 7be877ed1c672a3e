"""Look-alikes told apart by the characters beside them, and what is left as it looks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrsvc.recognition.bigrams import Bigrams, pack
from ocrsvc.recognition.ctc import Runs

ALPHABET = "未末来已己经人O0口 "
BEST = 4
Place = Sequence[tuple[str, float]]  # what a character may be, the most probable first


@pytest.fixture(scope="module")
def bigrams() -> Bigrams:
    """With the table that ships."""
    return Bigrams(ALPHABET, 0.6)


def read(bigrams: Bigrams, *lines: Sequence[Place]) -> list[tuple[str, list[float]]]:
    """Texts and probabilities of lines whose characters take one time step each, with a blank between."""
    steps = 2 * max(map(len, lines))
    indices = np.zeros((len(lines), steps, BEST), np.int32)
    probabilities = np.zeros((len(lines), steps, BEST), np.float32)
    probabilities[:, :, 0] = 0.999
    places = [(row, 2 * i, place) for row, line in enumerate(lines) for i, place in enumerate(line)]
    for row, step, place in places:
        for rank, (character, probability) in enumerate(place):
            indices[row, step, rank] = ALPHABET.index(character) + 1
            probabilities[row, step, rank] = probability
    rows, starts = np.array([row for row, _, _ in places]), np.array([step for _, step, _ in places])
    seen = Runs(rows, starts, starts + 1, indices[rows, starts, 0], probabilities[rows, starts, 0])
    runs = bigrams.choose(indices, probabilities, seen)
    return [
        ("".join(ALPHABET[c - 1] for c in runs.classes[rows == row]), runs.peaks[rows == row].tolist())
        for row in range(len(lines))
    ]


def sure(text: str) -> list[Place]:
    """Characters that are in no doubt."""
    return [[(character, 0.995)] for character in text]


def near(text: str, *peaks: float) -> Any:
    """What ``read`` says of one line, its probabilities about these."""
    return text, pytest.approx(list(peaks))


def test_a_look_alike_gives_way_to_what_makes_a_word(bigrams: Bigrams) -> None:
    ((text, (first, second)),) = read(bigrams, [[("末", 0.7), ("未", 0.25)], *sure("来")])
    assert text == "未来"
    assert 0.5 < first < 0.95  # more than the picture said, and no more than both alternatives had
    assert second == pytest.approx(0.995)


def test_what_is_certain_stays(bigrams: Bigrams) -> None:
    line = [[("末", 0.981), ("未", 0.018)], *sure("来")]
    assert read(bigrams, line) == [near("末来", 0.981, 0.995)]


def test_what_is_far_less_probable_is_no_alternative(bigrams: Bigrams) -> None:
    line = [[("末", 0.97), ("未", 0.006)], *sure("来")]
    assert read(bigrams, line) == [near("末来", 0.97, 0.995)]


def test_neighbours_in_doubt_are_decided_together(bigrams: Bigrams) -> None:
    ((text, _),) = read(bigrams, [[("己", 0.6), ("已", 0.3)], [("人", 0.5), ("经", 0.4)]])
    assert text == "已经"


@pytest.mark.parametrize(
    ("seen", "read_as"),
    [
        ("圖书", "圖書"),  # 書 is nearly as probable, and only 圖書 is a word
        ("图書", "图书"),
        ("圖片", "圖片"),  # 图片 is a word just as well: the picture decides
        ("图片", "图片"),
        ("發現", "發現"),
        ("发现", "发现"),
    ],
)
def test_no_script_is_pushed_into_the_other(seen: str, read_as: str) -> None:
    """The first character is certain in pairs that are mixed, in doubt in those that are not."""
    alphabet, other = "圖图書书片發发現现", dict(zip("圖图書书片發发現现", "图圖书書片发發现現", strict=True))
    doubt = [[(c, 0.5), (other[c], 0.45)] if other[c] != c else [(c, 0.99)] for c in seen]
    if seen != read_as:
        doubt[0] = [(seen[0], 0.99)]
    bigrams = Bigrams(alphabet, 0.6)
    indices, probabilities = np.zeros((1, 4, BEST), np.int32), np.zeros((1, 4, BEST), np.float32)
    for place, choices in enumerate(doubt):
        for rank, (character, probability) in enumerate(choices):
            indices[0, 2 * place, rank] = alphabet.index(character) + 1
            probabilities[0, 2 * place, rank] = probability
    starts = np.array([0, 2])
    runs = Runs(np.zeros(2, np.intp), starts, starts + 1, indices[0, starts, 0], probabilities[0, starts, 0])
    assert "".join(alphabet[c - 1] for c in bigrams.choose(indices, probabilities, runs).classes) == read_as


def test_what_no_word_speaks_for_is_read_as_it_looks(bigrams: Bigrams) -> None:
    """A doubt alone changes nothing: names and rare characters are in no dictionary."""
    for text in ("末", "末口末"):
        line = [[(character, 0.5), ("未", 0.45)] for character in text]
        ((found, peaks),) = read(bigrams, line)
        assert found == text
        assert peaks[0] == pytest.approx(0.5, abs=1e-3)


def test_numbers_letters_and_signs_are_never_weighed(bigrams: Bigrams) -> None:
    line = [*sure("人"), [("O", 0.5), ("口", 0.45)], [("口", 0.5), ("0", 0.45)]]
    assert read(bigrams, line) == [near("人O口", 0.995, 0.5, 0.5)]


def test_a_space_and_the_end_of_a_line_part_neighbours(bigrams: Bigrams) -> None:
    doubt = [("末", 0.6), ("未", 0.35)]
    assert read(bigrams, [doubt, *sure(" 来")])[0][0] == "末 来"
    assert [text for text, _ in read(bigrams, [doubt], sure("来"))] == ["末", "来"]


def test_lines_read_the_same_in_any_company(bigrams: Bigrams) -> None:
    lines: list[list[Place]] = [
        [[("末", 0.7), ("未", 0.25)], *sure("来")],
        [[("己", 0.6), ("已", 0.3)], [("人", 0.5), ("经", 0.4)]],
        sure("人O0"),
    ]
    alone = [read(bigrams, line)[0] for line in lines]
    for order in itertools.permutations(range(3)):
        found = read(bigrams, *(lines[i] for i in order))
        for i, (text, peaks) in zip(order, found, strict=True):
            assert text == alone[i][0]
            assert peaks == pytest.approx(alone[i][1], abs=1e-6)


@given(
    st.lists(
        st.lists(st.sampled_from("未末来已己经人"), min_size=1, max_size=BEST, unique=True).flatmap(
            lambda characters: st.lists(
                st.floats(0.02, 0.2), min_size=len(characters), max_size=len(characters)
            ).map(lambda shares: list(zip(characters, sorted(shares, reverse=True), strict=True)))
        ),
        min_size=1,
        max_size=5,
    ),
    st.dictionaries(st.text("未末来已己经人", min_size=2, max_size=2), st.sampled_from((0.5, 1.0, 4.0))),
)
def test_no_other_way_is_more_probable(line: list[list[tuple[str, float]]], table: dict[str, float]) -> None:
    """As all ways, tried one by one, have it."""
    evidence = {"口口": 1.0, **table}

    def nats(way: tuple[tuple[str, float], ...]) -> float:
        own = sum(float(np.log(probability)) for _, probability in way)
        return own + sum(evidence.get(a + b, 0.0) for (a, _), (b, _) in itertools.pairwise(way))

    ((text, peaks),) = read(Bigrams(ALPHABET, 1.0, pack(evidence)), line)
    ways = list(itertools.product(*line))
    seen = [dict(place) for place in line]
    chosen = tuple((character, seen[i][character]) for i, character in enumerate(text))
    assert nats(chosen) == pytest.approx(max(map(nats, ways)), abs=1e-4)
    for place, peak in zip(line, peaks, strict=True):
        assert 0 < peak <= sum(probability for _, probability in place) + 1e-6


def test_a_table_comes_out_as_it_went_in() -> None:
    table = Bigrams("未来", 1.0, pack({"来未": 2.5, "未来": 4.0}))
    codes = np.array([ord("未"), ord("来"), 0], np.uint32)
    assert table._evidence_of(codes[:, None], codes[None]).tolist() == [[0, 4, 0], [2.5, 0, 0], [0, 0, 0]]
