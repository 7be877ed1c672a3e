"""Trains neck and head on cached features: distillation from the teacher plus CTC on the truth.

loss = (1 - cosine) + 0.1 MSE to the teacher's embedding + KL to its classes (a sampled set) + CTC on the text.
Resumable: a checkpoint after every epoch; the same seed gives the same batches.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ocrsvc.training.net import Neck
from ocrsvc.training.shards import Line, Shards
from ocrsvc.training.teacher import Head
from ocrsvc.training.truths import BLANK, Batch, Truths, folded

CANDIDATES = 512  # random classes beside those that a batch needs
ALIKE = 6  # nearest class embeddings that are scored with every class seen
SIGNS = 240  # the first classes: ASCII, punctuation, symbols


@dataclass(frozen=True)
class Recipe:
    """Numbers of one fit; they go into the manifest as they are."""

    epochs: int = 6
    frames: int = 2560
    learning_rate: float = 2.5e-3
    head_rate: float = 0.1
    weight_decay: float = 0.02
    ctc: float = 0.5
    kl: float = 1.0
    ema: float = 0.998
    width: int = 160
    hidden: int = 160
    seed: int = 1
    real_repeats: int = 1


@dataclass
class State:
    """All that a run needs to go on: weights, their moving average, optimiser, where it is."""

    neck: Neck
    head: nn.Linear
    average_neck: Neck
    average_head: nn.Linear
    optimiser: torch.optim.Optimizer
    epoch: int = 0
    step: int = 0
    log: list[dict[str, float]] = field(default_factory=list)

    def save(self, path: Path, recipe: Recipe, charset: str) -> None:
        """Writes the checkpoint atomically."""
        building = path.with_suffix(".part")
        content: dict[str, Any] = {
            "neck": self.neck.state_dict(),
            "head": self.head.state_dict(),
            "average_neck": self.average_neck.state_dict(),
            "average_head": self.average_head.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "log": self.log,
            "recipe": asdict(recipe),
            "charset": charset,
        }
        torch.save(content, building)
        building.rename(path)

    def load(self, path: Path) -> None:
        """Takes everything over from a checkpoint."""
        content = torch.load(path, weights_only=True)
        for name in ("neck", "head", "average_neck", "average_head", "optimiser"):
            getattr(self, name).load_state_dict(content[name])
        self.epoch, self.step, self.log = content["epoch"], content["step"], content["log"]


def start(recipe: Recipe, charset: str, head: Head) -> State:
    """A fresh state: the head holds the teacher's class embeddings, the rest is random by the seed."""
    torch.manual_seed(recipe.seed)
    neck = Neck(recipe.width, recipe.hidden)
    weight, bias, _ = head.rows(charset)
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    linear.weight.data.copy_(torch.from_numpy(weight))
    linear.bias.data.copy_(torch.from_numpy(bias))
    plain = [p for p in neck.parameters() if p.ndim < 2]
    matrices = [p for p in neck.parameters() if p.ndim >= 2]
    optimiser = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": recipe.weight_decay, "scale": 1.0},
            {"params": plain, "weight_decay": 0.0, "scale": 1.0},
            {"params": list(linear.parameters()), "weight_decay": 0.0, "scale": recipe.head_rate},
        ],
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
    )
    return State(neck, linear, deepcopy(neck), deepcopy(linear), optimiser)


class Loss:
    """The loss over a sampled set of classes; ``weight`` and ``bias`` are the teacher's head rows over ours.

    All terms see the classes of the batch, their look-alikes (nearest class embeddings), the signs and a random
    sample: a full softmax over 7 000 classes would cost four times the rest of the step.
    """

    def __init__(self, recipe: Recipe, charset: str, head: Head) -> None:
        self.recipe = recipe
        weight, bias, classes = head.rows(charset)
        self.weight, self.bias = torch.from_numpy(weight), torch.from_numpy(bias)
        self.known = torch.tensor([source >= 0 for source in classes])
        self.always = torch.tensor([BLANK, *range(1, SIGNS), len(classes) - 1])
        unit = functional.normalize(self.weight, dim=1)
        self.alike = torch.cat([(rows @ unit.T).topk(ALIKE).indices for rows in unit.split(1024)])

    def candidates(self, batch: Batch) -> Tensor:
        """The classes [C] that this batch is scored over, ascending."""
        seen = torch.unique(torch.cat((batch.classes.flatten(), batch.targets.flatten())))
        sample = torch.randint(len(self.known), (CANDIDATES,))
        return torch.unique(torch.cat((self.alike[seen].flatten(), seen, sample, self.always)))

    def __call__(self, embedding: Tensor, head: nn.Linear, batch: Batch) -> dict[str, Tensor]:
        """Named terms, each a mean over the frames or lines that it applies to."""
        weights = batch.weights
        total = weights.sum().clamp(min=1)
        cosine = 1 - functional.cosine_similarity(embedding, batch.embedding, dim=-1)
        square = (embedding - batch.embedding).square().mean(-1)
        classes = self.candidates(batch)
        logits = functional.linear(embedding, head.weight[classes], head.bias[classes]).log_softmax(-1)
        known = classes[self.known[classes]]
        target = (batch.embedding @ self.weight[known].T + self.bias[known]).softmax(-1)
        student = logits[..., self.known[classes]]
        divergence = functional.kl_div(student, target, reduction="none").sum(-1)
        lengths = torch.full((embedding.shape[0],), embedding.shape[1])
        ctc = functional.ctc_loss(
            logits.transpose(0, 1),
            torch.searchsorted(classes, batch.targets),
            lengths,
            batch.target_lengths,
            BLANK,
            reduction="none",
            zero_infinity=True,
        )
        per_character = ctc / batch.target_lengths.clamp(min=1) * batch.ctc_weights
        return {
            "cosine": (cosine * weights).sum() / total,
            "mse": 0.1 * (square * weights).sum() / total,
            "kl": self.recipe.kl * (divergence * weights).sum() / total,
            "ctc": self.recipe.ctc * per_character.sum() / batch.ctc_weights.sum().clamp(min=1),
        }


