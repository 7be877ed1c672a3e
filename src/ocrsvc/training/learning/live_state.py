"""What every run on live batches counts, its progress by these counts, and its groups of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ocrsvc.training.learning.live_plan import LivePlan, R


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


def parameter_groups(part: nn.Module, weight_decay: float, scale: float = 1.0) -> list[dict[str, Any]]:
    """Return the parameters of a part for the optimiser: matrices with weight decay, and vectors without it.

    Their rate is ``scale`` times that of the schedule.
    """
    return [
        {
            "params": [p for p in part.parameters() if (p.ndim > 1) == matrix],
            "lr": 0.0,
            "scale": scale,
            "weight_decay": decay,
        }
        for matrix, decay in ((True, weight_decay), (False, 0.0))
    ]


def progress(plan: LivePlan[R], state: RunState) -> float:
    """Return the progress of the run, 0 to 1, by the clock or by the recipe's steps."""
    if plan.recipe.steps:
        return min(1.0, state.step / plan.recipe.steps)
    return min(1.0, state.seconds / 60 / plan.recipe.minutes) if plan.recipe.minutes > 0 else 1.0
