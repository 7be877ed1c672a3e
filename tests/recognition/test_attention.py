"""The attention decoder reads the lines on which CTC is in doubt, and no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_model
from tiny_model import DECODER_PEAK, draw

from ocrsvc.errors import CorruptModel
from ocrsvc.machine import cpu
from ocrsvc.models import manifest
from ocrsvc.models.manifest import Manifest
from ocrsvc.recognition import alternatives, ctc
from ocrsvc.recognition.attention import in_doubt, plausible, valid_frames
from ocrsvc.recognition.recogniser import Recogniser

# What CTC reads, and what the decoder reads instead.
DOUBTED = (("0123", "0124"), ("8A", "8B"), ("4", "5"))


@pytest.fixture(scope="module")
def plain() -> Recogniser:
    return Recogniser(tiny_model.manifest(), cpu=cpu.inspect())


@pytest.fixture(scope="module")
def tiny() -> Recogniser:
    return Recogniser(tiny_model.manifest("two", decoder=True), cpu=cpu.inspect())


def test_the_decoder_decides_where_ctc_is_in_doubt(plain: Recogniser, tiny: Recogniser) -> None:
    crops = [draw(*both) for both in DOUBTED]
    assert [line.text for line in plain.run(128, crops)] == [ctc for ctc, _ in DOUBTED]
    lines = tiny.run(128, crops)
    assert [line.text for line in lines] == [decoder for _, decoder in DOUBTED]
    assert [line.confidence for line in lines] == [DECODER_PEAK] * 3


def test_characters_lie_where_ctc_sees_them(plain: Recogniser, tiny: Recogniser) -> None:
    for both in DOUBTED:
        (before,), (line,) = plain.run(128, [draw(*both)]), tiny.run(128, [draw(*both)])
        assert [(c.start, c.end) for c in line.characters] == [(c.start, c.end) for c in before.characters]


def test_sure_lines_are_left_to_ctc(plain: Recogniser, tiny: Recogniser) -> None:
    crops = [draw("0123"), draw("中文 42"), draw("4", "5"), draw("A")]
    lines, others = tiny.run(128, crops), plain.run(128, crops)
    assert [line.text for line in lines] == ["0123", "中文 42", "5", "A"]
    assert [lines[at] for at in (0, 1, 3)] == [others[at] for at in (0, 1, 3)]
    assert tiny.run(64, [crops[3]]) == [others[3]]


def test_a_line_does_not_depend_on_its_neighbours(tiny: Recogniser) -> None:
    crops = [draw(*both) for both in DOUBTED] + [draw("XY中")]
    together = tiny.run(128, crops)
    assert [tiny.run(128, [crop])[0] for crop in crops] == together
    assert [tiny.run(256, [crop])[0].text for crop in crops] == [line.text for line in together]


def test_a_line_that_is_too_long_is_left_to_ctc(plain: Recogniser, tiny: Recogniser) -> None:
    long, longest = "0" * 12 + "4", "0" * 11 + "4"
    crops = [draw(long, long[:-1] + "5"), draw(longest, longest[:-1] + "5")]
    first, second = tiny.run(256, crops)
    assert (first.text, second.text) == (long, longest[:-1] + "5")
    assert first == plain.run(256, crops)[0]


@pytest.mark.parametrize("choice", [0, 1, len(tiny_model.CHARSET)])
def test_a_decoder_that_never_or_always_ends_is_ignored(plain: Recogniser, choice: int) -> None:
    stubborn = Recogniser(tiny_model.manifest("stubborn", decoder=True, always=choice), cpu=cpu.inspect())
    crops = [draw(*both) for both in DOUBTED]
    assert stubborn.run(128, crops) == plain.run(128, crops)


@pytest.mark.parametrize(
    ("text", "draft", "possible"),
    [
        ("abc", "abc", True),
        ("abcde", "abc", True),
        ("abcdef", "abc", False),
        ("abcdefghijklm", "abcdefghi", False),
        ("abcdefghijkl", "abcdefghi", True),
        ("abcdef", "abcdefghi", True),
        ("abcde", "abcdefghi", False),
        ("a", "", True),
        ("", "a", False),
        ("", "", True),
        ("abbbc", "abc", True),
        ("abbbbcdefgh", "abcdefgh", False),
        ("a......b", "a....b", True),
    ],
)
def test_a_text_is_near_ctcs_in_length_and_repeats(text: str, draft: str, possible: bool) -> None:
    assert plausible([ord(c) for c in text], [ord(c) for c in draft]) is possible


def test_a_charset_is_left_to_ctc(plain: Recogniser, tiny: Recogniser) -> None:
    crops = [draw(*both) for both in DOUBTED]
    digits = tiny.charset("digits")
    assert tiny.run(128, crops, digits) == plain.run(128, crops, plain.charset("digits"))


def test_the_decoders_text_is_the_first_alternative(tiny: Recogniser) -> None:
    (line,) = alternatives.of_lines(tiny.run(128, [draw("8A", "8B")], steps=True))
    assert line.text == "8B"
    assert line.alternatives[0].text == "8A"
    assert line.characters[1].alternatives[0].text == "A"
    ranked = alternatives.ranked(line.text, line.confidence, line.alternatives, 5)
    assert [each.text for each in ranked][:2] == ["8B", "8A"]
    assert ranked[0].confidence >= ranked[1].confidence


def test_every_bucket_can_be_warmed(tiny: Recogniser) -> None:
    assert [width for width, _, _ in tiny.warm()] == [256, 128, 64]


def test_a_missed_character_is_a_doubt() -> None:
    """Where the blank is best, but another class than that of its neighbours is not improbable."""
    best = np.array([[1, 0, 0, 2]] * 4, np.int32)
    second = np.array([[0, 1, 2, 0], [0, 3, 2, 0], [0, 3, 0, 0], [0, 0, 0, 0]], np.int32)
    doubt = np.array([[0, 0.3, 0.3, 0], [0, 0.3, 0, 0], [0, 0.01, 0, 0], [0, 0, 0, 0]], np.float32)
    indices = np.stack([best, second], axis=2)
    probabilities = np.stack([1 - doubt, doubt], axis=2)
    runs = ctc.collapse(indices[:, :, 0], probabilities[:, :, 0])
    assert in_doubt(indices, probabilities, runs, 0.98).tolist() == [False, True, False, False]
    probabilities[3, 3] = 0.9, 0.1
    runs = ctc.collapse(indices[:, :, 0], probabilities[:, :, 0])
    assert in_doubt(indices, probabilities, runs, 0.98).tolist() == [False, True, False, True]
    assert in_doubt(indices, probabilities, runs, 0.5).tolist() == [False, False, False, False]


def test_an_empty_line_is_no_doubt(tiny: Recogniser) -> None:
    blank = np.full((48, 60, 3), tiny_model.PAD, np.uint8)
    (line,) = tiny.run(64, [blank])
    assert line.text == ""


def test_frames_reach_one_step_over_the_end() -> None:
    assert [valid_frames(width, 8) for width in (1, 8, 9, 64)] == [2, 2, 3, 9]


def test_a_model_folder_keeps_its_decoder(tmp_path: Path) -> None:
    spec = tiny_model.write(tmp_path, decoder=True)
    assert spec.decoder == tiny_model.DECODER
    assert spec == manifest.load(tmp_path / "tiny")
    (line,) = Recogniser(spec, cpu=cpu.inspect()).run(64, [draw("4", "5")])
    assert line.text == "5"


@pytest.mark.parametrize("decoder", [{}, {"below": 0.98}, {"below": 0.98, "longest": 0}])
def test_a_manifest_says_when_its_decoder_reads(tmp_path: Path, decoder: dict[str, float]) -> None:
    spec: Manifest = replace(tiny_model.manifest(decoder=True), decoder=decoder)
    names = {"fp32": "model.onnx", "head": "head.npz", "decoder": "decoder.onnx"}
    with pytest.raises(CorruptModel, match=r"decoder|below|longest"):
        manifest.save(tmp_path / "tiny", spec, names)


def test_another_file_in_place_of_the_decoder_is_noticed(tmp_path: Path) -> None:
    spec = tiny_model.write(tmp_path, decoder=True)
    (tmp_path / "tiny" / "decoder.onnx").write_bytes(b"another")
    with pytest.raises(CorruptModel, match=r"decoder\.onnx has SHA-256"):
        Recogniser(spec, cpu=cpu.inspect())