@torch.no_grad()
def score(
    neck: Neck, head: nn.Linear, shards: Shards, truths: Truths, lines: Sequence[Line], frames: int = 8192
) -> dict[str, float]:
    """Share of lines read exactly: ``exact`` ignores case, spaces and width; ``strict`` does not."""
    neck.eval()
    exact = strict = 0
    for chunk in Shards.batches(lines, frames, random.Random(0)):
        paths = head(neck(shards.batch(chunk)[0])).argmax(-1).tolist()
        for line, path in zip(chunk, paths, strict=True):
            text, truth = truths.read(path), line.truth.text or ""
            exact += folded(text) == folded(truth)
            strict += text.strip() == truth
    neck.train()
    count = max(len(lines), 1)
    return {"exact": exact / count, "strict": strict / count}


def rate(step: int, total: int) -> float:
    """One-cycle factor: linear warm-up over 5 % of the steps, then a cosine to 1 %."""
    warm = max(1, total // 20)
    if step < warm:
        return (step + 1) / warm
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def fit(
    shards: Shards,
    truths: Truths,
    train: Sequence[Line],
    dev: Mapping[str, Sequence[Line]],
    head: Head,
    recipe: Recipe,
    folder: Path,
    initial: Path | None = None,
) -> Path:
    """Trains for ``recipe.epochs``, going on from ``folder/last.pt`` if it is there; returns the checkpoint.

    ``initial``: the checkpoint of another fit whose averaged weights this one begins with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "last.pt"
    state = start(recipe, truths.charset, head)
    if checkpoint.exists():
        state.load(checkpoint)
        print(f"going on after epoch {state.epoch}", flush=True)
    elif initial is not None:
        content = torch.load(initial, weights_only=True)
        for neck in (state.neck, state.average_neck):
            neck.load_state_dict(content["average_neck"])
        for linear in (state.head, state.average_head):
            linear.load_state_dict(content["average_head"])
    loss = Loss(recipe, truths.charset, head)
    steps = sum(1 for _ in Shards.batches(train, recipe.frames, random.Random(recipe.seed)))
    total = steps * recipe.epochs
    while state.epoch < recipe.epochs:
        rng = random.Random(recipe.seed * 1000 + state.epoch)
        torch.manual_seed(recipe.seed * 1000 + state.epoch)
        sums: dict[str, float] = {}
        began = shown = time.monotonic()
        for done, chunk in enumerate(Shards.batches(train, recipe.frames, rng), 1):
            features, batch = shards.batch(chunk)
            factor = rate(state.step, total)
            for group in state.optimiser.param_groups:
                group["lr"] = recipe.learning_rate * factor * group["scale"]
            terms = loss(state.neck(features), state.head, batch)
            state.optimiser.zero_grad(set_to_none=True)
            torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_([*state.neck.parameters(), *state.head.parameters()], 5.0)
            state.optimiser.step()
            state.step += 1
            average(state, min(recipe.ema, state.step / (state.step + 20)))
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            if time.monotonic() - shown > 20:
                shown = time.monotonic()
                left = (total - state.step) * (shown - began) / done / 60
                means = " ".join(f"{name} {value / done:.3f}" for name, value in sums.items())
                print(f"epoch {state.epoch + 1} {done}/{steps} {means} · {left:.0f} min left", flush=True)
        state.epoch += 1
        row: dict[str, float] = {"epoch": state.epoch, **{k: v / steps for k, v in sums.items()}}
        for name, lines in dev.items():
            scores = score(state.average_neck, state.average_head, shards, truths, lines)
            row |= {f"{name}_{kind}": share for kind, share in scores.items()}
        state.log.append(row)
        state.save(checkpoint, recipe, truths.charset)
        print(" ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
    return checkpoint


@torch.no_grad()
def average(state: State, decay: float) -> None:
    """Moves the averaged weights a step towards the trained ones."""
    pairs = ((state.average_neck, state.neck), (state.average_head, state.head))
    for averaged, trained in pairs:
        for a, b in zip(averaged.parameters(), trained.parameters(), strict=True):
            a.lerp_(b, 1 - decay)
