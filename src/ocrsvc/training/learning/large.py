"""Trains all layers of a CRNN on freshly drawn lines and real crops, varied in batches, on a GPU or on a CPU.

The run follows the clock and resumes from its checkpoint, written each minute, at the same point of its schedule.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ocrsvc.training.data.feed import Batch, Feed, held
from ocrsvc.training.data.mixed_batches import MixedBatches
from ocrsvc.training.data.pool import Pool
from ocrsvc.training.data.real_lines import RealLines, gathered
from ocrsvc.training.learning import checkpoint, dev_scores
from ocrsvc.training.learning.dev_scores import DevSet
from ocrsvc.training.learning.fit import rate
from ocrsvc.training.learning.held_loss import HeldLoss
from ocrsvc.training.learning.large_plan import Plan, Recipe
from ocrsvc.training.learning.progress import Report, shown
from ocrsvc.training.learning.scratch import follow
from ocrsvc.training.nets import rounding
from ocrsvc.training.nets.net import Crnn
from ocrsvc.training.nets.weights import load_net

_SAVE_SECONDS = 60.0
_SHOW_SECONDS = 30.0
_HELD_SEED = 700_000
# Adam makes the smallest push as large as any: of the rows of the head, which are rarely read but pushed away in every
# step, pushes below this size stay small.
_HEAD = {"eps": 1e-5}
_EARLY = 4.0  # while a run is young, the average is over its last quarter
_LATE = 0.8  # progress from which the variation has its end strength


@dataclass
class State:
    """State of a run, as a checkpoint holds it."""

    net: Crnn
    average: Crnn
    optimiser: torch.optim.Optimizer
    step: int = 0
    lines: int = 0
    drawn: int = 0
    seconds: float = 0.0
    log: list[dict[str, float]] = field(default_factory=list)

    def save(self, plan: Plan) -> None:
        """Write the checkpoint, which `ocrsvc train export` and `blend` read as that of a stage."""
        done = {name: getattr(self, name) for name in ("step", "lines", "drawn", "seconds")}
        content = {
            "shape": self.net.shape.name,
            "net": self.net.state_dict(),
            "average": {name: value.cpu() for name, value in self.average.state_dict().items()},
            "optimiser": self.optimiser.state_dict(),
            **done,
            "log": self.log,
            "described": plan.described(),
            "recipe": asdict(plan.recipe) | done | {"device": plan.device.type, "bfloat16": plan.bfloat16},
            "charset": plan.order.charset,
        }
        checkpoint.write(plan.checkpoint, content)

    def load(self, plan: Plan) -> None:
        """Load the checkpoint; ValueError if it was begun with another recipe or from another net."""
        content = torch.load(plan.checkpoint, map_location=plan.device, weights_only=True)
        checkpoint.check_same(plan.checkpoint, plan.described(), content["described"])
        if (content["shape"], content["charset"]) != (self.net.shape.name, plan.order.charset):
            raise ValueError(f"{plan.checkpoint} was begun with another net than {plan.start}")
        self.net.load_state_dict(content["net"])
        self.average.load_state_dict(content["average"])
        self.optimiser.load_state_dict(content["optimiser"])
        for name in ("step", "lines", "drawn", "seconds", "log"):
            setattr(self, name, content[name])


def start(plan: Plan) -> State:
    """Return a fresh state of the model to start from."""
    net, charset = load_net(plan.start)
    if charset != plan.order.charset:
        raise ValueError(f"{plan.start} has changed")
    net = net.to(plan.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    net.train().requires_grad_(True)
    average = deepcopy(net).eval().requires_grad_(False)
    if plan.recipe.quantised:
        rounding.attach(average, iter(rounding.attach(net)))  # scores simulate INT8, too
    return State(net, average, torch.optim.AdamW(_groups(net, plan.recipe), betas=(0.9, 0.98), fused=True))


def _groups(net: Crnn, recipe: Recipe) -> list[dict[str, Any]]:
    """Return the parameters by part, matrices with weight decay and vectors without it."""
    groups = []
    for part, scale in (
        (net.backbone, recipe.backbone_rate),
        (net.neck, recipe.neck_rate),
        (net.head, recipe.head_rate),
    ):
        for matrix, decay in ((True, recipe.weight_decay), (False, 0.0)):
            chosen = [p for p in part.parameters() if (p.ndim > 1) == matrix]
            group = {"params": chosen, "lr": 0.0, "scale": scale, "weight_decay": decay}
            groups.append(group | (_HEAD if part is net.head else {}))
    return groups


def progress(plan: Plan, state: State) -> float:
    """Return the progress of the run, 0 to 1, by the clock or by the recipe's steps."""
    if plan.recipe.steps:
        return min(1.0, state.step / plan.recipe.steps)
    return min(1.0, state.seconds / 60 / plan.recipe.minutes) if plan.recipe.minutes > 0 else 1.0


