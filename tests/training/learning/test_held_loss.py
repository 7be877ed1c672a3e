"""CTC on texts, KL from the held net: which lines count for which, and what both compute."""

from __future__ import annotations

from copy import deepcopy

import pytest
from available import need_training

need_training()

import torch
from torch.nn import functional

from ocrsvc.recognition.ctc import BLANK
from ocrsvc.training.data.mixed_batches import Mixed
from ocrsvc.training.data.targets import Label
from ocrsvc.training.learning.held_loss import HeldLoss, judged
from ocrsvc.training.nets.net import SHAPES, Crnn

CHARSET = "0123456789abcdefABCDEF "
FRAMES = 12


@pytest.fixture
def net() -> Crnn:
    torch.manual_seed(1)
    made = Crnn(SHAPES["tiny"], len(CHARSET) + 1).eval()
    for parameter in made.parameters():  # else nothing depends on the picture
        if parameter.ndim > 1:
            torch.nn.init.kaiming_normal_(parameter)
    return made


def loss_of(net: Crnn, sample: int = 0, share: float = 1.0) -> HeldLoss:
    return HeldLoss(deepcopy(net), CHARSET, sample, share, bfloat16=False)


def batch(*labels: Label, clean: int, same: bool = False) -> Mixed:
    generator = torch.Generator().manual_seed(3)
    images = torch.rand(len(labels), 3, 48, FRAMES * 8, generator=generator) * 2 - 1
    other = torch.rand(clean, 3, 48, FRAMES * 8, generator=generator) * 2 - 1
    return Mixed(images, images[:clean].clone() if same else other, labels, clean)


def path_of(text: str) -> list[int]:
    """A best path that reads ``text``."""
    return [c for character in text for c in (CHARSET.index(character) + 1, BLANK)]


def judge(text: str | None, reading: str, case_folded: bool = False) -> tuple[str, float, float]:
    """What a line's CTC learns, and the weights of the held net where it reads a character and where a blank."""
    truths = loss_of(Crnn(SHAPES["tiny"], len(CHARSET) + 1)).truths
    path = path_of(reading)
    truth = judged(truths, path, [0.9] * len(path), (text, "a", case_folded))
    return "".join(CHARSET[c - 1] for c in truth.target), truth.distil, truth.distil_blank


def test_the_held_net_counts_where_it_reads_the_label() -> None:
    assert judge("12ab", "12ab") == ("12ab", 1.0, 1.0)
    assert judge("12ab", "13ab") == ("12ab", 0.0, 0.0)
    assert judge("1 2", "12") == ("1 2", 1.0, 0.0)  # it lost a space: its blanks are no model


def test_a_line_without_a_label_is_held_but_has_no_text() -> None:
    assert judge(None, "12ab") == ("", 1.0, 1.0)


def test_a_label_without_case_takes_that_of_the_reading() -> None:
    assert judge("ABC", "aBc", case_folded=True) == ("aBc", 1.0, 1.0)
    assert judge("ABC", "aBd", case_folded=True) == ("", 0.0, 0.0)  # no source for the case
    assert judge("ABC", "ABD", case_folded=True) == ("ABC", 0.0, 0.0)  # a line in capitals, misread


def test_ctc_is_that_of_all_classes_weighted_by_length(net: Crnn) -> None:
    lines = batch(("1", "drawn", False), ("23ab", "drawn", False), clean=0)
    terms = loss_of(net)(net, lines, 0.8)
    assert set(terms) == {"ctc"}
    logp = net(lines.images).detach().log_softmax(-1).transpose(0, 1)
    targets = torch.tensor([[CHARSET.index(c) + 1 for c in text] for text in ("1000", "23ab")])
    lengths = torch.tensor([1, 4])
    each = functional.ctc_loss(logp, targets, torch.tensor([FRAMES] * 2), lengths, BLANK, reduction="none")
    assert float(terms["ctc"].detach()) == pytest.approx(float((each[0] + each[1] / 2) / 3), rel=1e-4)


def test_kl_is_nothing_between_equal_nets_and_pictures(net: Crnn) -> None:
    lines = batch((None, "photos", False), (None, "photos", False), clean=2, same=True)
    terms = loss_of(net)(net, lines, 0.8)
    assert float(terms["ctc"].detach()) == 0
    assert float(terms["kl"].detach()) == pytest.approx(0, abs=1e-6)


def test_kl_compares_the_spoilt_picture_with_the_clean_one(net: Crnn) -> None:
    lines = batch((None, "photos", False), ("1", "drawn", False), clean=1)
    loss = loss_of(net, share=0.25)
    held = loss._judged(lines)[0]
    with torch.no_grad():
        wanted, logp = net(lines.clean).log_softmax(-1), net(lines.images[:1]).log_softmax(-1)
    divergence = (wanted.exp() * (wanted - logp)).sum(-1)
    expected = 0.5 * float((divergence * held.weights).sum()) / (0.25 * 2 * FRAMES)
    assert float(held.weights.sum()) > 0
    assert expected > 0.01
    assert float(loss(net, lines, 0.5)["kl"].detach()) == pytest.approx(
        expected, rel=1e-3
    )  # processors differ in how they sum a batch of another size


def test_a_sample_that_holds_all_classes_gives_the_same(net: Crnn) -> None:
    lines = batch((None, "photos", False), ("1b2", "drawn", False), ("7", "a", False), clean=1)
    whole, sampled = loss_of(net)(net, lines, 0.5), loss_of(net, sample=500)(net, lines, 0.5)
    for name, value in whole.items():
        assert float(sampled[name].detach()) == pytest.approx(float(value.detach()), rel=1e-4)


def test_all_layers_get_a_gradient_and_the_held_net_none(net: Crnn) -> None:
    loss = loss_of(net, sample=8)
    terms = loss(net, batch((None, "photos", False), ("1b2", "drawn", False), clean=1), 0.5)
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in net.parameters())
    assert all(p.grad is None for p in loss.held.parameters())
