"""A small autoregressive transformer decoder that reads a line from a CRNN's convolutions and embeddings.

Shapes: features [N,T,F] and embeddings [N,T,D] of the CRNN, memory [N,T,d+1], tokens [N,L], logits [N,L,classes]. Class
0, the blank of CTC, stands for both the start and the end of a line: the first token is 0, and a line ends where the
decoder chooses 0. The other classes are CTC's. Their rows are shared with the CTC head: a token enters through its row,
and the output is mapped to the space of the rows, so that all characters of the head can be written, even those that
were rarely trained on.

The last channel of the memory is the ordinal of a frame's character in CTC's reading, and attention to the memory is
biased towards the frames of the character that is to be written. So the decoder need not learn where to look, which
takes plain attention very long and fails on long lines (attention drift, Cheng et al. 2017); only the places of
characters that CTC missed or doubled are left to find.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ocrsvc.recognition.ctc import BLANK
from ocrsvc.training.nets.net import Crnn

END = BLANK  # class of the start and of the end of a line
MOST_CHARACTERS = 240  # of a line, which with the tokens that fill up its row have sinusoids
_WAVES = 32  # sinusoids of an ordinal, and as many cosines
_WAVELENGTHS = (4.0, 512.0)  # of the first and the last sinusoid, in half ordinals
_MOST_ORDINALS = 512  # half ordinals, or frames; a line of 1280 pixels has 160 frames
_NEVER = -1e9  # logit of what must not be looked at
_SLOPES = (
    0.05,
    1.5,
)  # nats per half ordinal: how an untrained decoder's heads, from first to last, look away
_EMBEDDING_STD = 4.5  # of the embeddings of crnn
_SHARP = 4.0  # factor of an untrained decoder's logits, which makes the best class the likely one


@dataclass(frozen=True)
class DecoderShape:
    """Sizes of a decoder; ``width`` is divisible by ``heads``."""

    width: int = 192
    layers: int = 3
    heads: int = 8


class MultiHead(nn.Module):
    """Attention of ``heads`` heads; query, key and value come from ``width`` channels."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor, memory: Tensor, seen: Tensor) -> Tensor:
        """Map queries [N,L,d] and memory [N,T,d] to [N,L,d]; the logits get ``seen`` [N or 1,heads or 1,L,T]."""
        query, key, value = (
            self._split(layer(of))
            for layer, of in ((self.query, x), (self.key, memory), (self.value, memory))
        )
        scale = (x.shape[-1] // self.heads) ** -0.5
        weights = (query * scale @ key.transpose(-1, -2) + seen).softmax(-1)
        return self.out((weights @ value).transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, x.shape[-1] // self.heads)).transpose(1, 2)


class Layer(nn.Module):
    """Pre-norm transformer layer: attention to the text before, attention to the memory, two linear layers."""

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        width = shape.width
        self.text_norm, self.memory_norm, self.last_norm = (nn.LayerNorm(width) for _ in range(3))
        self.text = MultiHead(width, shape.heads)
        self.memory = MultiHead(width, shape.heads)
        self.slopes = nn.Parameter(torch.linspace(*_SLOPES, shape.heads))
        self.expand = nn.Linear(width, 4 * width)
        self.project = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, memory: Tensor, before: Tensor, inside: Tensor, away: Tensor) -> Tensor:
        """Map [N,L,d] to [N,L,d]; ``before`` [1,1,L,L] and ``inside`` [N,1,1,T] are masks.

        ``away`` [N,1,L,T] is the distance of each frame from the character that is to be written, in half ordinals.
        """
        y = self.text_norm(x)
        x = x + self.text(y, y, before)
        x = x + self.memory(self.memory_norm(x), memory, inside - self.slopes[:, None, None] * away)
        return x + self.project(functional.silu(self.expand(self.last_norm(x))))


class MemoryMap(nn.Module):
    """What the decoder sees of a line: features, embeddings, the ordinals of CTC's characters, and the frames."""

    def __init__(self, features: int, embedding: int, width: int) -> None:
        super().__init__()
        self.features = nn.Linear(features, width)
        self.embedding = nn.Linear(embedding, width)
        self.ordinal = nn.Linear(2 * _WAVES, width, bias=False)
        self.frame = nn.Linear(2 * _WAVES, width, bias=False)
        self.norm = nn.LayerNorm(width)
        self.register_buffer("waves", _waves(), persistent=False)

    def forward(self, features: Tensor, embedding: Tensor, best: Tensor) -> Tensor:
        """Map features [N,T,F], embeddings [N,T,D] and CTC's best classes int [N,T] to memory [N,T,d+1]."""
        ordinals = half_ordinals(best)
        places = self.ordinal(self.waves)[ordinals]
        frames = self.frame(self.waves)[: best.shape[1]]
        seen = self.norm(self.features(features) + self.embedding(embedding) + places + frames)
        return torch.cat((seen, ordinals[..., None].float()), -1)


class AttentionDecoder(nn.Module):
    """The decoder of one CRNN. ``rows`` [classes,D] are those of ``rows_of``; the decoder has none of its own."""

    def __init__(self, shape: DecoderShape, features: int, embedding: int, classes: int) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        self.memory = MemoryMap(features, embedding, width)
        self.token = nn.Linear(embedding, width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, embedding)
        self.end = nn.Parameter(torch.zeros(embedding))
        self.bias = nn.Parameter(torch.zeros(classes))

    def rows_of(self, head: Tensor) -> Tensor:
        """Return the rows [classes,D] of all classes: those of the CTC head's weights, and that of the end."""
        return torch.cat((self.end[None], head[END + 1 :]))

    def forward(self, memory: Tensor, frames: Tensor, tokens: Tensor, rows: Tensor) -> Tensor:
        """Return the logits [N,L,classes] of the class after each of the tokens int [N,L], the first of which is 0.

        Of the memory [N,T,d+1] each line has its first ``frames`` int [N].
        """
        return functional.linear(self.states(memory, frames, rows[tokens.long()]), rows, self.bias)

    def states(self, memory: Tensor, frames: Tensor, given: Tensor) -> Tensor:
        """Return what the rows are multiplied with to give the logits, [N,L,D]; ``given`` [N,L,D]: the tokens' rows."""
        places = torch.arange(given.shape[1], device=given.device)
        before = (places[None, :] > places[:, None]).float()[None, None] * _NEVER
        steps = torch.arange(memory.shape[1], device=given.device)
        inside = (steps[None, :] >= frames[:, None]).float()[:, None, None] * _NEVER
        ordinals = 2 * places + 1  # of the frames of the character that is to be written
        away = (ordinals[:, None] - memory[:, None, :, -1])[:, None].abs()
        x = self.token(given) + self.memory.ordinal(self.memory.waves)[ordinals]
        for layer in self.layers:
            x = layer(x, memory[..., :-1], before, inside, away)
        return self.out(self.norm(x))


def half_ordinals(best: Tensor) -> Tensor:
    """Return int64 [N,T]: 2 i - 1 in the frames of the i-th character of CTC's reading, 2 i in the blanks after it.

    Those of a line of very many characters end at the last one that has sinusoids.
    """
    written = best != BLANK
    changed = functional.pad(best[:, 1:] != best[:, :-1], (1, 0), value=True)
    begun = (written & changed).to(torch.int64).cumsum(1)
    return (2 * begun - written.to(torch.int64)).clamp(max=_MOST_ORDINALS - 1)


def decoder_for(net: Crnn, shape: DecoderShape) -> AttentionDecoder:
    """Return an untrained decoder for a net, begun so that it reads nearly what CTC reads.

    Its last layer passes the embeddings of the frames that it looks at on to the output; the other layers add nothing
    as yet.
    """
    classes, embedding = net.head.weight.shape
    decoder = AttentionDecoder(shape, net.shape.features, embedding, classes)
    memory, width = decoder.memory, shape.width
    layers = cast(list[Layer], list(decoder.layers))
    last = layers[-1].memory
    with torch.no_grad():
        for module in decoder.modules():
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        # What is not the embedding is small at first, or the output would not be near its row.
        nn.init.normal_(decoder.token.weight, std=0.25 / float(net.head.weight.norm(dim=1).mean()))
        nn.init.normal_(decoder.end, std=float(net.head.weight.std()))
        for waves in (memory.ordinal, memory.frame):
            nn.init.normal_(waves.weight, std=0.25 * _WAVES**-0.5)
        memory.features.weight.mul_(0.3)
        for layer in layers:
            for added in (layer.text.out, layer.memory.out, layer.project):
                nn.init.zeros_(added.weight)
        passed_on = nn.init.orthogonal_(torch.empty(width, embedding))
        memory.embedding.weight.copy_(passed_on * (width / embedding) ** 0.5 / _EMBEDDING_STD)
        nn.init.eye_(last.value.weight)
        nn.init.eye_(last.out.weight)
        decoder.out.weight.copy_(_SHARP * passed_on.T)
        decoder.bias[END + 1 :] = net.head.bias[END + 1 :]
    return decoder


def _waves() -> Tensor:
    first, last = _WAVELENGTHS
    lengths = first * (last / first) ** (torch.arange(_WAVES) / (_WAVES - 1))
    angles = 2 * math.pi * torch.arange(_MOST_ORDINALS)[:, None] / lengths
    return torch.cat((angles.sin(), angles.cos()), 1)