def held_weight(recipe: Recipe, done: float) -> float:
    """Return the weight of the held net at a progress of 0 to 1."""
    return recipe.hold + (recipe.hold_end - recipe.hold) * done


class Learner:
    """The training steps of one process.

    On a CPU each batch is computed by one thread on one core: two cores that share every operator wait for each other
    at each of a thousand operators, and learn half as fast, a tenth as fast where other programs want the cores, too.
    """

    def __init__(self, plan: Plan, state: State, made: MixedBatches) -> None:
        self.plan, self.state, self.made = plan, state, made
        net, charset = load_net(plan.hold)
        if charset != plan.order.charset:
            raise ValueError(f"{plan.hold} and {plan.start} have different charsets")
        share = 1.0 if plan.recipe.hold_drawn else made.real_share
        self.loss = HeldLoss(net, charset, plan.recipe.sample, share, bfloat16=plan.bfloat16).to(plan.device)
        self.parameters = list(state.net.parameters())
        self.threads = ThreadPoolExecutor(plan.threads, "learning", torch.set_num_threads, (1,))

    def step(self, done: float) -> tuple[int, dict[str, float]]:
        """Train on the next batches; return the number of their lines and the mean terms of the loss.

        A step whose gradient is not finite changes nothing.
        """
        state, recipe = self.state, self.plan.recipe
        for group in state.optimiser.param_groups:
            group["lr"] = recipe.learning_rate * rate(done) * group["scale"]
        with rounding.weights(state.net) if recipe.quantised else nullcontext():
            learnt = list(self.threads.map(self._gradient, [done] * recipe.batches))
        for parameter, *gradients in zip(self.parameters, *(each.gradients for each in learnt), strict=True):
            total, *rest = gradients
            for gradient in rest:
                total.add_(gradient)
            parameter.grad = total.div_(len(gradients))
        norm = nn.utils.clip_grad_norm_(self.parameters, recipe.clip)
        if torch.isfinite(norm):
            state.optimiser.step()
        state.step += 1
        follow(state.average, state.net, min(recipe.ema, 1 - _EARLY / (_EARLY + state.step)))
        lines = sum(each.lines for each in learnt)
        state.lines += lines
        names = {name for each in learnt for name in each.terms}
        return lines, {
            name: sum(each.terms.get(name, 0.0) for each in learnt) / len(learnt) for name in sorted(names)
        }

    def _gradient(self, done: float) -> _Learnt:
        recipe = self.plan.recipe
        batch = self.made(recipe.strength if done < _LATE else recipe.end_strength)
        terms = self.loss(self.state.net, batch, held_weight(recipe, done))
        gradients = torch.autograd.grad(torch.stack(list(terms.values())).sum(), self.parameters)
        values = {name: float(value.detach()) for name, value in terms.items()}
        return _Learnt(gradients, values, len(batch.labels))

    def scores(self, dev: dict[str, DevSet]) -> dict[str, float]:
        """Return the share of lines read by the averaged weights, by name."""
        plan, average = self.plan, self.state.average

        def right(batch: Batch) -> int:
            return dev_scores.right(average, plan.order.charset, batch, plan.device, bfloat16=plan.bfloat16)

        with rounding.weights(average) if plan.recipe.quantised else nullcontext():
            return {
                f"{name}_exact": sum(self.threads.map(right, lines.batches)) / max(1, len(lines))
                for name, lines in dev.items()
            }


@dataclass(frozen=True)
class _Learnt:
    """Of one batch: gradients in the order of the parameters, terms of the loss, number of lines."""

    gradients: tuple[Tensor, ...]
    terms: dict[str, float]
    lines: int


