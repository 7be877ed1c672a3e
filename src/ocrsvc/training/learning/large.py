"""Trains all layers of a CRNN on freshly drawn lines and real crops, varied in batches, on a GPU or on a CPU.

The run follows the clock and resumes from its checkpoint, written each minute, at the same point of its schedule.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import torch

from ocrsvc.training.data.feed import Feed, held
from ocrsvc.training.data.mixed_batches import MixedBatches
from ocrsvc.training.data.pool import Pool
from ocrsvc.training.data.real_lines import RealLines, gathered
from ocrsvc.training.learning import dev_scores
from ocrsvc.training.learning.dev_scores import DevSet
from ocrsvc.training.learning.large_learner import Learner
from ocrsvc.training.learning.large_plan import Plan
from ocrsvc.training.learning.large_state import State, start
from ocrsvc.training.learning.progress import Report, shown

_SAVE_SECONDS = 60.0
_SHOW_SECONDS = 30.0
_HELD_SEED = 700_000


def progress(plan: Plan, state: State) -> float:
    """Return the progress of the run, 0 to 1, by the clock or by the recipe's steps."""
    if plan.recipe.steps:
        return min(1.0, state.step / plan.recipe.steps)
    return min(1.0, state.seconds / 60 / plan.recipe.minutes) if plan.recipe.minutes > 0 else 1.0


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


def batches(plan: Plan, state: State, feed: Feed, dev: Mapping[str, DevSet]) -> MixedBatches:
    """Return the batches of a run from its present step on; real crops are read now."""
    recipe, order = plan.recipe, plan.order
    real = None
    if plan.real or plan.photos:
        files = frozenset(file for lines in dev.values() for file in lines.files)
        crops = gathered(plan.real, plan.photos, order.charset, recipe.held_out, files)
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
    with Feed(plan.order, plan.workers, state.step) as feed:
        dev = dev_sets(plan)
        torch.manual_seed(plan.recipe.seed * 1_000_003 + state.step)
        run = _Run(plan, state, Learner(plan, state, batches(plan, state, feed, dev)), dev)
        try:
            with shown(_SHOW_SECONDS) as show:
                while progress(plan, state) < 1:
                    show(run.step())
        finally:
            run.learner.threads.shutdown(cancel_futures=True)
            if run.seen:
                state.save(plan)
    return state


class _Run:
    """One process of a run: steps, and scores and checkpoints in their time."""

    def __init__(self, plan: Plan, state: State, learner: Learner, dev: Mapping[str, DevSet]) -> None:
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
            state.save(plan)
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
