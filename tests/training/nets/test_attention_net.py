"""The attention decoder as a net: it sees the text before and its line's frames, and nothing else."""

from __future__ import annotations

from itertools import groupby

import pytest
from available import need_training

need_training()

import torch
from torch import Tensor

from ocrsvc.training.nets.attention import (
    END,
    AttentionDecoder,
    DecoderShape,
    decoder_for,
    half_ordinals,
)
from ocrsvc.training.nets.net import SHAPES, Crnn

CLASSES = 40
SHAPE = SHAPES["tiny"]
SMALL = DecoderShape(width=96, layers=2, heads=4)
PATH = [0, 3, 3, 0, 0, 7, 3, 0, 3, 12, 0, 0]
TEXT = [3, 7, 3, 3, 12]


@pytest.fixture(scope="module")
def net() -> Crnn:
    torch.manual_seed(3)
    return Crnn(SHAPE, CLASSES).eval()


@pytest.fixture(scope="module")
def decoder(net: Crnn) -> AttentionDecoder:
    """A decoder whose every layer adds something."""
    torch.manual_seed(4)
    made = decoder_for(net, SMALL).eval()
    for parameter in made.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape)
    return made


def seen(net: Crnn, *paths: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Features of noise, the same for all lines, and embeddings for which the net's head reads the paths."""
    generator = torch.Generator().manual_seed(5)
    best = torch.tensor(paths)
    rows = net.head.weight.detach() / net.head.weight.detach().norm(dim=1, keepdim=True)
    features = torch.randn(best.shape[1], SHAPE.features, generator=generator).expand(len(paths), -1, -1)
    return features, 40 * rows[best], best


@torch.no_grad()
def logits(net: Crnn, decoder: AttentionDecoder, tokens: list[list[int]], frames: list[int]) -> Tensor:
    memory = decoder.memory(*seen(net, *[PATH] * len(tokens)))
    rows = decoder.rows_of(net.head.weight)
    found: Tensor = decoder(memory, torch.tensor(frames), torch.tensor(tokens, dtype=torch.int32), rows)
    return found


def test_frames_know_the_ordinals_of_ctcs_characters() -> None:
    assert half_ordinals(torch.tensor([PATH])).tolist() == [[0, 1, 1, 2, 2, 3, 5, 6, 7, 9, 10, 10]]
    assert half_ordinals(torch.tensor([[5, 5, 0]])).tolist() == [[1, 1, 2]]


def test_an_untrained_decoder_reads_what_ctc_reads(net: Crnn) -> None:
    assert [c for c, _ in groupby(PATH) if c] == TEXT
    torch.manual_seed(1)
    found = logits(net, decoder_for(net, DecoderShape()), [[END, *TEXT]], [len(PATH)]).argmax(-1)
    assert found[0, : len(TEXT)].tolist() == TEXT


def test_a_choice_does_not_depend_on_what_follows(net: Crnn, decoder: AttentionDecoder) -> None:
    first, other = logits(net, decoder, [[0, 3, 7, 9, 9], [0, 3, 7, 1, 2]], [12, 12])
    torch.testing.assert_close(first[:3], other[:3])
    assert not torch.allclose(first[3:], other[3:])
    (short,) = logits(net, decoder, [[0, 3, 7]], [12])
    torch.testing.assert_close(short, first[:3])


def test_frames_behind_the_line_are_not_looked_at(net: Crnn, decoder: AttentionDecoder) -> None:
    features, embedding, best = seen(net, PATH)
    rows = decoder.rows_of(net.head.weight)
    tokens, frames = torch.tensor([[0, 3, 7]]), torch.tensor([9])
    with torch.no_grad():
        memory = decoder.memory(features, embedding, best)
        whole = decoder(memory, frames, tokens, rows)
        changed = memory.clone()
        changed[:, 9:] = 17.0
        torch.testing.assert_close(decoder(changed, frames, tokens, rows), whole)
        torch.testing.assert_close(decoder(memory[:, :9], frames, tokens, rows), whole)
        changed[:, 8] = 17.0
        assert not torch.allclose(decoder(changed, frames, tokens, rows), whole)


def test_a_line_does_not_depend_on_its_neighbours(net: Crnn, decoder: AttentionDecoder) -> None:
    both = logits(net, decoder, [[0, 3, 7], [0, 9, 9]], [12, 5])
    torch.testing.assert_close(both[:1], logits(net, decoder, [[0, 3, 7]], [12]))


def test_characters_have_the_rows_of_ctcs_head(net: Crnn, decoder: AttentionDecoder) -> None:
    rows = decoder.rows_of(net.head.weight)
    assert torch.equal(rows[1:], net.head.weight[1:])
    assert torch.equal(rows[END], decoder.end)
    assert "rows" not in decoder.state_dict()


def test_every_parameter_learns(net: Crnn) -> None:
    """The layers that add nothing as yet begin to after the first step."""
    torch.manual_seed(6)
    made = decoder_for(net, SMALL)
    optimiser = torch.optim.SGD(made.parameters(), lr=0.01)
    features, embedding, best = seen(net, PATH)
    for _ in range(2):
        found = made(
            made.memory(features, embedding, best),
            torch.tensor([12]),
            torch.tensor([[0, *TEXT]]),
            made.rows_of(net.head.weight.detach()),
        )
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(found[0], torch.tensor([*TEXT, END])).backward()
        optimiser.step()
    still = [name for name, p in made.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert still == []
