"""What ``ocrsvc train large`` is to do: the hyperparameters of its recipe, and everything that one run needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrsvc.training.learning import live_plan
from ocrsvc.training.learning.live_plan import LivePlan, LiveRecipe, Options

SECTION = "large"


@dataclass(frozen=True)
class Recipe(LiveRecipe):
    """Hyperparameters of a run, stored in the manifest; fields as in ``LiveRecipe`` and here.

    Rates of the parts are factors of ``learning_rate``. ``hold``, ``hold_end``: weight of the KL divergence from the
    held net at the start and at the end; ``hold_drawn``: hold drawn lines, too. ``sample``: classes of the softmax
    beside those of the batch (0: all). ``quantised``: simulate the rounding of INT8. ``auxiliary``: weight of the loss
    of an attention decoder that is trained jointly, 0 without one (``attention_loss``); only the checkpoint has it.
    """

    backbone_rate: float = 0.6
    neck_rate: float = 1.0
    head_rate: float = 1.0
    hold: float = 0.8
    hold_end: float = 0.24
    hold_drawn: bool = False
    sample: int = 512
    quantised: bool = False
    auxiliary: float = 0.0


@dataclass(frozen=True)
class Plan(LivePlan[Recipe]):
    """One run; fields as in ``LivePlan``."""

    def described(self) -> dict[str, Any]:
        """Return the settings that must not change between a run and its resumption."""
        described = super().described()
        if not self.recipe.auxiliary:  # earlier checkpoints do not know it
            del described[self.folder.name]["auxiliary"]
        return described


def plan(
    recipe: Mapping[str, Any], out: Path, start: Path, *, section: str = SECTION, **options: Any
) -> Plan:
    """Return the run that a ``section`` of a recipe (the content of its YAML file) describes; ``options``: ``Options``.

    ValueError for an invalid recipe, FileNotFoundError without a Chinese typeface.
    """
    given = Options(**options)
    settings, device = live_plan.settings(recipe, section, Recipe, "large", given)
    return Plan(settings, **live_plan.parts(settings, start, out / section, device, given))
