"""Training on live batches: steps by the clock, scores and checkpoints in their time, resumption.

Live batches are of lines that are drawn meanwhile and of real crops, varied as they are used (``MixedBatches``). What
is trained, and with which loss, a ``Learner`` knows: ``large`` for all layers, ``attention`` for an attention decoder.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ocrsvc.training.data.feed import Feed, held
from ocrsvc.training.data.mixed_batches import MixedBatches
from ocrsvc.training.data.pool import Pool
from ocrsvc.training.data.real_lines import RealLines, gathered
from ocrsvc.training.learning import dev_scores
from ocrsvc.training.learning.dev_scores import DevSet
from ocrsvc.training.learning.live_learner import Learner
from ocrsvc.training.learning.live_plan import LivePlan, R
from ocrsvc.training.learning.live_state import RunState, progress
from ocrsvc.training.learning.progress import Report, shown

_SAVE_SECONDS = 60.0
_SHOW_SECONDS = 30.0
_HELD_SEED = 700_000


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
