"""What every run on live batches counts, and its progress by these counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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


def progress(plan: LivePlan[R], state: RunState) -> float:
    """Return the progress of the run, 0 to 1, by the clock or by the recipe's steps."""
    if plan.recipe.steps:
        return min(1.0, state.step / plan.recipe.steps)
    return min(1.0, state.seconds / 60 / plan.recipe.minutes) if plan.recipe.minutes > 0 else 1.0
