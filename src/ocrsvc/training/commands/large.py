"""``ocrsvc train large``: the step that trains all layers of a model."""

from __future__ import annotations

import argparse
from pathlib import Path

from ocrsvc.training.commands.step import Steps, add, recipe


def add_parsers(steps: Steps) -> None:
    """Add the parser of this step."""
    large = add(
        steps, "large", _large, "train all layers of a model, on drawn lines and real crops", drawing=True
    )
    large.add_argument("recipe")
    large.add_argument("--start", type=Path, required=True, help="the model folder to start from")
    large.add_argument("--hold", type=Path, help="the model folder to hold on to (default: --start)")
    large.add_argument("--out", type=Path, required=True, help="the run; the result is OUT/STAGE/last.pt")
    large.add_argument("--stage", default="large", help="section of the recipe (default: %(default)s)")
    large.add_argument("--real", type=Path, nargs="*", default=[], help="folders of labelled lines")
    large.add_argument("--photos", type=Path, nargs="*", default=[], help="folders of crops of photos")
    large.add_argument(
        "--dev", type=Path, nargs="*", default=[], help="folders of labelled lines to score on"
    )
    large.add_argument("--minutes", type=float, help="length of the schedule (default: the recipe's)")
    large.add_argument("--workers", type=int, help="processes that draw lines (default: by the device)")
    large.add_argument(
        "--threads", type=int, default=0, help="batches computed at once, a core each (default: all)"
    )
    large.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1 ... (default: a GPU if there is one)"
    )


def _large(options: argparse.Namespace) -> None:
    import torch

    from ocrsvc.errors import OcrError
    from ocrsvc.training.learning.large import train
    from ocrsvc.training.learning.large_plan import plan

    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    try:
        planned = plan(
            recipe(options.recipe),
            options.out,
            options.start,
            section=options.stage,
            **{name: getattr(options, name) for name in ("hold", "real", "photos", "dev", "fonts", "prose")},
            **{name: getattr(options, name) for name in ("minutes", "workers", "threads", "device")},
        )
        train(planned)
    except KeyboardInterrupt:
        raise SystemExit("ocrsvc train: stopped and saved; the same command goes on") from None
    except (OcrError, ValueError, RuntimeError, FileNotFoundError) as error:
        raise SystemExit(f"ocrsvc train: {error}") from error
    print(planned.checkpoint)
