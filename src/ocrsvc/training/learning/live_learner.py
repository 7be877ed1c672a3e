"""The training steps on live batches: gradients of several batches at once, one update."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ocrsvc.training.data.mixed_batches import Mixed, MixedBatches
from ocrsvc.training.learning.dev_scores import DevSet
from ocrsvc.training.learning.fit import rate
from ocrsvc.training.learning.live_plan import LivePlan
from ocrsvc.training.learning.live_state import RunState

_EARLY = 4.0  # while a run is young, the average is over its last quarter
_LATE = 0.8  # progress from which the variation has its end strength


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
