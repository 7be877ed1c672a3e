"""``ocrsvc train fit|blend|curves|scratch|finetune``: the steps that train nets."""

from __future__ import annotations

import argparse
from pathlib import Path

from ocrsvc.training.commands.step import Steps, add, explained, recipe


def add_parsers(steps: Steps) -> None:
    """Add the parsers of these steps."""
    fit = add(steps, "fit", _fit, "train one stage of a recipe on the lines of a run")
    fit.add_argument("recipe")
    fit.add_argument("--out", type=Path, required=True, help="the run; the stage goes into OUT/STAGE")
    fit.add_argument("--stage", required=True, help="section of the recipe with the numbers")
    fit.add_argument(
        "--start", type=Path, help="checkpoint of an earlier stage, or a model folder, to start from"
    )
    fit.add_argument("--hold", type=Path, help="the --hold of `features`, if the shards were made with it")
    fit.add_argument("--shards", type=Path, help="shards of another run (default: OUT/shards)")
    fit.add_argument("--minutes", type=float, help="stop after so many minutes, even within an epoch")
    fit.add_argument("--threads", type=int, default=0, help="threads of PyTorch (default: all cores)")
    blend = add(steps, "blend", _blend, "average a trained stage with the model that it started from")
    blend.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="RUN/STAGE/last.pt of the stage")
    blend.add_argument("--start", type=Path, required=True, help="the model folder that it started from")
    blend.add_argument("--out", type=Path, required=True, help="another run; the result is OUT/STAGE/last.pt")
    for part, what in (
        ("neck", "the neck"),
        ("rows", "the rows of the head"),
        ("backbone", "the convolutions"),
    ):
        blend.add_argument(
            f"--{part}", type=float, default=1.0, metavar="SHARE", help=f"kept change of {what} (default: 1)"
        )
    blend.add_argument("--nats", type=float, default=0.0, help="added to the log-odds of the trained rows")
    blend.add_argument(
        "--nats-of",
        nargs=2,
        action="append",
        default=[],
        metavar=("CHARSET", "NATS"),
        help="added to the log-odds of these characters, such as chars:ⅠⅤ",
    )
    curves = add(steps, "curves", _curves, "draw losses and scores of every stage as STAGE/curves.png")
    curves.add_argument("--out", type=Path, required=True)
    curves.add_argument("--stage", help="only this one")
    scratch = add(
        steps, "scratch", _scratch, "train a classic CRNN from scratch, on drawn lines", drawing=True
    )
    scratch.add_argument("recipe")
    scratch.add_argument("--out", type=Path, required=True)
    scratch.add_argument(
        "--minutes", type=float, help="stop after so many minutes (default: after the recipe's steps)"
    )
    scratch.add_argument("--workers", type=int, help="processes that draw lines (default: by the device)")
    scratch.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1 ... (default: a GPU if there is one)"
    )
    scratch.add_argument("--export-only", action="store_true", help="write the model of the last checkpoint")
    finetune = add(steps, "finetune", _finetune, "teach a model your own labelled lines", drawing=True)
    finetune.add_argument(
        "--data", type=Path, required=True, help='.jsonl of {"file": "img/1.png", "text": "..."}'
    )
    finetune.add_argument("--model", help="the model to start from: a name or a folder (default: crnn)")
    finetune.add_argument("--out", type=Path, required=True, help="the model folder to write")
    finetune.add_argument("--golden", type=Path, help=".jsonl of lines that must stay right")
    finetune.add_argument("--minutes", type=float, help="most minutes of learning (default: 10)")
    finetune.add_argument("--epochs", type=int, help="passes over the lines (default: 3)")
    finetune.add_argument("--seed", type=int, default=1)
    finetune.add_argument(
        "--most-lost",
        type=float,
        default=0.005,
        help="share of golden and drawn lines that may get wrong (default: 0.005)",
    )
    finetune.add_argument(
        "--drawn",
        type=int,
        default=1500,
        help="number of freshly drawn lines that must stay right too (default: 1500)",
    )
    finetune.add_argument("--skip", action="store_true", help="leave out rows that cannot be learnt from")
    finetune.add_argument("--threads", type=int, default=0, help="threads of PyTorch (default: all cores)")


