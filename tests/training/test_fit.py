"""Training on cached features: it learns, and a killed run goes on as if nothing had happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from available import need_training
from tiny_training import TrainingRun

need_training()

import torch  # noqa: E402

from ocrsvc.training import charset, export, teacher  # noqa: E402
from ocrsvc.training.fit import Loss, Recipe, State, fit, rate, score, start  # noqa: E402
from ocrsvc.training.shards import Line, Shards  # noqa: E402
from ocrsvc.training.truths import Truths  # noqa: E402

pytestmark = pytest.mark.timeout(240)
RECIPE = Recipe(epochs=2, frames=64, learning_rate=3e-3, width=24, hidden=16, seed=1)


@pytest.fixture(scope="module")
def head(teacher_path: Path) -> teacher.Head:
    return teacher.load_head()


@pytest.fixture(scope="module")
def truths(head: teacher.Head) -> Truths:
    return Truths(charset.load(), head)


@pytest.fixture(scope="module")
def shards(tiny_run: TrainingRun, truths: Truths) -> Shards:
    return Shards(tiny_run.shards, truths)


@pytest.fixture(scope="module")
def lines(shards: Shards) -> list[Line]:
    """Not all: a few dozen steps are enough."""
    return [line for line in shards.lines if line.truth.distil or line.truth.target][:16]


@pytest.fixture(scope="module")
def whole(
    shards: Shards,
    truths: Truths,
    lines: list[Line],
    head: teacher.Head,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """The checkpoint of an uninterrupted run."""
    path = fit(shards, truths, lines, {"drawn": lines[:4]}, head, RECIPE, tmp_path_factory.mktemp("whole"))
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def test_two_epochs_lower_every_term_of_the_loss(whole: dict[str, Any]) -> None:
    first, second = whole["log"]
    assert second["epoch"] == 2
    for term in ("cosine", "mse", "kl", "ctc"):
        assert second[term] < first[term], term
    assert set(first) == {"epoch", "cosine", "mse", "kl", "ctc", "drawn_exact", "drawn_strict"}


def test_a_killed_run_goes_on_to_the_same_weights(
    shards: Shards,
    truths: Truths,
    lines: list[Line],
    head: teacher.Head,
    whole: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = State.save

    def save_and_die(self: State, *rest: Any) -> None:
        real(self, *rest)
        raise KeyboardInterrupt

    monkeypatch.setattr(State, "save", save_and_die)
    with pytest.raises(KeyboardInterrupt):
        fit(shards, truths, lines, {"drawn": lines[:4]}, head, RECIPE, tmp_path)
    monkeypatch.setattr(State, "save", real)
    assert torch.load(tmp_path / "last.pt", weights_only=True)["epoch"] == 1
    path = fit(shards, truths, lines, {"drawn": lines[:4]}, head, RECIPE, tmp_path)
    content = torch.load(path, weights_only=True)
    assert content["step"] == whole["step"]
    assert content["log"] == whole["log"]
    for part in ("neck", "head", "average_neck", "average_head"):
        for name, tensor in whole[part].items():
            assert torch.equal(content[part][name], tensor), (part, name)


def test_what_is_exported_follows_the_trained_weights_at_a_distance(
    head: teacher.Head, whole: dict[str, Any]
) -> None:
    """The moving average lies between the first weights and the last."""
    began = start(RECIPE, charset.load(), head).neck.reduce.weight
    trained, averaged = whole["neck"]["reduce.weight"], whole["average_neck"]["reduce.weight"]
    way = float((trained - began).norm().detach())
    assert 0 < float((averaged - trained).norm()) < 0.5 * way


def test_a_second_stage_begins_with_the_averaged_weights_of_the_first(
    shards: Shards,
    truths: Truths,
    lines: list[Line],
    head: teacher.Head,
    whole: dict[str, Any],
    tmp_path: Path,
) -> None:
    torch.save(whole, tmp_path / "first.pt")
    still = replace(RECIPE, epochs=1, learning_rate=0.0)
    path = fit(shards, truths, lines, {}, head, still, tmp_path / "second", tmp_path / "first.pt")
    content = torch.load(path, weights_only=True)
    for part in ("neck", "average_neck", "head", "average_head"):
        first = whole[part if part.startswith("average") else f"average_{part}"]
        assert all(torch.allclose(content[part][name], first[name]) for name in first), part
    again = fit(shards, truths, lines, {}, head, RECIPE, tmp_path / "second", tmp_path / "nosuch.pt")
    assert torch.load(again, weights_only=True)["epoch"] == 2  # what it has itself counts, after a kill


def test_a_finished_run_is_left_alone(
    shards: Shards,
    truths: Truths,
    lines: list[Line],
    head: teacher.Head,
    whole: dict[str, Any],
    tmp_path: Path,
) -> None:
    torch.save(whole, tmp_path / "last.pt")
    before = (tmp_path / "last.pt").read_bytes()
    fit(shards, truths, lines, {}, head, RECIPE, tmp_path)
    assert (tmp_path / "last.pt").read_bytes() == before


def test_the_checkpoint_becomes_one_net(whole: dict[str, Any], tmp_path: Path) -> None:
    torch.save(whole, tmp_path / "last.pt")
    net, characters = export.load(tmp_path / "last.pt")
    assert characters == charset.load()
    assert not net.training
    assert torch.equal(net.head.weight, whole["average_head"]["weight"])
    assert torch.equal(net.neck.project.weight, whole["average_neck"]["project.weight"])


def test_the_head_starts_from_the_teachers_classes(head: teacher.Head) -> None:
    state = start(RECIPE, "中文 ", head)
    expected = head.weight[:, head.characters.index("中")]
    assert np.array_equal(state.head.weight[1].detach().numpy(), expected)
    assert torch.equal(state.average_head.weight, state.head.weight)
    again = start(RECIPE, "中文 ", head)
    assert torch.equal(state.neck.reduce.weight, again.neck.reduce.weight)
    other = start(replace(RECIPE, seed=2), "中文 ", head)
    assert not torch.equal(state.neck.reduce.weight, other.neck.reduce.weight)


def test_the_loss_is_nothing_for_the_teachers_own_embeddings(shards: Shards, head: teacher.Head) -> None:
    state, loss = start(RECIPE, charset.load(), head), Loss(RECIPE, charset.load(), head)
    line = next(line for line in shards.lines if line.truth.distil and line.truth.target)
    _, batch = shards.batch([line])
    perfect = loss(batch.embedding, state.head, batch)
    assert float(perfect["cosine"].detach()) < 1e-5
    assert float(perfect["mse"].detach()) == 0
    wrong = loss(batch.embedding.flip(1), state.head, batch)
    for term in ("cosine", "mse", "kl", "ctc"):
        assert float(wrong[term].detach()) > float(perfect[term].detach()) + 1e-3, term


def test_the_classes_that_a_batch_needs_are_among_the_candidates(shards: Shards, head: teacher.Head) -> None:
    loss = Loss(RECIPE, charset.load(), head)
    _, batch = shards.batch([shards.lines[0]])
    classes = loss.candidates(batch)
    assert torch.equal(classes, classes.unique())  # ascending, for searchsorted
    assert set(batch.targets.flatten().tolist()) <= set(classes.tolist())
    assert set(batch.classes.flatten().tolist()) <= set(classes.tolist())
    assert {0, len(charset.load())} <= set(classes.tolist())  # blank and space
    assert len(classes) < 2000  # what the sampling is for


def test_lines_that_the_teacher_misread_teach_by_their_text_alone(shards: Shards, head: teacher.Head) -> None:
    state, loss = start(RECIPE, charset.load(), head), Loss(RECIPE, charset.load(), head)
    line = next(line for line in shards.lines if line.truth.target)
    deaf = replace(line, truth=replace(line.truth, distil=0.0, distil_blank=0.0))
    _, batch = shards.batch([deaf])
    terms = loss(torch.randn(batch.embedding.shape), state.head, batch)
    assert float(terms["cosine"]) == float(terms["mse"]) == float(terms["kl"].detach()) == 0
    assert float(terms["ctc"].detach()) > 0


def test_score_counts_exact_and_strict_readings(
    shards: Shards, truths: Truths, head: teacher.Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the teacher's embeddings for a neck, the score is the teacher's own."""
    lines = [line for line in shards.lines if line.truth.distil and line.truth.text]

    class Copy(torch.nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return features

    monkeypatch.setattr(
        Shards, "batch", lambda self, chunk, real=Shards.batch: (real(self, chunk)[1].embedding, None)
    )
    scores = score(Copy(), start(RECIPE, charset.load(), head).head, shards, truths, lines)  # type: ignore[arg-type]
    assert scores["exact"] == 1.0
    strict = sum(
        truths.read(shards.classes[line.shard][line.start : line.start + line.length].tolist()).strip()
        == line.truth.text
        for line in lines
    )
    assert scores["strict"] == strict / len(lines)


def test_the_rate_warms_up_and_cools_down() -> None:
    rates = [rate(step, 200) for step in range(200)]
    assert rates[0] == 0.1
    assert max(rates) == rates[9] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0.01 <= rates[-1] < 0.011
    assert rate(0, 1) == 1.0
