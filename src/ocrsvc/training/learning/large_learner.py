"""The training steps of ``ocrsvc train large``, and the scores of the averaged weights."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ocrsvc.training.data.feed import Batch
from ocrsvc.training.data.mixed_batches import MixedBatches
from ocrsvc.training.learning import dev_scores
from ocrsvc.training.learning.dev_scores import DevSet
from ocrsvc.training.learning.fit import rate
from ocrsvc.training.learning.held_loss import HeldLoss
from ocrsvc.training.learning.large_plan import Plan, Recipe
from ocrsvc.training.learning.large_state import State
from ocrsvc.training.learning.scratch import follow
from ocrsvc.training.nets import rounding
from ocrsvc.training.nets.weights import load_net

_EARLY = 4.0  # while a run is young, the average is over its last quarter
_LATE = 0.8  # progress from which the variation has its end strength


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

    def scores(self, dev: Mapping[str, DevSet]) -> dict[str, float]:
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
