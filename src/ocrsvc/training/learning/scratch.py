"""Trains a classic CRNN from scratch on lines that are drawn meanwhile, with CTC alone and no teacher.

AdamW, warm-up, cosine, clipped gradients, averaged weights, short texts first. A killed run resumes from its last
checkpoint, at the same point of its schedule.
"""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ocrsvc.recognition.ctc import BLANK
from ocrsvc.training.data.feed import Batch, Feed, Order, held
from ocrsvc.training.learning import checkpoint
from ocrsvc.training.learning.progress import Report, shown
from ocrsvc.training.learning.schedule import cosine
from ocrsvc.training.nets.vgg import Shape, Vgg

_SAVE_SECONDS = 60.0
_HELD_SEED = 500_000


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a training run, stored in the manifest.

    ``blank_bias``: initial bias of the CTC blank; nearly all frames are blank from the start, which otherwise takes CTC
    many steps to learn. ``score_steps``: steps between scores on ``dev_lines`` lines, each with a checkpoint.
    """

    steps: int = 200_000
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup_steps: int = 200
    clip: float = 5.0
    ema: float = 0.999
    blank_bias: float = 2.0
    score_steps: int = 500
    dev_lines: int = 512
    seed: int = 1


@dataclass(frozen=True)
class Plan:
    """One run: the net, its lines and its hyperparameters; ``minutes`` replaces ``recipe.steps`` as the limit."""

    shape: Shape
    order: Order
    recipe: Recipe
    folder: Path
    minutes: float | None = None
    workers: int = 1
    device: str = "cpu"

    @property
    def checkpoint(self) -> Path:
        """Return the path of the run's checkpoint."""
        return self.folder / "last.pt"

    def described(self) -> dict[str, Any]:
        """Return the settings that must not change between a run and its resumption."""
        order = {
            name: getattr(self.order, name)
            for name in type(self.order).__dataclass_fields__
            if name not in ("library", "prose")
        }
        return {"net": asdict(self.shape), "lines": order, "scratch": asdict(self.recipe)}


@dataclass
class State:
    """State of a run, as a checkpoint holds it."""

    net: Vgg
    average: Vgg
    optimiser: torch.optim.Optimizer
    step: int = 0
    lines: int = 0
    seconds: float = 0.0
    log: list[dict[str, float]] = field(default_factory=list)

    def save(self, plan: Plan) -> None:
        """Write the checkpoint atomically: a kill leaves the old one or the new one."""
        content = {
            "net": self.net.state_dict(),
            "average_net": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            **{name: getattr(self, name) for name in ("step", "lines", "seconds", "log")},
            "recipe": plan.described(),
            "charset": plan.order.charset,
        }
        checkpoint.write(plan.checkpoint, content)

    def load(self, plan: Plan) -> None:
        """Load the checkpoint; ValueError if it belongs to another recipe."""
        content = torch.load(plan.checkpoint, map_location=plan.device, weights_only=True)
        checkpoint.check_same(plan.checkpoint, plan.described(), content["recipe"])
        self.net.load_state_dict(content["net"])
        self.average.load_state_dict(content["average_net"])
        self.optimiser.load_state_dict(content["optimiser"])
        for name in ("step", "lines", "seconds", "log"):
            setattr(self, name, content[name])


def start(plan: Plan) -> State:
    """Return a fresh state, with random weights from the recipe's seed."""
    torch.manual_seed(plan.recipe.seed)
    net = Vgg(plan.shape, len(plan.order.charset) + 1)
    nn.init.zeros_(net.head.bias)
    net.head.bias.data[BLANK] = plan.recipe.blank_bias
    net = net.to(plan.device)
    matrices = [p for p in net.parameters() if p.ndim >= 2]
    plain = [p for p in net.parameters() if p.ndim < 2]
    optimiser = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": plan.recipe.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ],
        lr=plan.recipe.learning_rate,
        betas=(0.9, 0.98),
    )
    return State(net, deepcopy(net).eval(), optimiser)


