"""Training on live batches: steps by the clock, scores and checkpoints in their time, resumption.

Live batches are of lines that are drawn meanwhile and of real crops, varied as they are used (``MixedBatches``). What
is trained, and with which loss, a ``Learner`` knows: ``large`` for all layers, ``attention`` for an attention decoder.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ocrsvc.training.data.feed import Feed, held
from ocrsvc.training.data.mixed_batches import Mixed, MixedBatches
from ocrsvc.training.data.pool import Pool
from ocrsvc.training.data.real_lines import RealLines, gathered
from ocrsvc.training.learning import dev_scores
from ocrsvc.training.learning.dev_scores import DevSet
from ocrsvc.training.learning.fit import rate
from ocrsvc.training.learning.live_plan import LivePlan, R
from ocrsvc.training.learning.progress import Report, shown

_SAVE_SECONDS = 60.0
_SHOW_SECONDS = 30.0
_HELD_SEED = 700_000
_EARLY = 4.0  # while a run is young, the average is over its last quarter
_LATE = 0.8  # progress from which the variation has its end strength


@dataclass(kw_only=True)
class RunState:
    """What every run counts: steps, lines learnt from, lines drawn, seconds, and a row of scores at intervals."""

    step: int = 0
    lines: int = 0
    drawn: int = 0
    seconds: float = 0.0
    log: list[dict[str, float]] = field(default_factory=list)

    def counted(self) -> dict[str, int | float]:
        """Return the counts by name."""
        return {name: getattr(self, name) for name in ("step", "lines", "drawn", "seconds")}

    def count_on(self, content: Mapping[str, Any]) -> None:
        """Take over counts and log from the content of a checkpoint."""
        for name in ("step", "lines", "drawn", "seconds", "log"):
            setattr(self, name, content[name])


def progress(plan: LivePlan[R], state: RunState) -> float:
    """Return the progress of the run, 0 to 1, by the clock or by the recipe's steps."""
    if plan.recipe.steps:
        return min(1.0, state.step / plan.recipe.steps)
    return min(1.0, state.seconds / 60 / plan.recipe.minutes) if plan.recipe.minutes > 0 else 1.0


@dataclass(frozen=True)
class _Learnt:
    """Of one batch: gradients in the order of the parameters, terms of the loss, number of lines."""

    gradients: tuple[Tensor, ...]
    terms: dict[str, float]
    lines: int


class Learner(ABC):
    """The training steps of one process.

    On a CPU each batch is computed by one thread on one core: two cores that share every operator wait for each other
    at each of a thousand operators, and learn half as fast, a tenth as fast where other programs want the cores, too.
    """

    def __init__(
        self,
        plan: LivePlan[Any],
        state: RunState,
        made: MixedBatches,
        optimiser: torch.optim.Optimizer,
        parameters: list[nn.Parameter],
    ) -> None:
        self.run, self.counts, self.made = plan, state, made
        self.optimiser, self.parameters = optimiser, parameters
        self.threads = ThreadPoolExecutor(plan.threads, "learning", torch.set_num_threads, (1,))

    @abstractmethod
    def terms(self, batch: Mixed, done: float) -> dict[str, Tensor]:
        """Return the weighted terms of the loss of a batch at a progress of 0 to 1."""

    @abstractmethod
    def follow(self, decay: float) -> None:
        """Update the averaged weights."""

    @abstractmethod
    def scores(self, dev: Mapping[str, DevSet]) -> dict[str, float]:
        """Return scores of the averaged weights by name; the shares of lines read right end in ``_exact``."""

    @abstractmethod
    def save(self) -> None:
        """Write the checkpoint."""

    def rounding(self) -> AbstractContextManager[None]:
        """Return the context in which gradients are computed."""
        return nullcontext()

    def step(self, done: float) -> tuple[int, dict[str, float]]:
        """Train on the next batches; return the number of their lines and the mean terms of the loss.

        A step whose gradient is not finite changes nothing.
        """
        recipe, counts = self.run.recipe, self.counts
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.learning_rate * rate(done) * group["scale"]
        with self.rounding():
            learnt = list(self.threads.map(self._gradient, [done] * recipe.batches))
        for parameter, *gradients in zip(self.parameters, *(each.gradients for each in learnt), strict=True):
            total, *rest = gradients
            for gradient in rest:
                total.add_(gradient)
            parameter.grad = total.div_(len(gradients))
        norm = nn.utils.clip_grad_norm_(self.parameters, recipe.clip)
        if torch.isfinite(norm):
            self.optimiser.step()
        counts.step += 1
        self.follow(min(recipe.ema, 1 - _EARLY / (_EARLY + counts.step)))
        lines = sum(each.lines for each in learnt)
        counts.lines += lines
        names = {name for each in learnt for name in each.terms}
        return lines, {
            name: sum(each.terms.get(name, 0.0) for each in learnt) / len(learnt) for name in sorted(names)
        }

    def _gradient(self, done: float) -> _Learnt:
        recipe = self.run.recipe
        batch = self.made(recipe.strength if done < _LATE else recipe.end_strength)
        terms = self.terms(batch, done)
        gradients = torch.autograd.grad(torch.stack(list(terms.values())).sum(), self.parameters)
        values = {name: float(value.detach()) for name, value in terms.items()}
        return _Learnt(gradients, values, len(batch.labels))


