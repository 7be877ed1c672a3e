"""The training steps of ``ocrsvc train large``, and the scores of the averaged weights."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from torch import Tensor

from ocrsvc.training.data.feed import Batch
from ocrsvc.training.data.mixed_batches import Mixed, MixedBatches
from ocrsvc.training.learning import dev_scores, live_learner
from ocrsvc.training.learning.attention_loss import AttentionLoss, Teaching
from ocrsvc.training.learning.dev_scores import DevSet
from ocrsvc.training.learning.held_loss import HeldLoss
from ocrsvc.training.learning.large_plan import Plan, Recipe
from ocrsvc.training.learning.large_state import State
from ocrsvc.training.learning.scratch import follow
from ocrsvc.training.nets import rounding
from ocrsvc.training.nets.weights import load_net


def held_weight(recipe: Recipe, done: float) -> float:
    """Return the weight of the held net at a progress of 0 to 1."""
    return recipe.hold + (recipe.hold_end - recipe.hold) * done


class Learner(live_learner.Learner):
    """The training steps of one process."""

    def __init__(self, plan: Plan, state: State, made: MixedBatches) -> None:
        parameters = list(state.net.parameters())
        if state.decoder is not None:
            parameters += state.decoder.parameters()
        super().__init__(plan, state, made, state.optimiser, parameters)
        self.plan, self.state = plan, state
        net, charset = load_net(plan.hold)
        if charset != plan.order.charset:
            raise ValueError(f"{plan.hold} and {plan.start} have different charsets")
        share = 1.0 if plan.recipe.hold_drawn else made.real_share
        self.loss = HeldLoss(net, charset, plan.recipe.sample, share, bfloat16=plan.bfloat16).to(plan.device)
        self.auxiliary = AttentionLoss(state.decoder, Teaching()) if state.decoder is not None else None

    def terms(self, batch: Mixed, done: float) -> dict[str, Tensor]:
        """Return the weighted terms of the loss of a batch at a progress of 0 to 1."""
        recipe = self.plan.recipe
        terms = self.loss(self.state.net, batch, held_weight(recipe, done), self.auxiliary)
        if self.auxiliary is not None:
            terms["attention"] = recipe.auxiliary * terms["attention"]
        return terms

    def rounding(self) -> AbstractContextManager[None]:
        """Return the context in which gradients are computed."""
        return rounding.weights(self.state.net) if self.plan.recipe.quantised else nullcontext()

    def follow(self, decay: float) -> None:
        """Update the averaged weights."""
        follow(self.state.average, self.state.net, decay)

    def save(self) -> None:
        """Write the checkpoint."""
        self.state.save(self.plan)

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
