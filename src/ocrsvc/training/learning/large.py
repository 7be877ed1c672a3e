"""Trains all layers of a CRNN on freshly drawn lines and real crops, varied in batches, on a GPU or on a CPU.

The run follows the clock and resumes from its checkpoint, written each minute, at the same point of its schedule. With
``auxiliary``, an attention decoder is trained jointly and guides convolutions and neck (GTC, Hu et al. 2020).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ocrsvc.training.data.feed import Batch
from ocrsvc.training.data.mixed_batches import Mixed, MixedBatches
from ocrsvc.training.learning import checkpoint, dev_scores, live_run
from ocrsvc.training.learning.attention_loss import AttentionLoss, Teaching
from ocrsvc.training.learning.dev_scores import DevSet
from ocrsvc.training.learning.held_loss import HeldLoss
from ocrsvc.training.learning.large_plan import Plan, Recipe
from ocrsvc.training.learning.live_run import RunState
from ocrsvc.training.learning.scratch import follow
from ocrsvc.training.nets import rounding
from ocrsvc.training.nets.attention import AttentionDecoder, DecoderShape, decoder_for
from ocrsvc.training.nets.net import Crnn
from ocrsvc.training.nets.weights import load_net

# Adam makes the smallest push as large as any. A row of the head is rarely read but pushed away in every step, so it
# remembers its rare large gradients for longer than the steps between them, and pushes below this size stay small.
_HEAD = {"betas": (0.9, 0.999), "eps": 1e-5}
_DECODER_RATE = 6.0  # of an auxiliary decoder, as a factor: it begins untrained


@dataclass
class State(RunState):
    """State of a run, as a checkpoint holds it; ``decoder``: of the auxiliary loss, if there is one."""

    net: Crnn
    average: Crnn
    optimiser: torch.optim.Optimizer
    decoder: AttentionDecoder | None = None

    def save(self, plan: Plan) -> None:
        """Write the checkpoint, which `ocrsvc train export` and `blend` read as that of a stage."""
        done = self.counted()
        content = {
            "shape": self.net.shape.name,
            "net": self.net.state_dict(),
            "average": {name: value.cpu() for name, value in self.average.state_dict().items()},
            "optimiser": self.optimiser.state_dict(),
            **({"decoder": self.decoder.state_dict()} if self.decoder is not None else {}),
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
        if self.decoder is not None:
            self.decoder.load_state_dict(content["decoder"])
        self.count_on(content)


def start(plan: Plan) -> State:
    """Return a fresh state of the model to start from."""
    net, charset = load_net(plan.start)
    if charset != plan.order.charset:
        raise ValueError(f"{plan.start} has changed")
    decoder = None
    if plan.recipe.auxiliary:
        torch.manual_seed(plan.recipe.seed)
        decoder = decoder_for(net, DecoderShape()).to(plan.device)
    net = net.to(plan.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    net.train().requires_grad_(True)
    average = deepcopy(net).eval().requires_grad_(False)
    if plan.recipe.quantised:
        rounding.attach(average, iter(rounding.attach(net)))  # scores simulate INT8, too
    groups = _groups(net, plan.recipe, decoder)
    return State(net, average, torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True), decoder)


def _groups(net: Crnn, recipe: Recipe, decoder: AttentionDecoder | None) -> list[dict[str, Any]]:
    """Return the parameters by part, matrices with weight decay and vectors without it."""
    groups = []
    parts: list[tuple[nn.Module, float]] = [
        (net.backbone, recipe.backbone_rate),
        (net.neck, recipe.neck_rate),
        (net.head, recipe.head_rate),
    ]
    if decoder is not None:
        parts.append((decoder, _DECODER_RATE))
    for part, scale in parts:
        for matrix, decay in ((True, recipe.weight_decay), (False, 0.0)):
            chosen = [p for p in part.parameters() if (p.ndim > 1) == matrix]
            group = {"params": chosen, "lr": 0.0, "scale": scale, "weight_decay": decay}
            groups.append(group | (_HEAD if part is net.head else {}))
    return groups


def held_weight(recipe: Recipe, done: float) -> float:
    """Return the weight of the held net at a progress of 0 to 1."""
    return recipe.hold + (recipe.hold_end - recipe.hold) * done


class Learner(live_run.Learner):
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


def train(plan: Plan) -> State:
    """Train to the end of the schedule, resuming from a checkpoint if there is one; return the last state.

    Ctrl-C saves before it stops. ValueError for a checkpoint of another recipe, RuntimeError if drawing fails.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    state = start(plan)
    if plan.checkpoint.exists():
        state.load(plan)
    live_run.train(
        plan,
        state,
        lambda feed, dev: Learner(
            plan,
            state,
            live_run.batches(plan, state.step, feed, dev, clean_drawn=plan.recipe.hold_drawn),
        ),
    )
    return state
