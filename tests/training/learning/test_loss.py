"""What training minimises: each term by itself, over a sample of the classes."""

from __future__ import annotations

import numpy as np
import pytest
from available import need_training

need_training()

import torch
from torch.nn import functional

from ocrsvc.recognition.ctc import BLANK
from ocrsvc.training.data.targets import Batch, Truths
from ocrsvc.training.learning import loss as loss_module
from ocrsvc.training.learning.loss import Loss, Weights
from ocrsvc.training.nets.teacher import Head

WIDTH = 16
# More than the classes that are always scored, the last but one unknown to the teacher.
CHARSET = "".join(chr(0x4E00 + i) for i in range(1300)) + "é "


@pytest.fixture(scope="module")
def head() -> Head:
    characters = ("", *CHARSET.replace("é", ""))
    weight = np.random.default_rng(3).normal(0, 1, (WIDTH, len(characters))).astype(np.float32)
    weight *= 4 / np.linalg.norm(weight, axis=0)  # so that every row is nearest to itself
    return Head(weight, np.zeros(len(characters), np.float32), characters)


@pytest.fixture(scope="module")
def truths(head: Head) -> Truths:
    return Truths(CHARSET, head)


@pytest.fixture(scope="module")
def student(truths: Truths) -> torch.nn.Linear:
    """A head with the teacher's rows."""
    layer = torch.nn.Linear(WIDTH, len(CHARSET) + 1)
    with torch.no_grad():
        layer.weight.copy_(truths.matrix.T)
        layer.bias.copy_(truths.bias)
    return layer


def batch_of(truths: Truths, path: list[int], text: str | None) -> Batch:
    """One line whose teacher reads ``path``, clearly."""
    return truths.batch(truths.matrix.T[path][None] * 3, [(text, "drawn", False)])


PATH = [7, 7, BLANK, 900, BLANK, 1000]
TEXT = "".join(CHARSET[c - 1] for c in (7, 900, 1000))


def test_the_teachers_own_embeddings_cost_next_to_nothing(
    head: Head, truths: Truths, student: torch.nn.Linear
) -> None:
    loss, batch = Loss(Weights(), CHARSET, head), batch_of(truths, PATH, TEXT)
    assert batch.weights.tolist() == [[1.0] * len(PATH)]
    perfect = loss(batch.embedding, student, batch)
    assert set(perfect) == {"kl", "ctc", "embedding"}
    assert float(perfect["embedding"].detach()) < 1e-5
    assert abs(float(perfect["kl"].detach())) < 1e-3
    wrong = loss(batch.embedding.flip(1), student, batch)
    for term in perfect:
        assert float(wrong[term].detach()) > float(perfect[term].detach()) + 0.1, term


def test_the_classes_that_a_batch_needs_are_among_the_candidates(head: Head, truths: Truths) -> None:
    loss, batch = Loss(Weights(), CHARSET, head), batch_of(truths, [900, BLANK], CHARSET[1099])
    classes = loss.candidates(batch.classes, batch.targets)
    assert torch.equal(classes, classes.unique())  # ascending, for searchsorted
    assert {BLANK, 900, 1100, len(CHARSET)} | set(range(loss_module.SIGNS)) <= set(classes.tolist())
    unit = functional.normalize(loss.rows, dim=1)
    alike = (unit @ unit[900]).topk(loss_module.ALIKE).indices
    assert set(alike.tolist()) <= set(classes.tolist())
    assert len(classes) < 0.8 * len(CHARSET)  # what the sampling is for


def test_the_sample_of_classes_follows_the_seed(head: Head, truths: Truths) -> None:
    loss, batch = Loss(Weights(), CHARSET, head), batch_of(truths, PATH, TEXT)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(loss.candidates(batch.classes, batch.targets).tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_ctc_is_that_of_the_candidates_alone(head: Head, truths: Truths, student: torch.nn.Linear) -> None:
    loss, batch = Loss(Weights(ctc=0.5), CHARSET, head), batch_of(truths, PATH, TEXT)
    embedding = torch.randn(1, len(PATH), WIDTH, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(5)
    classes = loss.candidates(batch.classes, batch.targets).tolist()
    torch.manual_seed(5)
    term = loss(embedding, student, batch)["ctc"]
    logits = student(embedding)[..., classes].log_softmax(-1)
    target = torch.tensor([[classes.index(c) for c in (7, 900, 1000)]])
    whole = functional.ctc_loss(
        logits.transpose(0, 1), target, torch.tensor([len(PATH)]), torch.tensor([3]), reduction="sum"
    )
    assert float(term.detach()) == pytest.approx(0.5 * float(whole.detach()) / 3, rel=1e-4)


def test_lines_that_the_teacher_misread_teach_by_their_text_alone(
    head: Head, truths: Truths, student: torch.nn.Linear
) -> None:
    loss, batch = Loss(Weights(), CHARSET, head), batch_of(truths, PATH, TEXT[::-1])
    terms = loss(torch.randn(batch.embedding.shape), student, batch)
    assert float(terms["kl"].detach()) == float(terms["embedding"]) == 0
    assert float(terms["ctc"].detach()) > 0


def test_lines_without_text_teach_by_the_teacher_alone(
    head: Head, truths: Truths, student: torch.nn.Linear
) -> None:
    loss, batch = Loss(Weights(), CHARSET, head), batch_of(truths, [BLANK] * 5, None)
    terms = loss(torch.randn(batch.embedding.shape), student, batch)
    assert float(terms["ctc"].detach()) == 0
    assert float(terms["kl"].detach()) > 0
    assert float(terms["embedding"]) > 0


def test_the_teacher_has_no_say_about_characters_that_it_lacks(
    head: Head, truths: Truths, student: torch.nn.Linear
) -> None:
    """Its row for them is made up: whatever it is, KL does not look at it."""
    loss, batch = Loss(Weights(), CHARSET, head), batch_of(truths, PATH, TEXT)
    lacking = CHARSET.index("é") + 1
    assert (~loss.known).nonzero().flatten().tolist() == [lacking]
    found = []
    for bias in (0.0, 50.0):
        loss.bias[lacking] = bias
        torch.manual_seed(5)
        other = batch_of(truths, PATH, "é")
        assert lacking in loss.candidates(other.classes, other.targets)
        torch.manual_seed(5)
        found.append(float(loss(batch.embedding, student, batch)["kl"].detach()))
    assert found[0] == found[1]


def test_weights_scale_their_terms_and_no_embedding_means_any_width(
    head: Head, truths: Truths, student: torch.nn.Linear
) -> None:
    batch = batch_of(truths, PATH, TEXT)
    embedding = torch.randn(batch.embedding.shape, generator=torch.Generator().manual_seed(1))
    found = []
    for weights in (Weights(1, 1, 1), Weights(2, 3, 4)):
        torch.manual_seed(5)
        terms = Loss(weights, CHARSET, head)(embedding, student, batch)
        found.append({name: float(term.detach()) for name, term in terms.items()})
    for name, factor in (("ctc", 2), ("kl", 3), ("embedding", 4)):
        assert found[1][name] == pytest.approx(factor * found[0][name], rel=1e-4), name
    narrow = torch.nn.Linear(5, len(CHARSET) + 1)
    terms = Loss(Weights(embedding=0), CHARSET, head)(torch.randn(1, len(PATH), 5), narrow, batch)
    assert set(terms) == {"kl", "ctc"}
