"""Whom to believe: the label, the teacher, or neither."""

from __future__ import annotations

import numpy as np
import pytest
from available import need_training

from ocrsvc.text import fold

need_training()

import torch

from ocrsvc.recognition.ctc import BLANK
from ocrsvc.training.data.targets import Truth, Truths, collapse, recase, stack
from ocrsvc.training.nets.teacher import Head

CHARSET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:'…中文合计 "


@pytest.fixture(scope="module")
def truths() -> Truths:
    """Over a teacher's head that knows every character but 计."""
    characters = ("", *(c for c in CHARSET if c != "计"))
    weight = np.random.default_rng(3).normal(0, 1, (120, len(characters))).astype(np.float32)
    return Truths(CHARSET, Head(weight, np.zeros(len(characters), np.float32), characters))


def spell(text: str, *, blanks: int = 1) -> list[int]:
    """A best path that reads ``text``: each character for two frames, blanks behind."""
    return [c for character in text for c in [CHARSET.index(character) + 1] * 2 + [BLANK] * blanks]


def judge(
    truths: Truths, reading: str, text: str | None, *, case_folded: bool = False, sure: float = 0.99
) -> Truth:
    path = spell(reading)
    return truths.judge(path, [sure] * len(path), text, case_folded)


def written(truth: Truth) -> str:
    return "".join(CHARSET[c - 1] for c in truth.target)


def test_a_right_teacher_is_learnt_from_in_every_frame(truths: Truths) -> None:
    truth = judge(truths, "合计 12", "合计 12")
    assert (truth.text, truth.distil, truth.distil_blank) == ("合计 12", 1.0, 1.0)
    assert written(truth) == "合计 12"


def test_a_wrong_teacher_is_not_listened_to(truths: Truths) -> None:
    truth = judge(truths, "中合", "中文")
    assert (truth.text, truth.distil, truth.distil_blank) == ("中文", 0.0, 0.0)
    assert written(truth) == "中文"


def test_where_the_teacher_drops_spaces_its_blanks_do_not_count(truths: Truths) -> None:
    """RapidOCR #723: its characters are right, but where it says blank there may be a space."""
    truth = judge(truths, "THANKYOU", "THANK YOU")
    assert (truth.text, truth.distil, truth.distil_blank) == ("THANK YOU", 1.0, 0.0)
    assert written(truth) == "THANK YOU"


def test_a_space_too_many_does_not_cost_the_teacher_its_blanks(truths: Truths) -> None:
    truth = judge(truths, "ab c", "abc")
    assert (truth.text, truth.distil, truth.distil_blank) == ("abc", 1.0, 1.0)


def test_a_label_without_case_borrows_the_teachers(truths: Truths) -> None:
    truth = judge(truths, "Thank you", "THANK YOU", case_folded=True)
    assert (truth.text, truth.distil) == ("Thank you", 1.0)
    assert judge(truths, "Thankyou", "THANK YOU", case_folded=True).text == "Thank you"


def test_a_label_without_case_teaches_nothing_where_the_teacher_is_wrong(truths: Truths) -> None:
    truth = judge(truths, "Thenk you", "THANK YOU", case_folded=True)
    assert truth == Truth((), 0.0, 0.0, "THANK YOU")  # and is scored all the same


def test_without_a_label_a_sure_teacher_is_the_truth(truths: Truths) -> None:
    truth = judge(truths, "合计 12", None)
    assert (truth.text, truth.distil, truth.distil_blank) == ("合计 12", 1.0, 1.0)
    assert written(truth) == "合计 12"


def test_without_a_label_an_unsure_teacher_lends_its_vectors_only(truths: Truths) -> None:
    path = spell("合计")
    truth = truths.judge(path, [0.99, 0.99, 0.9, 0.45, 0.99, 0.9], None, False)
    assert truth == Truth((), 1.0, 1.0, None)  # one doubtful character
    assert judge(truths, "合计", None, sure=0.4) == Truth((), 0.3, 1.0, None)  # doubtful altogether


def test_without_a_label_nothing_read_is_a_lesson_too(truths: Truths) -> None:
    assert truths.judge([BLANK] * 5, [0.9] * 5, None, False) == Truth((), 1.0, 1.0, None)


