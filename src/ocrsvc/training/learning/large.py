"""Trains all layers of a CRNN on freshly drawn lines and real crops, varied in batches, on a GPU or on a CPU.

The run follows the clock and resumes from its checkpoint, written each minute, at the same point of its schedule. With
``auxiliary``, an attention decoder is trained jointly and guides convolutions and neck (GTC, Hu et al. 2020).
"""

from __future__ import annotations

from ocrsvc.training.learning import live_run
from ocrsvc.training.learning.large_learner import Learner
from ocrsvc.training.learning.large_plan import Plan
from ocrsvc.training.learning.large_state import State, start


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