def dev_sets(plan: Plan) -> dict[str, DevSet]:
    """Return the lines to score on by name: those of the plan's folders, and drawn ones."""
    sets: dict[str, DevSet] = {}
    for folder in plan.dev:
        name = folder.name if folder.name not in sets else f"{folder.parent.name}-{folder.name}"
        sets[name] = dev_scores.from_folder(
            folder, plan.recipe.dev_lines, plan.order.buckets, plan.order.height
        )
    if plan.recipe.dev_lines:
        drawn = held(plan.order, _HELD_SEED + plan.recipe.seed, plan.recipe.dev_lines)
        sets["drawn"] = DevSet(tuple(drawn))
    return sets


def batches(plan: Plan, state: State, feed: Feed, dev: dict[str, DevSet]) -> MixedBatches:
    """Return the batches of a run from its present step on; real crops are read now."""
    recipe, order = plan.recipe, plan.order
    real = None
    if plan.real or plan.photos:
        files = frozenset(file for lines in dev.values() for file in lines.files)
        crops = gathered(plan.real, plan.photos, recipe.held_out, files)
        real = RealLines(
            crops, recipe.mix, order.buckets, order.height, order.width_stride, plan.device, recipe.seed
        )
        labelled = sum(text is not None for text, _, _ in real.labels)
        print(f"{len(real)} real crops, {labelled} with a label", flush=True)
    return MixedBatches(
        feed,
        Pool(order.buckets, order.height, recipe.pool_columns, plan.device),
        real,
        columns=recipe.columns,
        real_share=recipe.real_share,
        passes=recipe.passes,
        clean_drawn=recipe.hold_drawn,
        seed=recipe.seed * 1_000_003 + state.step,
    )


def train(plan: Plan) -> State:
    """Train to the end of the schedule, resuming from a checkpoint if there is one; return the last state.

    Ctrl-C saves before it stops. ValueError for a checkpoint of another recipe, RuntimeError if drawing fails.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    state = start(plan)
    if plan.checkpoint.exists():
        state.load(plan)
        print(f"going on after step {state.step}", flush=True)
    if progress(plan, state) >= 1:
        return state
    with Feed(plan.order, plan.workers, state.step) as feed, shown(_SHOW_SECONDS) as show:
        dev = dev_sets(plan)
        torch.manual_seed(plan.recipe.seed * 1_000_003 + state.step)
        run = _Run(plan, state, Learner(plan, state, batches(plan, state, feed, dev)), dev)
        try:
            while progress(plan, state) < 1:
                show(run.step())
        finally:
            run.learner.threads.shutdown(cancel_futures=True)
            if run.seen:
                state.save(plan)
    return state


class _Run:
    """One process of a run: steps, and scores and checkpoints in their time."""

    def __init__(self, plan: Plan, state: State, learner: Learner, dev: dict[str, DevSet]) -> None:
        self.plan, self.state, self.learner, self.dev = plan, state, learner, dev
        self.saved = self.scored = self.before = state.seconds
        self.seen = self.arrived = 0
        self.means: dict[str, float] = {}
        if not state.step:
            self.score()
        self.began = time.monotonic()

    def step(self) -> Report:
        """Take the next step; score and save if it is time, and at the end."""
        plan, state = self.plan, self.state
        lines, terms = self.learner.step(progress(plan, state))
        for name, value in terms.items():
            self.means[name] = 0.95 * self.means.get(name, value) + 0.05 * value
        self.seen += lines
        arrived = int(self.learner.made.pool.arrived.sum())
        state.drawn, self.arrived = state.drawn + arrived - self.arrived, arrived
        self._tell_time()
        if progress(plan, state) >= 1 or state.seconds - self.scored > 60 * plan.recipe.score_minutes:
            self.score()
            self._tell_time()
            self.scored = state.seconds
        if progress(plan, state) >= 1 or state.seconds - self.saved > _SAVE_SECONDS:
            self.saved = state.seconds
            state.save(plan)
        loss = sum(self.means.values())
        done = progress(plan, state)
        return Report(done, state.step, self.seen, loss, self._mean_score(), dict(self.means), arrived)

    def score(self) -> None:
        """Add a row of scores to the log and print it."""
        row = {"step": self.state.step, **self.means, **self.learner.scores(self.dev)}
        self.state.log.append(row)
        print("dev: " + " ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)

    def _tell_time(self) -> None:
        self.state.seconds = self.before + time.monotonic() - self.began

    def _mean_score(self) -> float | None:
        scores = [value for name, value in self.state.log[-1].items() if name.endswith("_exact")]
        return sum(scores) / len(scores) if scores else None