@pytest.mark.parametrize("run", ["THANKYOUFORSHOPPING", "thankYou", "street,Town", "no.Entry"])
def test_without_a_label_latin_that_lacks_spaces_is_no_text(truths: Truths, run: str) -> None:
    truth = judge(truths, run, None)
    assert truth.text is None
    assert truth.target == ()
    assert truth.distil == 1.0


@pytest.mark.parametrize("run", ["THANK YOU", "12.50", "合计ABC", "v1.2", "Street, Town"])
def test_without_a_label_other_latin_is_text(truths: Truths, run: str) -> None:
    assert judge(truths, run, None).text == run


def test_without_a_label_quotation_marks_teach_nothing(truths: Truths) -> None:
    """The teacher writes curly marks as straight ones."""
    assert judge(truths, "合计'12", None) == Truth((), 0.0, 0.0, None)
    assert judge(truths, "合计'12", "合计'12").distil == 1.0  # a label knows


def test_a_target_that_needs_more_frames_than_there_are_is_none(truths: Truths) -> None:
    """CTC needs a blank between equal neighbours: 4 frames spell abc and abb, 3 only abc."""
    sure = [0.9] * 4
    assert written(truths.judge([BLANK] * 4, sure, "abb", False)) == "abb"
    assert written(truths.judge([BLANK] * 3, sure[:3], "abc", False)) == "abc"
    short = truths.judge([BLANK] * 3, sure[:3], "abb", False)
    assert short.target == ()
    assert short.text == "abb"


def test_characters_that_we_cannot_write_are_left_out_of_the_target(truths: Truths) -> None:
    assert written(judge(truths, "ab", "a饕b")) == "ab"


@pytest.mark.parametrize(
    ("label", "reading", "said"),
    [
        ("THANK YOU", "Thank you", "Thank you"),
        ("THANK YOU", "ThankYou", "Thank You"),
        ("A B C", "abc", "a b c"),
        ("ETC… OK", "etc...ok", "etc...ok"),  # … and ... fold alike: what follows must not shift
        ("", "", ""),
    ],
)
def test_recase(label: str, reading: str, said: str) -> None:
    assert fold(label) == fold(reading)
    assert recase(label, reading) == said


@pytest.mark.parametrize(
    ("path", "said"), [([], []), ([0, 0], []), ([1, 1, 0, 1, 2, 2], [1, 1, 2]), ([3, 0, 3, 3], [3, 3])]
)
def test_collapse(path: list[int], said: list[int]) -> None:
    assert collapse(path) == said


def test_folded_forgets_case_width_and_spaces() -> None:
    assert fold("Ａ b　中") == fold("aB中") == "ab中"


def test_paths_are_the_best_classes_of_the_teacher(truths: Truths) -> None:
    """An embedding that points along a class is read as that class."""
    rows = [CHARSET.index(c) + 1 for c in "中文"]
    embedding = truths.matrix.T[rows] * 2
    classes, confidence = truths.paths(embedding[None])
    assert classes.tolist() == [rows]
    assert confidence.min() > 0.99
    assert truths.read(classes[0].tolist()) == "中文"


def test_weights_say_which_frames_the_teacher_teaches() -> None:
    classes = torch.tensor([[5, BLANK, 6], [5, BLANK, BLANK], [BLANK, 7, 7]])
    truths = [Truth((5, 6), 1.0, 0.0, "ab"), Truth((), 0.3, 1.0, None), Truth((9, 9, 9), 0.0, 0.0, "ccc")]
    batch = stack(torch.zeros(3, 3, 120), classes, truths)
    assert torch.allclose(batch.weights, torch.tensor([[1.0, 0, 1], [0.3, 0.3, 0.3], [0, 0, 0]]))
    assert batch.targets.tolist() == [[5, 6, 0], [0, 0, 0], [9, 9, 9]]
    assert batch.target_lengths.tolist() == [2, 0, 3]
    assert batch.ctc_weights.tolist() == [1, 0, 1]


def test_a_batch_is_judged_from_embeddings(truths: Truths) -> None:
    path = spell("ab")
    embedding = torch.stack([truths.matrix.T[path] * 2] * 2)
    batch = truths.batch(embedding, [("ab", "drawn", False), ("xy", "drawn", False)])
    assert batch.classes.tolist() == [path, path]
    assert batch.weights.sum(1).tolist() == [len(path), 0]
    assert batch.target_lengths.tolist() == [2, 2]
