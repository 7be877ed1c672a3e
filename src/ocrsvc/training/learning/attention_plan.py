"""What ``ocrsvc train attention`` is to do: the hyperparameters of its recipe, and everything that one run needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocrsvc.training.learning import live_plan
from ocrsvc.training.learning.live_plan import LivePlan, LiveRecipe, Options
from ocrsvc.training.nets.attention import MOST_CHARACTERS, DecoderShape

SECTION = "attention"


@dataclass(frozen=True)
class Recipe(LiveRecipe):
    """Hyperparameters of a run, stored in the manifest; fields as in ``LiveRecipe`` and here.

    ``width``, ``layers``, ``heads``: the decoder's sizes (``DecoderShape``). ``smoothing``, ``replaced``, ``drafts``:
    how it is taught (``Teaching``).
    """

    learning_rate: float = 6e-4
    width: int = 192
    layers: int = 3
    heads: int = 8
    smoothing: float = 0.02
    replaced: float = 0.06
    drafts: float = 0.5

    @property
    def shape(self) -> DecoderShape:
        """Return the decoder's sizes."""
        return DecoderShape(self.width, self.layers, self.heads)


@dataclass(frozen=True)
class Plan(LivePlan[Recipe]):
    """One run; fields as in ``LivePlan``, of which ``hold`` is not used."""


def plan(
    recipe: Mapping[str, Any], out: Path, start: Path, *, section: str = SECTION, **options: Any
) -> Plan:
    """Return the run that a ``section`` of a recipe (the content of its YAML file) describes; ``options``: ``Options``.

    ValueError for an invalid recipe, FileNotFoundError without a Chinese typeface.
    """
    given = Options(**options)
    settings, device = live_plan.settings(recipe, section, Recipe, "attention", given)
    if settings.longest > MOST_CHARACTERS:
        raise ValueError(
            f"a decoder writes at most {MOST_CHARACTERS} characters, not longest: {settings.longest}"
        )
    return Plan(settings, **live_plan.parts(settings, start, out / section, device, given))