def _fit(options: argparse.Namespace) -> None:
    import torch

    from ocrsvc.machine.cpu import inspect
    from ocrsvc.training.learning import stages

    torch.set_num_threads(options.threads or inspect().effective)
    with explained():
        stages.train(
            recipe(options.recipe),
            options.stage,
            options.out,
            shards=options.shards,
            start=options.start,
            hold=options.hold,
            minutes=options.minutes,
        )


def _blend(options: argparse.Namespace) -> None:
    from ocrsvc.training.learning.blend import Shares, blend

    target = options.out / options.checkpoint.parent.name / "last.pt"
    with explained():
        nats_of = tuple((characters, float(nats)) for characters, nats in options.nats_of)
        shares = Shares(options.backbone, options.neck, options.rows, options.nats, nats_of)
        if target.exists():
            raise ValueError(f"{target} is there already")
        print(blend(options.checkpoint, options.start, shares, target))


def _curves(options: argparse.Namespace) -> None:
    from ocrsvc.training.learning.curves import draw, read

    checkpoints = sorted(options.out.glob(f"{options.stage or '*'}/last.pt"))
    if not checkpoints:
        raise SystemExit(
            f"ocrsvc train: no {options.out / (options.stage or 'STAGE')}/last.pt; run `ocrsvc train fit` first"
        )
    for checkpoint in checkpoints:
        target = checkpoint.with_name("curves.png")
        with explained():
            draw(read(checkpoint)).save(target)
        print(target)


def _scratch(options: argparse.Namespace) -> None:
    from ocrsvc.training.learning import classic
    from ocrsvc.training.learning.scratch import train

    content = recipe(options.recipe)
    try:
        plan = classic.plan(
            content,
            options.out,
            fonts=options.fonts,
            prose=options.prose,
            minutes=options.minutes,
            workers=options.workers,
            device=options.device,
        )
        if not options.export_only:
            train(plan)
        classic.export(content, plan, options.out / "model")
    except KeyboardInterrupt:
        raise SystemExit("ocrsvc train: stopped and saved; the same command goes on") from None
    except (ValueError, RuntimeError, FileNotFoundError) as error:
        raise SystemExit(f"ocrsvc train: {error}") from error
    print(options.out / "model")


def _finetune(options: argparse.Namespace) -> int:
    import torch

    from ocrsvc.diagnosis import configuration
    from ocrsvc.errors import OcrError
    from ocrsvc.machine.cpu import inspect
    from ocrsvc.models.registry import Registry
    from ocrsvc.training.learning import finetune_run
    from ocrsvc.training.learning.finetune import Recipe

    torch.set_num_threads(options.threads or inspect().effective)
    defaults = Recipe()
    numbers = Recipe(
        epochs=options.epochs or defaults.epochs,
        minutes=options.minutes or defaults.minutes,
        seed=options.seed,
    )
    try:
        settings = configuration.load_offline(model=options.model)
        order = finetune_run.Order(
            data=options.data,
            model=Registry(settings).spec(settings.model),
            out=options.out,
            golden=options.golden,
            fonts=tuple(options.fonts),
            prose=tuple(options.prose),
            recipe=numbers,
            most_lost=options.most_lost,
            drawn=options.drawn,
            skip=options.skip,
        )
        verdict = finetune_run.run(order)
    except KeyboardInterrupt:
        raise SystemExit("ocrsvc train: stopped; nothing was written") from None
    except (OcrError, configuration.InvalidSettings, ValueError, FileNotFoundError) as error:
        raise SystemExit(f"ocrsvc train: {error}") from error
    print(verdict.table())
    if verdict.kept:
        print(f"kept: {options.out}; try `ocrsvc read --model {options.out} ...`")
        return 0
    print("refused, nothing was written:", *verdict.reasons, sep="\n  ")
    return 1
