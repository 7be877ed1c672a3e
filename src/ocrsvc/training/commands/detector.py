"""``ocrsvc train detector``: teaches a small detector what a larger one finds."""

from __future__ import annotations

import argparse
from pathlib import Path

from ocrsvc.training.commands.step import Steps, add, explained, recipe


def add_parsers(steps: Steps) -> None:
    """Add the parser of this step."""
    step = add(
        steps,
        "detector",
        _detector,
        "train a small text detector on what a larger one finds on your pictures",
    )
    step.add_argument("recipe", nargs="?", default="detector")
    step.add_argument(
        "--photos", type=Path, nargs="+", required=True, help="folders of pictures, without labels"
    )
    step.add_argument(
        "--dev", type=Path, nargs="*", default=[], help="folders of other pictures to compare on"
    )
    step.add_argument(
        "--start",
        default="ppocrv6-det-tiny",
        help="the detector to train, a name or a folder (default: %(default)s)",
    )
    step.add_argument(
        "--teacher", default="ppocrv6-det-small", help="the one to learn from, alike (default: %(default)s)"
    )
    step.add_argument("--out", type=Path, required=True, help="the run; its checkpoint is OUT/last.pt")
    step.add_argument("--model", type=Path, required=True, help="the model folder to write at the end")
    step.add_argument("--minutes", type=float, help="length of the schedule (default: the recipe's)")
    step.add_argument("--workers", type=int, default=1, help="processes that prepare crops (default: 1)")
    step.add_argument("--threads", type=int, default=1, help="threads that train (default: 1)")


def _detector(options: argparse.Namespace) -> None:
    import torch

    from ocrsvc.diagnosis import configuration
    from ocrsvc.errors import OcrError
    from ocrsvc.models.registry import Registry
    from ocrsvc.training.data.page_crops import pictures
    from ocrsvc.training.learning.detector import Plan, Recipe, train
    from ocrsvc.training.packing import detector_package

    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    given = recipe(options.recipe)
    content = given.get("detector", {})
    if options.minutes is not None:
        content = {**content, "minutes": options.minutes}
    with explained():
        try:
            start, teacher = (
                Registry(configuration.load(detector=name)).spec(name, "detector")
                for name in (options.start, options.teacher)
            )
            plan = Plan(
                start=start,
                teacher=teacher,
                files=pictures(options.photos),
                dev=pictures(options.dev) if options.dev else [],
                recipe=Recipe(**content),
                folder=options.out,
                workers=options.workers,
            )
            state = train(plan)
            used = {
                "detector": content,
                "pictures": len(plan.files),
                "steps": state.step,
                "seconds": round(state.seconds),
            }
            detector_package.write(options.model, state.average, start, teacher, used, given["architecture"])
        except OcrError as error:
            raise SystemExit(f"ocrsvc train: {error.detail}") from error
    print(options.model)
