"""State of a run of ``ocrsvc train large``: the net, its moving average, optimiser and progress."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from ocrsvc.training.learning import checkpoint
from ocrsvc.training.learning.large_plan import Plan, Recipe
from ocrsvc.training.learning.live_state import RunState, parameter_groups
from ocrsvc.training.nets import rounding
from ocrsvc.training.nets.attention import AttentionDecoder, DecoderShape, decoder_for
from ocrsvc.training.nets.net import Crnn
from ocrsvc.training.nets.weights import load_net

# Adam makes the smallest push as large as any: of the rows of the head, which are rarely read but pushed away in every
# step, pushes below this size stay small.
_HEAD = {"eps": 1e-5}
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
    return State(net, average, torch.optim.AdamW(groups, betas=(0.9, 0.999), fused=True), decoder)


def _groups(net: Crnn, recipe: Recipe, decoder: AttentionDecoder | None) -> list[dict[str, Any]]:
    """Return the parameters by part."""
    groups: list[dict[str, Any]] = []
    parts: list[tuple[nn.Module, float]] = [
        (net.backbone, recipe.backbone_rate),
        (net.neck, recipe.neck_rate),
        (net.head, recipe.head_rate),
    ]
    if decoder is not None:
        parts.append((decoder, _DECODER_RATE))
    for part, scale in parts:
        more = _HEAD if part is net.head else {}
        groups += [group | more for group in parameter_groups(part, recipe.weight_decay, scale)]
    return groups
