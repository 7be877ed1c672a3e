"""``ocrsvc train large|attention``: the steps that train on live batches, by the clock."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrsvc.training.commands.step import Steps, add, recipe

if TYPE_CHECKING:
    from ocrsvc.training.learning.live_plan import LivePlan

_SHARED = ("real", "photos", "dev", "fonts", "prose", "minutes", "workers", "threads", "device")


def add_parsers(steps: Steps) -> None:
    """Add the parsers of these steps."""
    large = add(
        steps, "large", _large, "train all layers of a model, on drawn lines and real crops", drawing=True
    )
    large.add_argument("recipe")
    large.add_argument("--start", type=Path, required=True, help="the model folder to start from")
    large.add_argument("--hold", type=Path, help="the model folder to hold on to (default: --start)")
    _add_run(large, "large")
    attention = add(
        steps,
        "attention",
        _attention,
        "train an attention decoder on the convolutions of a model, which stay as they are",
        drawing=True,
    )
    attention.add_argument("recipe")
    attention.add_argument("--start", type=Path, required=True, help="the model folder to train it on")
    _add_run(attention, "attention")


def _add_run(step: argparse.ArgumentParser, stage: str) -> None:
    step.add_argument("--out", type=Path, required=True, help="the run; the result is OUT/STAGE/last.pt")
    step.add_argument("--stage", default=stage, help="section of the recipe (default: %(default)s)")
    step.add_argument("--real", type=Path, nargs="*", default=[], help="folders of labelled lines")
    step.add_argument("--photos", type=Path, nargs="*", default=[], help="folders of crops of photos")
    step.add_argument("--dev", type=Path, nargs="*", default=[], help="folders of labelled lines to score on")
    step.add_argument("--minutes", type=float, help="length of the schedule (default: the recipe's)")
    step.add_argument("--workers", type=int, help="processes that draw lines (default: by the device)")
    step.add_argument(
        "--threads", type=int, default=0, help="batches computed at once, a core each (default: all)"
    )
    step.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1 ... (default: a GPU if there is one)"
    )


def _large(options: argparse.Namespace) -> None:
    from ocrsvc.training.learning import large
    from ocrsvc.training.learning.large_plan import plan

    _trained(plan, large.train, options, hold=options.hold)


def _attention(options: argparse.Namespace) -> None:
    from ocrsvc.training.learning import attention
    from ocrsvc.training.learning.attention_plan import plan

    _trained(plan, attention.train, options)


def _trained(
    plan: Callable[..., LivePlan[Any]],
    train: Callable[[Any], object],
    options: argparse.Namespace,
    **more: Path | None,
) -> None:
    import torch

    from ocrsvc.errors import OcrError

    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    try:
        given = {name: getattr(options, name) for name in _SHARED}
        planned = plan(
            recipe(options.recipe), options.out, options.start, section=options.stage, **given, **more
        )
        train(planned)
    except KeyboardInterrupt:
        raise SystemExit("ocrsvc train: stopped and saved; the same command goes on") from None
    except (OcrError, ValueError, RuntimeError, FileNotFoundError) as error:
        raise SystemExit(f"ocrsvc train: {error}") from error
    print(planned.checkpoint)
