"""Fine-tunes a shipped model on a few hundred labelled lines of its user, in minutes on a CPU.

Only the neck is trained, with CTC, on the user's lines and on freshly drawn ones (replay). On replay lines, and on
user's lines that the model already reads right, it is also distilled from the model's own embeddings and classes,
so that it does not forget (learning without forgetting, Li & Hoiem 2016).
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ocrsvc.models.buckets import Buckets, fit, stack
from ocrsvc.models.manifest import InputSpec
from ocrsvc.training.data import targets as truths_module
from ocrsvc.training.data.samples import Sample, vary
from ocrsvc.training.data.targets import Batch, Truth, Truths
from ocrsvc.training.learning.fit import rate
from ocrsvc.training.learning.loss import Loss, Weights
from ocrsvc.training.learning.progress import Report
from ocrsvc.training.learning.state import State, average
from ocrsvc.training.nets.net import Crnn, normalise
from ocrsvc.training.nets.teacher import Head

SHARES = (1.0, 0.85, 0.7, 0.55, 0.4, 0.25)
_FRAMES_AT_ONCE = 512  # frames per batch of the convolutions, which run once


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a fine-tuning run, stored in the manifest.

    ``copies``: varied copies of every line, fewer if the lines would exceed ``most_lines``; ``replay``: drawn lines;
    ``frames``: frames per batch; ``minutes``: time limit, even within an epoch.
    """

    epochs: int = 3
    minutes: float = 10
    copies: int = 5
    most_lines: int = 6000
    replay: int = 2000
    frames: int = 1280
    learning_rate: float = 3e-4
    ctc: float = 2.5
    kl: float = 3.0
    embedding: float = 10.0
    ema: float = 0.99
    seed: int = 1


@dataclass(frozen=True)
class Line:
    """One line: features float16 [T,F], embedding float16 [T,D] and classes int64 [T] before training, its target."""

    features: NDArray[np.float16]
    embedding: NDArray[np.float16]
    classes: NDArray[np.int64]
    truth: Truth


def as_head(net: Crnn, charset: str) -> Head:
    """Return the net's own head as the teacher's head."""
    weight, bias = net.head.weight.detach().numpy(), net.head.bias.detach().numpy()
    return Head(weight.T.copy(), bias.copy(), ("", *charset))


def judge(truths: Truths, path: Sequence[int], text: str) -> Truth:
    """Return the target of a labelled line; it is distilled only if the model reads exactly ``text``."""
    held = 1.0 if truths.read(path).strip() == text else 0.0
    target = [truths.index[c] for c in text if c in truths.index]
    if len(target) + sum(a == b for a, b in itertools.pairwise(target)) > len(path):
        target = []
    return Truth(tuple(target), held, held, text)


def distilled(line: Line) -> Line:
    """Return the line with full distillation, whether the model reads it right or wrong."""
    return replace(line, truth=replace(line.truth, distil=1.0, distil_blank=1.0))


