"""Training of an attention decoder: what it is taught, and a run that goes on where it was stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from available import need_training
from training.tiny_training import DIGITS

need_training()

import numpy as np
import torch
from torch import Tensor

from ocrsvc.training.commands import cli, step
from ocrsvc.training.data.feed import Batch
from ocrsvc.training.learning import (
    attention,
    attention_plan,
    attention_scores,
    large,
    large_plan,
    large_state,
)
from ocrsvc.training.learning.attention_loss import AttentionLoss, Teaching, substituted
from ocrsvc.training.learning.held_loss import Seen
from ocrsvc.training.nets.attention import AttentionDecoder, DecoderShape, decoder_for
from ocrsvc.training.nets.net import SHAPES, Crnn

pytestmark = pytest.mark.timeout(600)

STEPS = 4
DATA = {
    "columns": 960,
    "batches": 2,
    "real_share": 0.4,
    "held_out": 2,
    "dev_lines": 2,
    "pool_columns": 40_000,
    "texts": "random",
    "longest": 12,
}
SECTION = DATA | {"steps": STEPS, "score_minutes": 100, "width": 96, "layers": 1, "heads": 4}
RECIPE: dict[str, Any] = {
    "name": "small",
    "attention": SECTION,
    "large": DATA | {"steps": 2, "dev_lines": 0, "auxiliary": 0.3},
}


def plan(start: Path, out: Path, **more: Any) -> attention_plan.Plan:
    return attention_plan.plan(RECIPE, out, start, device="cpu", threads=1, **more)


def test_a_stopped_run_goes_on(start: Path, labelled: Path, tmp_path: Path) -> None:
    half = plan(start, tmp_path, real=[labelled], dev=[labelled])
    half = replace(half, recipe=replace(half.recipe, steps=STEPS // 2))
    left = attention.train(half)
    assert left.step == STEPS // 2
    recipe = tmp_path / "small.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE), encoding="utf-8")
    arguments = ["--start", str(start), "--out", str(tmp_path), "--device", "cpu", "--threads", "1"]
    cli.main(["attention", str(recipe), *arguments, "--real", str(labelled), "--dev", str(labelled)])
    content = torch.load(half.checkpoint, weights_only=True)
    assert content["step"] == STEPS
    assert content["lines"] > left.lines > 0
    scores = {"cards_exact", "cards_ctc", "drawn_exact", "drawn_ctc"}
    assert [set(row) for row in content["log"]] == [
        {"step"} | scores,
        {"step", "attention"} | scores,
        {"step", "attention"} | scores,
    ]
    assert content["start"] == "net"
    fresh = attention.start(half)
    assert all(torch.equal(fresh.net.state_dict()[name], of) for name, of in left.net.state_dict().items())
    assert "net" not in content  # it stays as it is in its model folder
    assert all(
        not torch.equal(content["decoder"][name], value)
        for name, value in fresh.decoder.state_dict().items()
        if name.endswith("out.weight")
    )


def test_another_recipe_or_net_does_not_go_on(start: Path, font_path: Path, tmp_path: Path) -> None:
    planned = plan(start, tmp_path)
    planned.folder.mkdir()
    attention.start(planned).save(planned)
    other = attention_plan.plan(
        RECIPE | {"attention": SECTION | {"drafts": 0.1}}, tmp_path, start, device="cpu"
    )
    with pytest.raises(ValueError, match=r"another recipe \(different: attention.drafts\)"):
        attention.train(other)
    content = torch.load(planned.checkpoint, weights_only=True)
    torch.save(content | {"weights": "0" * 64}, planned.checkpoint)
    with pytest.raises(ValueError, match="begun with another net"):
        attention.train(planned)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"name": "x"}, "no section 'attention'"),
        ({"attention": {"hold": 0.3}}, "section 'attention' of the recipe has hold; known are minutes"),
        ({"attention": {"longest": 300}}, "a decoder writes at most 240 characters, not longest: 300"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said(
    start: Path, font_path: Path, tmp_path: Path, content: dict[str, Any], message: str
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(SystemExit, match=message):
        cli.main(["attention", str(path), "--start", str(start), "--out", str(tmp_path), "--device", "cpu"])


def test_the_recipe_that_ships_makes_a_plan(start: Path, font_path: Path, tmp_path: Path) -> None:
    planned = attention_plan.plan(step.recipe("crnn"), tmp_path, start, device="cpu")
    assert planned.recipe.shape == DecoderShape()
    assert sum(planned.recipe.mix.shares.values()) == pytest.approx(1)
    on_a_gpu = attention_plan.plan(step.recipe("crnn"), tmp_path, start, device="cuda")
    assert on_a_gpu.recipe.columns > 10 * planned.recipe.columns


def test_an_auxiliary_decoder_is_trained_jointly_and_kept_apart(
    start: Path, font_path: Path, tmp_path: Path
) -> None:
    planned = large_plan.plan(RECIPE, tmp_path, start, device="cpu", threads=1)
    before = large_state.start(planned)
    state = large.train(planned)
    assert state.decoder is not None
    assert before.decoder is not None
    assert {"ctc", "attention"} <= set(state.log[-1])
    content = torch.load(planned.checkpoint, weights_only=True)
    assert set(content["decoder"]) == set(before.decoder.state_dict())
    assert not any(name in content["average"] for name in content["decoder"])
    assert not torch.equal(content["decoder"]["out.weight"], before.decoder.state_dict()["out.weight"])
    again = large_state.start(planned)
    again.load(planned)
    assert again.decoder is not None
    assert torch.equal(again.decoder.out.weight, state.decoder.out.weight)
    without = RECIPE | {"large": DATA | {"steps": 2}}
    assert large_state.start(large_plan.plan(without, tmp_path / "b", start, device="cpu")).decoder is None
    assert "auxiliary" not in large_plan.plan(without, tmp_path, start, device="cpu").described()["large"]


@pytest.mark.parametrize(
    ("draft", "target", "shown"),
    [
        ("abc", "abc", "abc"),
        ("axc", "abc", "axc"),
        ("xyz", "abc", "xyz"),  # replaced as a whole
        ("abbcd", "abcx", "abcd"),  # what is inserted
        ("abxycd", "abecd", "abecd"),  # or replaced by more is left as it should be
        ("ab", "abc", "abc"),
        ("xabc", "abcd", "abcd"),
        ("aabxde", "abcde", "abxde"),
        ("", "ab", "ab"),
    ],
)
def test_the_text_before_has_the_substitutions_of_the_draft(draft: str, target: str, shown: str) -> None:
    found = substituted([ord(c) for c in draft], [ord(c) for c in target])
    assert "".join(map(chr, found)) == shown


@pytest.fixture(scope="module")
def net() -> Crnn:
    torch.manual_seed(2)
    return Crnn(SHAPES["tiny"], len(DIGITS) + 1).eval().requires_grad_(False)


def what_is_seen(net: Crnn, paths: list[list[int]]) -> Seen:
    generator = torch.Generator().manual_seed(5)
    best = torch.tensor(paths)
    rows = net.head.weight / net.head.weight.norm(dim=1, keepdim=True)
    features = torch.randn(*best.shape, net.shape.features, generator=generator)
    return Seen(features, 40 * rows[best], best, [8 * best.shape[1]] * len(paths))


class Watched(AttentionDecoder):
    """A decoder that keeps what it was given."""

    given: Tensor

    def states(self, memory: Tensor, frames: Tensor, given: Tensor) -> Tensor:
        self.given = given.detach()
        return super().states(memory, frames, given)


def tokens_before(net: Crnn, teaching: Teaching, paths: list[list[int]], targets: list[list[int]]) -> Tensor:
    """The tokens that a decoder is given, int64 [N,L]."""
    made = Watched(DecoderShape(96, 1, 4), net.shape.features, net.shape.embedding, len(DIGITS) + 1)
    torch.nn.init.normal_(made.end)
    loss = AttentionLoss(made, teaching)(net, what_is_seen(net, paths), targets)["attention"]
    assert torch.isfinite(loss)
    return torch.cdist(made.given, made.rows_of(net.head.weight).detach()).argmin(-1)


def test_the_text_before_is_the_label_the_draft_or_noise(net: Crnn) -> None:
    paths, targets = [[1, 0, 2, 0, 3, 0]] * 2, [[1, 2, 4], [1, 2]]
    torch.manual_seed(1)
    assert tokens_before(net, Teaching(0, 0, 0), paths, targets).tolist() == [[0, 1, 2, 4], [0, 1, 2, 0]]
    assert tokens_before(net, Teaching(0, 0, 1), paths, targets).tolist() == [[0, 1, 2, 3], [0, 1, 2, 0]]
    noisy = tokens_before(net, Teaching(0, 1, 0), [paths[0]] * 40, [targets[0]] * 40)
    assert (noisy[:, 0] == 0).all()
    assert set(noisy[:, 1:].unique().tolist()) == {1, 2, 4}
    assert (noisy[:, 1] != 1).any()


def test_the_loss_is_the_mean_over_characters_and_the_end(net: Crnn) -> None:
    torch.manual_seed(3)
    decoder = decoder_for(net, DecoderShape(96, 2, 4))
    paths = [[1, 0, 2, 0, 3, 0], [4, 5, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0]]
    targets = [[1, 2, 3], [4, 5], []]
    seen = what_is_seen(net, paths)
    loss = AttentionLoss(decoder, Teaching(0.1, 0, 0))(net, seen, targets)["attention"]
    memory = decoder.memory(seen.features, seen.embedding, seen.best)
    rows = decoder.rows_of(net.head.weight)
    logits = decoder(
        memory, torch.tensor([7, 7, 7]), torch.tensor([[0, 1, 2, 3], [0, 4, 5, 0], [0] * 4]), rows
    )
    logp = logits.log_softmax(-1)
    parts = [logp[0], logp[1, :3]]
    wanted = [torch.tensor([1, 2, 3, 0]), torch.tensor([4, 5, 0])]
    each = torch.cat(
        [-0.9 * part[range(len(w)), w] - 0.1 * part.mean(-1) for part, w in zip(parts, wanted, strict=True)]
    )
    torch.testing.assert_close(loss, each.mean())


def test_a_batch_without_texts_has_no_gradient(net: Crnn) -> None:
    decoder = decoder_for(net, DecoderShape(96, 1, 4))
    parameters = list(decoder.parameters())
    terms = AttentionLoss(decoder, Teaching())(net, what_is_seen(net, [[1, 0]]), [[]])
    gradients = torch.autograd.grad(terms["attention"], parameters)
    assert all(not gradient.any() for gradient in gradients)


def test_scores_are_those_of_both_readings(net: Crnn) -> None:
    """An untrained decoder has no idea of the end, so CTC's text counts where it is longer than allowed."""
    torch.manual_seed(4)
    decoder = decoder_for(net, DecoderShape()).eval()
    pixels = np.random.default_rng(1).integers(0, 255, (3, 48, 96, 3), dtype=np.uint8)
    with torch.no_grad():
        best = net.head(
            net.neck(net.backbone((torch.from_numpy(pixels).float() / 255 - 0.5).permute(0, 3, 1, 2) * 2))
        )
    path = best.argmax(-1).tolist()
    text = "".join(DIGITS[c - 1] for i, c in enumerate(path[0]) if c and (not i or path[0][i - 1] != c))
    batch = Batch(pixels, (text, "x", "y"), (96, 96, 96))
    device = torch.device("cpu")
    ours, ctc = attention_scores.right(net, decoder, DIGITS, batch, device, longest=0, bfloat16=False)
    assert (ours, ctc) == (1, 1) if text else (0, 0)
