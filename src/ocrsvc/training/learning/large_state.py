"""State of a run of ``ocrsvc train large``: the net, its moving average, optimiser and progress."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from ocrsvc.training.learning import checkpoint
from ocrsvc.training.learning.large_plan import Plan, Recipe
from ocrsvc.training.nets import rounding
from ocrsvc.training.nets.net import Crnn
from ocrsvc.training.nets.weights import load_net

# Adam makes the smallest push as large as any: of the rows of the head, which are rarely read but pushed away in every
# step, pushes below this size stay small.
_HEAD = {"eps": 1e-5}


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
    return State(net, average, torch.optim.AdamW(_groups(net, plan.recipe), betas=(0.9, 0.999), fused=True))


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