class Extractor:
    """Features, embeddings and classes of lines, computed with the net before training."""

    def __init__(self, net: Crnn, truths: Truths, form: InputSpec) -> None:
        self.net, self.truths, self.form = net, truths, form
        net.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a fifth faster
        self.buckets = Buckets(form.buckets)

    @torch.no_grad()
    def __call__(
        self, samples: Sequence[Sample], progress: Callable[[int], None] = lambda _: None
    ) -> list[Line]:
        """Return the lines of ``samples``, ordered by bucket, without those that are too wide for the model."""
        groups: dict[int, list[tuple[NDArray[np.uint8], str]]] = {}
        for sample in samples:
            pixels = fit(sample.image, self.form.height)
            if pixels.shape[1] <= self.buckets.widest:
                groups.setdefault(self.buckets.of(pixels.shape[1]), []).append((pixels, sample.text or ""))
        found: list[Line] = []
        for width, group in groups.items():
            size = max(1, _FRAMES_AT_ONCE * self.form.width_stride // width)
            for start in range(0, len(group), size):
                found += self._lines(group[start : start + size], width)
                progress(len(found))
        return found

    def _lines(self, group: Sequence[tuple[NDArray[np.uint8], str]], width: int) -> list[Line]:
        pixels = stack(
            [line for line, _ in group], height=self.form.height, width=width, pad_value=self.form.pad_value
        )
        features = self.net.backbone(normalise(pixels))
        embedding = self.net.neck(features)
        classes = self.truths.paths(embedding)[0]
        return [
            Line(f, e, c, judge(self.truths, c.tolist(), text))
            for f, e, c, (_, text) in zip(
                features.numpy().astype(np.float16),
                embedding.numpy().astype(np.float16),
                classes.numpy(),
                group,
                strict=True,
            )
        ]


def varied(samples: Sequence[Sample], recipe: Recipe) -> list[Sample]:
    """Return the samples and varied copies of them."""
    rng = random.Random(recipe.seed)
    copies = max(0, min(recipe.copies, recipe.most_lines // max(len(samples), 1) - 1))
    return [*samples, *(vary(sample, rng) for sample in samples for _ in range(copies))]


def batches(lines: Sequence[Line], frames: int, rng: random.Random) -> Iterator[list[Line]]:
    """Yield random batches of equal length with about ``frames`` frames each, in random order."""
    groups: dict[int, list[Line]] = {}
    for line in rng.sample(lines, len(lines)):
        groups.setdefault(len(line.features), []).append(line)
    chunks = []
    for length, group in groups.items():
        size = max(2, frames // length)
        chunks += [group[i : i + size] for i in range(0, len(group), size)]
    rng.shuffle(chunks)
    yield from chunks


def collate(lines: Sequence[Line]) -> tuple[torch.Tensor, Batch]:
    """Return features float32 [N,T,F] and targets of lines of one length."""
    features = torch.from_numpy(np.stack([line.features for line in lines])).float()
    embedding = torch.from_numpy(np.stack([line.embedding for line in lines])).float()
    classes = torch.from_numpy(np.stack([line.classes for line in lines]))
    return features, truths_module.stack(embedding, classes, [line.truth for line in lines])


def train(
    net: Crnn,
    charset: str,
    lines: Sequence[Line],
    held_out: Sequence[Line],
    recipe: Recipe,
    report: Callable[[Report], None] = lambda _: None,
) -> Crnn:
    """Return the net trained on ``lines``, with averaged weights; ``held_out`` is scored for the report only."""
    truths = Truths(charset, as_head(net, charset))
    loss = Loss(Weights(recipe.ctc, recipe.kl, recipe.embedding), charset, as_head(net, charset))
    net = deepcopy(net).requires_grad_(False)
    # The head is frozen: rows of characters that no line has would be pushed away step by step.
    neck = list(net.neck.requires_grad_(True).parameters())
    optimiser = torch.optim.AdamW(neck, lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    state = State(net, deepcopy(net), optimiser)
    rng = random.Random(recipe.seed)
    total = recipe.epochs * sum(1 for _ in batches(lines, recipe.frames, random.Random(recipe.seed)))
    began, seen, smoothed = time.monotonic(), 0, 0.0
    share = exact(state.average, truths, held_out)
    done = 0.0
    while done < 1:
        for chunk in batches(lines, recipe.frames, rng):
            torch.manual_seed(recipe.seed * 1_000_003 + state.step)
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * rate(done)
            features, batch = collate(chunk)
            terms = loss(net.neck(features), net.head, batch)
            value = torch.stack(list(terms.values())).sum()
            optimiser.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]  # PyTorch's has no types
            nn.utils.clip_grad_norm_(neck, 5.0)
            optimiser.step()
            state.step += 1
            average(state, min(recipe.ema, state.step / (state.step + 20)))
            seen += len(chunk)
            smoothed += (float(value.detach()) - smoothed) * max(0.05, 1 / state.step)
            done = max(state.step / total, (time.monotonic() - began) / 60 / recipe.minutes)
            report(Report(min(done, 1.0), state.step, seen, smoothed, share))
            if done >= 1:
                break
        share = exact(state.average, truths, held_out)
    report(Report(1.0, state.step, seen, smoothed, share))
    return state.average.requires_grad_(False).eval()


@torch.no_grad()
def drawn_back(
    before: Crnn, after: Crnn, charset: str, guard: Sequence[Line], most_lost: float
) -> tuple[Crnn, float]:
    """Return the interpolation from ``before`` to ``after`` with the largest share that keeps ``guard``, and the share.

    The share of ``guard`` lines read right may fall by at most ``most_lost``; if no interpolation meets this, the
    smallest share (0.25) is taken. Interpolated nets keep most of what both nets read (Wortsman et al. 2022, WiSE-FT).
    """
    truths = Truths(charset, as_head(before, charset))
    least = exact(before, truths, guard) - most_lost
    net = deepcopy(after)
    for share in SHARES:
        for own, old, new in zip(net.parameters(), before.parameters(), after.parameters(), strict=True):
            own.copy_(torch.lerp(old, new, share))
        if exact(net, truths, guard) >= least:
            break
    return net, share


@torch.no_grad()
def exact(net: Crnn, truths: Truths, lines: Sequence[Line]) -> float:
    """Return the share of lines whose best path is the text, spaces and case included."""
    right = 0
    for chunk in batches(lines, 2560, random.Random(0)):
        paths = net.head(net.neck(collate(chunk)[0])).argmax(-1).tolist()
        right += sum(
            truths.read(path).strip() == line.truth.text for line, path in zip(chunk, paths, strict=True)
        )
    return right / max(len(lines), 1)
