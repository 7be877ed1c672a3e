"""Letters in doubt read as those of words, and what is left as it looks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrsvc.recognition.charsets import characters_of
from ocrsvc.recognition.ctc import Runs
from ocrsvc.recognition.lexicon import Lexicon, shipped

ALPHABET = "".join(map(chr, range(33, 127))) + "未 "
BEST = 4
SURE = 0.995


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    """With the words that ship."""
    return Lexicon(ALPHABET, 2.0)


def read(lexicon: Lexicon, *lines: str) -> list[tuple[str, list[float]]]:
    """Texts and probabilities of lines; ``ver[as]ions`` leaves it in doubt, 0.5 to 0.4, which of the two it is.

    Characters take one time step each, with a blank between. ``[as>0.1]`` says how probable the second one is.
    """
    places: list[tuple[int, int, list[tuple[str, float]]]] = []
    for row, line in enumerate(lines):
        step, rest = 0, line
        while rest:
            if rest[0] == "[":
                inside, rest = rest[1:].split("]", 1)
                both, _, second = inside.partition(">")
                places.append((row, step, [(both[0], 0.5), (both[1], float(second or 0.4))]))
            else:
                places.append((row, step, [(rest[0], SURE)]))
                rest = rest[1:]
            step += 2
    indices = np.zeros((len(lines), max(step for _, step, _ in places) + 2, BEST), np.int32)
    probabilities = np.zeros(indices.shape, np.float32)
    for row, step, place in places:
        for rank, (character, probability) in enumerate(place):
            indices[row, step, rank] = ALPHABET.index(character) + 1
            probabilities[row, step, rank] = probability
    rows, starts = (np.array([place[i] for place in places]) for i in (0, 1))
    seen = Runs(rows, starts, starts + 1, indices[rows, starts, 0], probabilities[rows, starts, 0])
    runs = lexicon.choose(indices, probabilities, seen)
    return [
        ("".join(ALPHABET[c - 1] for c in runs.classes[rows == row]), runs.peaks[rows == row].tolist())
        for row in range(len(lines))
    ]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("ve[ao]sions", "veasions"),
        ("ver[as]ions", "versions"),
        ("VER[AS]IONS", "VERSIONS"),
        ("Ver[as]ions", "Versions"),
        ("in v[ao]rsions.", "in varsions."),
        ("(ver[as]ions)", "(versions)"),
        ("SERV[lI]CE", "SERVICE"),
        ("ShoP[Pp]ing", "ShoPPing"),
        ("Sho[Pp][Pp]ing", "Shopping"),
        ("b[ae]f[ae]re", "bafare"),
        ("ver[as>0.06]ions", "veraions"),
        ("c[ao]t", "cat"),
        ("N[OC]RTH8", "NORTH8"),
        ("5ver[as]ions", "5veraions"),
        ("ver[as]ions未", "versions未"),
    ],
    ids=lambda value: str(value),
)
def test_letters_in_doubt_make_words(lexicon: Lexicon, line: str, text: str) -> None:
    assert read(lexicon, line)[0][0] == text


def test_a_word_that_was_in_doubt_is_surer_than_its_letters_and_no_word_is_not(lexicon: Lexicon) -> None:
    ((_, word), (_, none)) = read(lexicon, "ver[so>0.1]ions", "xyz[so>0.1]qqq")
    assert 0.55 < word[3] <= 0.6  # of the two that it can be, the one that makes a word
    assert none[3] == pytest.approx(0.5, abs=0.01)
    assert word[:3] == pytest.approx([SURE] * 3)


def test_digits_and_signs_are_no_letters(lexicon: Lexicon) -> None:
    """Though a word would come of it."""
    assert read(lexicon, "SERV[1I]CES")[0][0] == "SERV1CES"
    assert read(lexicon, "[0O]THERS")[0][0] == "0THERS"


def test_codes_are_no_words(lexicon: Lexicon) -> None:
    """A charset that lacks letters is one of hexadecimal digits, number plates or the like."""
    assert not lexicon.judges(characters_of("hex"))
    assert not lexicon.judges(characters_of("plate"))
    assert lexicon.judges(characters_of("latin"))


def test_lines_are_read_apart(lexicon: Lexicon) -> None:
    lines = ["ver", "[as]ions", "ver[as]ions", "x"]
    assert [text for text, _ in read(lexicon, *lines)] == ["ver", "aions", "versions", "x"]
    for order in itertools.permutations(lines):
        for line, found in zip(order, read(lexicon, *order), strict=True):
            assert found == read(lexicon, line)[0]


@given(
    st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True), min_size=5, max_size=5),
    st.sets(st.text("abcd", min_size=5, max_size=5), max_size=3),
    st.data(),
)
def test_no_word_that_looks_nearly_as_probable_is_missed(
    letters: Sequence[Sequence[str]], words: set[str], data: st.DataObject
) -> None:
    words.add("".join(data.draw(st.sampled_from(place)) for place in letters))
    lexicon = Lexicon(ALPHABET, 2.0, words)
    shares = (0.4, 0.3, 0.2)
    shape = (1, 2 * len(letters), BEST)
    indices, probabilities = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    for i, place in enumerate(letters):
        for rank, letter in enumerate(place):
            indices[0, 2 * i, rank] = ALPHABET.index(letter) + 1
            probabilities[0, 2 * i, rank] = shares[rank]
    starts = np.arange(len(letters)) * 2
    none = np.zeros(len(letters), np.intp)
    seen = Runs(none, starts, starts + 1, indices[0, starts, 0], probabilities[0, starts, 0])
    runs = lexicon.choose(indices, probabilities, seen)
    text = "".join(ALPHABET[c - 1] for c in runs.classes)

    def nats(way: Sequence[int]) -> float:
        word = "".join(place[i] for place, i in zip(letters, way, strict=True)) in words
        return sum(float(np.log(shares[i] / shares[0])) for i in way) + 2.0 * word

    chosen = [place.index(letter) for place, letter in zip(letters, text, strict=True)]
    ways = itertools.product(*(range(len(place)) for place in letters))
    assert nats(chosen) == pytest.approx(max(map(nats, ways)), abs=1e-5)
    assert all(0 < peak <= 1 for peak in runs.peaks.tolist())


def test_the_words_that_ship_are_plain() -> None:
    words = shipped()
    assert words == sorted(set(words))
    assert all(word.isascii() and word.isalpha() and word.islower() and len(word) >= 5 for word in words)
    assert {"versions", "invoice", "berlin"} <= set(words)