def load(path: Path) -> tuple[Vgg, str]:
    """Return a net with the averaged weights of a checkpoint, in eval mode on the CPU, and its charset."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    charset: str = content["charset"]
    numbers = content["recipe"]["net"]
    net = Vgg(Shape(tuple(numbers["widths"]), numbers["hidden"], numbers["height"]), len(charset) + 1)
    net.load_state_dict(content["average_net"])
    return net.eval(), charset


def rate(step: int, done: float, warmup_steps: int) -> float:
    """Return the factor of the learning rate: a linear warm-up, a cosine to 1 % over ``done``, 0 to 1."""
    warm = min(1.0, (step + 1) / max(1, warmup_steps))
    return warm * cosine(done)


def _has_amx() -> bool:
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())


class Reader:
    """Logits, loss and score of batches, computed on one device."""

    def __init__(self, charset: str, device: str) -> None:
        self.charset = charset
        self.classes = {character: i for i, character in enumerate(charset, 1)}
        self.device = torch.device(device)
        # bfloat16 is faster on GPUs and AMX CPUs; elsewhere PyTorch emulates it, several times slower than float32.
        self.half = self.device.type == "cuda" or _has_amx()

    def logits(self, net: Vgg, batch: Batch) -> Tensor:
        """Return the logits float32 [N,T,classes] of a batch."""
        pixels = torch.from_numpy(batch.pixels).to(self.device)
        images = pixels.permute(0, 3, 1, 2).float() * (2 / 255) - 1
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            frames = net.backbone(images)
        logits: Tensor = net.head(net.neck(frames))
        return logits

    def loss(self, logits: Tensor, texts: tuple[str, ...]) -> Tensor:
        """Return the CTC loss per character, a mean over the lines."""
        targets = torch.tensor([self.classes[c] for text in texts for c in text], device=self.device)
        frames = torch.full((len(texts),), logits.shape[1])
        lengths = torch.tensor([len(text) for text in texts])
        return functional.ctc_loss(
            logits.log_softmax(-1).transpose(0, 1), targets, frames, lengths, BLANK, zero_infinity=True
        )

    @torch.no_grad()
    def score(self, net: Vgg, held_out: list[Batch]) -> float:
        """Return the share of lines whose text is read exactly."""
        right = total = 0
        for batch in held_out:
            paths = self.logits(net, batch).argmax(-1).tolist()
            for path, text in zip(paths, batch.texts, strict=True):
                right += "".join(self.charset[c - 1] for c, _ in groupby(path) if c != BLANK) == text
            total += len(batch.texts)
        return right / max(total, 1)


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Update the moving average of weights and statistics."""
    for a, b in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if a.is_floating_point():
            a.lerp_(b, 1 - decay)
        else:
            a.copy_(b)


def train(plan: Plan) -> Path:
    """Train to the end of the schedule, resuming from a checkpoint if there is one; return the checkpoint's path.

    Ctrl-C saves before it stops. ValueError for a checkpoint of another recipe, RuntimeError if drawing fails.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    recipe, state = plan.recipe, start(plan)
    if plan.checkpoint.exists():
        state.load(plan)
        print(f"going on after step {state.step}", flush=True)
    if _done(plan, state) >= 1:
        return plan.checkpoint
    reader = Reader(plan.order.charset, plan.device)
    with Feed(plan.order, plan.workers, state.step) as feed, shown() as show:
        dev = held(plan.order, _HELD_SEED + recipe.seed, recipe.dev_lines)
        state.net.train()
        mean: float | None = None
        saved = earlier = state.seconds
        seen, began = 0, time.monotonic()
        try:
            while (done := _done(plan, state)) < 1:
                batch = feed.take(state.step)
                for group in state.optimiser.param_groups:
                    group["lr"] = recipe.learning_rate * rate(state.step, done, recipe.warmup_steps)
                loss = reader.loss(reader.logits(state.net, batch), batch.texts)
                state.optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's has no types
                nn.utils.clip_grad_norm_(state.net.parameters(), recipe.clip)
                state.optimiser.step()
                state.step += 1
                follow(state.average, state.net, min(recipe.ema, (1 + state.step) / (10 + state.step)))
                state.lines, seen = state.lines + len(batch.texts), seen + len(batch.texts)
                value = float(loss.detach())
                mean = value if mean is None else 0.95 * mean + 0.05 * value
                state.seconds = earlier + time.monotonic() - began
                if state.step % recipe.score_steps == 0 or _done(plan, state) >= 1:
                    exact = reader.score(state.average, dev)
                    state.log.append({"step": state.step, "loss": mean, "drawn_exact": exact})
                if state.step % recipe.score_steps == 0 or state.seconds - saved > _SAVE_SECONDS:
                    state.save(plan)
                    saved = state.seconds
                score = state.log[-1]["drawn_exact"] if state.log else None
                show(Report(_done(plan, state), state.step, seen, mean, score))
        finally:
            if seen:
                state.save(plan)
    return plan.checkpoint


def _done(plan: Plan, state: State) -> float:
    """Return the progress of the run, 0 to 1: by time if it has a limit in minutes, else by steps."""
    if plan.minutes is not None:
        return min(1.0, state.seconds / 60 / plan.minutes) if plan.minutes > 0 else 1.0
    return min(1.0, state.step / plan.recipe.steps)
