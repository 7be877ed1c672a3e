"""Long lines: where they are cut, how the pieces are joined."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby, pairwise

import cv2
import numpy as np
import pytest
import tiny_model
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ocrsvc.machine import cpu
from ocrsvc.models.buckets import fit
from ocrsvc.models.manifest import Manifest
from ocrsvc.recognition import alternatives
from ocrsvc.recognition.ctc import line_of
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.recognition.segments import Segment, cut, join
from ocrsvc.results import Character, LineText, TimeSteps

HEIGHT = 48


def blank(width: int) -> NDArray[np.uint8]:
    return np.full((HEIGHT, width, 3), 255, np.uint8)


def test_a_line_that_fits_stays_whole() -> None:
    assert cut(blank(1280), 1280) == [Segment(0, 1280)]


@given(st.integers(1281, 20_000), st.sampled_from([128, 320, 512, 640, 1280]))
def test_pieces_cover_the_line_overlap_and_fit(width: int, widest: int) -> None:
    rng = np.random.default_rng(width)
    image = np.repeat(rng.integers(0, 256, (HEIGHT, width, 1), dtype=np.uint8), 3, axis=2)
    pieces = cut(image, widest)
    assert pieces[0].start == 0
    assert pieces[-1].end == width
    for piece in pieces:
        assert 0 < piece.end - piece.start <= widest
    for before, after in pairwise(pieces):
        assert before.start < after.start
        assert before.end - after.start >= min(2 * HEIGHT, widest // 8)
        assert before.end < width


def test_a_seam_lies_in_the_widest_gap_nearby() -> None:
    image = blank(1400)
    for left in range(0, 1400, 60):  # characters of 50 pixels, gaps of 10
        image[10:40, left : left + 50] = 0
    image[:, 720:744] = 255  # one gap of 24 pixels
    first, second = cut(image, 1280)
    assert 715 <= (first.end + second.start) / 2 <= 739


def test_a_bucket_too_narrow_for_a_character_is_an_error() -> None:
    with pytest.raises(ValueError, match="too narrow"):
        cut(blank(400), 47)


# --- joining, with readings made by hand: characters of a given pitch, seen by two overlapping pieces ---


def reading(segment: Segment, line: Sequence[tuple[str, float]], *, jitter: float = 0.0) -> LineText:
    """What a perfect recogniser says of the characters (text, centre in pixels) that the segment shows whole."""
    size = segment.end - segment.start
    dice = random.Random(segment.start)
    found = []
    for text, centre in line:
        if segment.start + 6 <= centre <= segment.end - 6:
            centre += dice.uniform(-jitter, jitter)
            left, right = (centre - 5 - segment.start) / size, (centre + 5 - segment.start) / size
            found.append(Character(text, 0.9, max(left, 0), min(right, 1)))
    return line_of(found)


@given(
    text=st.text("1ab中", min_size=30, max_size=200).map(lambda t: t.strip()),
    pitch=st.sampled_from([12, 20, 47]),
    seam=st.floats(0.3, 0.7),
    jitter=st.sampled_from([0.0, 3.0]),
)
def test_joining_loses_and_doubles_nothing(text: str, pitch: int, seam: float, jitter: float) -> None:
    line = [(character, pitch * (index + 0.5)) for index, character in enumerate(text)]
    width = pitch * len(text)
    middle = round(width * seam)
    segments = [Segment(0, min(middle + 72, width)), Segment(max(middle - 72, 0), width)]
    joined = join(segments, [reading(s, line, jitter=jitter) for s in segments], HEIGHT)
    assert joined.text == text
    starts = [c.start for c in joined.characters]
    assert starts == sorted(starts)
    assert all(0 <= c.start < c.end <= 1 + 1e-9 for c in joined.characters)


def test_a_broken_character_at_a_piece_edge_is_not_kept() -> None:
    line = [(c, 24 + 48 * i) for i, c in enumerate("天地玄黄宇宙洪荒日月盈昃")]
    segments = [Segment(0, 360), Segment(216, 576)]
    left, right = (reading(s, line) for s in segments)
    left = line_of([*left.characters, Character("丨", 0.4, 0.98, 1.0)])
    right = line_of([Character("亅", 0.4, 0.0, 0.02), *right.characters])
    assert join(segments, [left, right], HEIGHT).text == "天地玄黄宇宙洪荒日月盈昃"


def test_where_the_readings_disagree_the_seam_decides() -> None:
    segments = [Segment(0, 360), Segment(216, 576)]
    left = line_of(
        [Character("a", 0.9, 0.1, 0.2), Character("x", 0.9, 0.65, 0.7), Character("y", 0.3, 0.9, 0.95)]
    )
    right = line_of([Character("q", 0.3, 0.05, 0.1), Character("z", 0.9, 0.5, 0.6)])
    assert join(segments, [left, right], HEIGHT).text.replace(" ", "") == "axz"


def test_a_wide_gap_at_the_seam_is_a_space() -> None:
    segments = [Segment(0, 360), Segment(216, 576)]
    left, right = line_of([Character("a", 0.9, 0.1, 0.2)]), line_of([Character("b", 0.8, 0.8, 0.9)])
    joined = join(segments, [left, right], HEIGHT)
    assert joined.text == "a b"
    assert joined.characters[1].confidence == 0.8
    assert joined.confidence == pytest.approx((0.9 + 0.8 + 0.8) / 3)


def test_a_single_piece_is_its_own_reading() -> None:
    only = line_of([Character("a", 0.9, 0.1, 0.2)])
    assert join([Segment(0, 100)], [only], HEIGHT) is only


def read_long(
    recogniser: Recogniser, image: NDArray[np.uint8], *, steps: bool = False
) -> tuple[list[Segment], list[LineText]]:
    """The pieces and their readings."""
    crop = fit(image, HEIGHT)
    buckets = recogniser.spec.buckets
    pieces = cut(crop, buckets.widest)
    readings = [
        recogniser.run(buckets.of(p.end - p.start), [crop[:, p.start : p.end]], steps=steps)[0]
        for p in pieces
    ]
    return pieces, readings


def greedy(steps: TimeSteps | None) -> str:
    """The text of the best class of each time step."""
    assert steps is not None
    return "".join(best for best, _ in groupby(step[0][0] for step in steps.steps)).strip()


@pytest.fixture(scope="module")
def tiny() -> Recogniser:
    return Recogniser(tiny_model.manifest(), cpu=cpu.inspect())


@given(st.text("01AB中 ", min_size=20, max_size=80).filter(lambda text: len(text.strip()) >= 20))
def test_the_joined_steps_say_the_joined_text(tiny: Recogniser, text: str) -> None:
    """Even where the pieces disagree: a cut stripe has another grey, and the tiny model reads other characters."""
    pieces, readings = read_long(tiny, tiny_model.draw(text.strip()), steps=True)
    assert len(pieces) > 1
    joined = join(pieces, readings, HEIGHT)
    assert greedy(joined.steps) == joined.text
    assert join(pieces, [replace(each, steps=None) for each in readings], HEIGHT).steps is None


@pytest.mark.timeout(120)
def test_the_steps_of_a_long_real_line_say_its_text(
    real_spec: Manifest, draw_line: Callable[..., NDArray[np.uint8]]
) -> None:
    recogniser = Recogniser(real_spec, cpu=cpu.inspect(), context=False)
    dice = random.Random(11)
    for size in (18, 30):
        text = "".join(dice.choices(HAN + LATIN + " " * 20, k=120)).strip()
        pieces, readings = read_long(recogniser, draw_line(text, size=size), steps=True)
        assert len(pieces) >= 2
        joined = join(pieces, readings, HEIGHT)
        assert greedy(joined.steps) == joined.text
        (found,) = alternatives.of_lines([joined])
        assert found.alternatives
        assert all(abs(len(other.text) - len(joined.text)) <= 3 for other in found.alternatives)


HAN = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所"
    "民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日"
)
LATIN = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["han", "latin", "mixed", "words", "ones"])
def test_a_real_model_reads_150_characters_across_the_seams(
    kind: str, real_spec: Manifest, draw_line: Callable[..., NDArray[np.uint8]]
) -> None:
    """The seams are tested, not the model: of a few texts the first is taken whose pieces are read without an error."""
    recogniser = Recogniser(real_spec, cpu=cpu.inspect(), precision="fp32")
    for seed in range(7, 12):
        dice = random.Random(seed)
        text = {
            "han": "".join(dice.choices(HAN, k=150)),
            "latin": "".join(dice.choices(LATIN, k=150)),
            "mixed": "".join(dice.choices(HAN + LATIN, k=150)),
            "words": "The quick brown fox jumps over the lazy dog 12345 times " * 3 + "END",
            "ones": "1" * 150,
        }[kind]
        pieces, readings = read_long(recogniser, draw_line(text))
        assert len(pieces) >= 2
        # What a cut goes through is not the piece's to read.
        if all(reading.text[2:-2] in text for reading in readings):
            assert join(pieces, readings, HEIGHT).text == text
            return
    raise AssertionError("no text whose pieces are read without an error")


def test_positions_of_a_long_line_are_those_of_the_whole_line(tiny: Recogniser) -> None:
    # The tiny model reads stripes of 16 pixels exactly, so that positions can be compared with the truth.
    text = "".join(random.Random(3).choices("0123456789ABXY", k=60))
    image = tiny_model.draw(text)
    pieces = cut(image, 512)
    assert len(pieces) > 1
    readings = [tiny.run(512, [image[:, p.start : p.end]])[0] for p in pieces]
    joined = join(pieces, readings, HEIGHT)
    for index, character in enumerate(joined.characters):
        centre = (character.start + character.end) / 2 * image.shape[1]
        assert abs(centre - (16 * index + 4)) <= 16, (index, character)
    assert cv2.countNonZero(image[:, :, 0]) > 0