def dev_sets(plan: LivePlan[R]) -> dict[str, DevSet]:
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


def batches(
    plan: LivePlan[R],
    step: int,
    feed: Feed,
    dev: Mapping[str, DevSet],
    *,
    clean_drawn: bool = False,
    labelled_only: bool = False,
) -> MixedBatches:
    """Return the batches of a run from a ``step`` on; real crops are read now.

    ``clean_drawn``: also give drawn lines without faults of the camera; ``labelled_only``: no crops without a label.
    """
    recipe, order = plan.recipe, plan.order
    real = None
    if plan.real or plan.photos:
        files = frozenset(file for lines in dev.values() for file in lines.files)
        crops = gathered(plan.real, plan.photos, order.charset, recipe.held_out, files)
        if labelled_only:
            crops = (crop for crop in crops if crop.text is not None)
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
        clean_drawn=clean_drawn,
        seed=recipe.seed * 1_000_003 + step,
    )


def train(
    plan: LivePlan[R], state: RunState, learner: Callable[[Feed, Mapping[str, DevSet]], Learner]
) -> None:
    """Train a state to the end of the schedule; ``learner`` makes its learner from the feed and the dev sets.

    Ctrl-C saves before it stops. RuntimeError if drawing fails.
    """
    if state.step:
        print(f"going on after step {state.step}", flush=True)
    if progress(plan, state) >= 1:
        return
    with Feed(plan.order, plan.workers, state.step) as feed:
        dev = dev_sets(plan)
        torch.manual_seed(plan.recipe.seed * 1_000_003 + state.step)
        run = _Run(plan, state, learner(feed, dev), dev)
        try:
            with shown(_SHOW_SECONDS) as show:
                while progress(plan, state) < 1:
                    show(run.step())
        finally:
            run.learner.threads.shutdown(cancel_futures=True)
            if run.seen:
                run.learner.save()


class _Run:
    """One process of a run: steps, and scores and checkpoints in their time."""

    def __init__(
        self, plan: LivePlan[Any], state: RunState, learner: Learner, dev: Mapping[str, DevSet]
    ) -> None:
        self.plan, self.state, self.learner, self.dev = plan, state, learner, dev
        self.scored = self.before = state.seconds
        self.saved = -math.inf  # the first step shows whether a checkpoint can be written
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
        scored = progress(plan, state) >= 1 or state.seconds - self.scored > 60 * plan.recipe.score_minutes
        if scored:
            self.score()
            self._tell_time()
            self.scored = state.seconds
        if scored or state.seconds - self.saved > _SAVE_SECONDS:
            self.saved = state.seconds
            self.learner.save()
        return Report(
            progress(plan, state),
            state.step,
            self.seen,
            sum(self.means.values()),
            self._mean_score(),
            dict(self.means),
            arrived,
            None if plan.recipe.steps else 60 * plan.recipe.minutes - state.seconds,
        )

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
