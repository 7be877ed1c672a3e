"""``ocrsvc train``: from fonts and photos to a model folder, step by step; every step can be killed and repeated."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

RECIPES = Path(__file__).with_name("recipes")
DESCRIPTION = """\
Trains a recogniser on the CPU. The steps, in order (docs/training.md says what each costs):

  ocrsvc train fonts --npm DIR/*.tgz --out runs/fonts      unpack npm typefaces (after `npm pack @fontsource/...`)
  ocrsvc train sheet --out sheet.png                       look at what the data engine draws
  ocrsvc train photos PHOTOS --out runs/photos             cut lines out of unlabelled photos with our detector
  ocrsvc train opinions runs/photos                        have two recognisers read them
  ocrsvc train features crnn --out runs/crnn ...           draw and vary all lines once, run the lent net over them
  ocrsvc train fit crnn --out runs/crnn --stage neck       train one stage (goes on after a kill)
  ocrsvc train fit crnn --out runs/crnn --stage whole --start runs/crnn/neck/last.pt
  ocrsvc train curves --out runs/crnn                      draw how the stages went
  ocrsvc train export crnn --out runs/crnn --stage whole --model models/crnn    ONNX, INT8, manifest
  ocrsvc train export --static-buckets --from crnn --model crnn-static      fixed shapes, for Ascend's CANN
  ocrsvc train calibrate models/crnn --data DATA/lines/*   make its confidences probabilities

On your own labelled lines, minutes with a model that is there (docs/finetuning.md):

  ocrsvc train finetune --data my.jsonl --out my-model     kept only if it reads them better and nothing else worse
  ocrsvc train draw --face FILE --out data                 lines in one typeface, to try it with

By itself, a classic CRNN (VGG, BiLSTM, CTC) from nothing, up to its model folder runs/vgg/model:

  ocrsvc train scratch vgg-crnn --out runs/vgg             or vgg-digits, a small net in minutes
"""


def recipe(name: str) -> dict[str, Any]:
    """A recipe by name (those that ship with the package) or by path; SystemExit lists what there is."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else RECIPES / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in RECIPES.glob("*.yaml")))
        raise SystemExit(
            f"ocrsvc train: no recipe {name!r}; there are: {known}; or give the path of a YAML file"
        )
    content: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return content


@contextmanager
def _explained() -> Iterator[None]:
    """What the user can put right, or did, in one line."""
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit("ocrsvc train: stopped; the same command goes on from what is saved") from None
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"ocrsvc train: {error}") from error


def _fonts(options: argparse.Namespace) -> None:
    from ocrsvc.training.fonts import discover, unpack_npm

    unpack_npm(options.npm, options.out)
    library = discover([options.out])
    print(f"{len(library.cjk)} Chinese, {len(library.latin)} Latin, {len(library.segment)} segment faces")


def _sheet(options: argparse.Namespace) -> None:
    import cv2

    from ocrsvc.training import charset
    from ocrsvc.training.corpus import Corpus
    from ocrsvc.training.fonts import discover
    from ocrsvc.training.samples import drawn
    from ocrsvc.training.synth import Synthesiser, sheet

    corpus = Corpus(charset.load(), options.seed, options.prose)
    synthesiser = Synthesiser(discover(options.fonts), options.seed)
    cv2.imwrite(
        str(options.out), sheet([sample.image for sample in drawn(corpus, synthesiser, options.lines)])
    )
    print(options.out)


def _photos(options: argparse.Namespace) -> None:
    from ocrsvc.training.photos import cut

    print(f"{cut(options.photos, options.out, options.detector)} lines cut")


def _opinions(options: argparse.Namespace) -> None:
    from ocrsvc.training.opinions import ask

    with _explained():
        read, agreed = ask(options.folder, options.processes)
    print(f"{read} crops read, {agreed} with one text by two recognisers")


def _features(options: argparse.Namespace) -> None:
    from ocrsvc.training import features, stages

    shards = options.out / "shards"
    lines = {
        name: getattr(options, name) for name in ("fonts", "prose", "real", "photos", "pictures", "through")
    }
    with _explained():
        features.run(stages.orders(recipe(options.recipe), shards, **lines), options.processes)


def _fit(options: argparse.Namespace) -> None:
    import torch

    from ocrsvc.cpu import inspect
    from ocrsvc.training import stages

    torch.set_num_threads(options.threads or inspect().effective)
    with _explained():
        stages.train(
            recipe(options.recipe),
            options.stage,
            options.out,
            shards=options.shards,
            start=options.start,
            minutes=options.minutes,
        )


def _curves(options: argparse.Namespace) -> None:
    from ocrsvc.training.curves import draw, read

    checkpoints = sorted(options.out.glob(f"{options.stage or '*'}/last.pt"))
    if not checkpoints:
        raise SystemExit(
            f"ocrsvc train: no {options.out / (options.stage or 'STAGE')}/last.pt; run `ocrsvc train fit` first"
        )
    for checkpoint in checkpoints:
        target = checkpoint.with_name("curves.png")
        with _explained():
            draw(read(checkpoint)).save(target)
        print(target)


def _finetune(options: argparse.Namespace) -> int:
    import torch

    from ocrsvc.commands import configuration
    from ocrsvc.cpu import inspect
    from ocrsvc.errors import OcrError
    from ocrsvc.models import Registry
    from ocrsvc.training import tuning
    from ocrsvc.training.finetune import Recipe

    torch.set_num_threads(options.threads or inspect().effective)
    defaults = Recipe()
    numbers = Recipe(
        epochs=options.epochs or defaults.epochs,
        minutes=options.minutes or defaults.minutes,
        seed=options.seed,
    )
    try:
        settings = configuration.load_offline(model=options.model)
        order = tuning.Order(
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
        verdict = tuning.run(order)
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


def _draw(options: argparse.Namespace) -> None:
    from ocrsvc.training import charset, examples

    try:
        print(examples.draw(options.face, charset.load(), options.lines, options.seed, options.out))
    except (ValueError, OSError) as error:
        raise SystemExit(f"ocrsvc train: {error}") from error


def _export(options: argparse.Namespace) -> None:
    if options.static_buckets is not None:
        _export_static(options)
        return
    if not (options.recipe and options.out and options.stage):
        raise SystemExit("ocrsvc train: export needs a recipe, --out and --stage")
    from ocrsvc.training import stages
    from ocrsvc.training.package import package

    with _explained():
        checkpoint = stages.checkpoint(options.out, options.stage)
        package(recipe(options.recipe), checkpoint, options.model, options.fonts, options.prose)


def _export_static(options: argparse.Namespace) -> None:
    from ocrsvc.commands import configuration
    from ocrsvc.models import Registry
    from ocrsvc.training import static

    if not options.source:
        raise SystemExit("ocrsvc train: --static-buckets needs --from, a model's name or folder")
    with _explained():
        spec = Registry(configuration.load(model=options.source)).spec(options.source)
        made = static.export(spec, options.model, options.static_buckets)
    size = sum(file.size for file in made.files.values()) / 1e6
    print(f"{options.model}: {len(made.buckets.widths)} graphs of {made.input.rows} lines, {size:.0f} MB")


def _scratch(options: argparse.Namespace) -> None:
    from ocrsvc.training import classic
    from ocrsvc.training.scratch import train

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


def _calibrate(options: argparse.Namespace) -> None:
    from ocrsvc.training.calibrate import calibrate, gather, summary

    numbers = {"limit": options.limit, "variations": options.variations, "seed": options.seed}
    samples = gather(options.data, held_out=options.held_out, **numbers)
    if options.drawn:
        from ocrsvc.training import charset
        from ocrsvc.training.corpus import Corpus
        from ocrsvc.training.fonts import discover
        from ocrsvc.training.samples import drawn
        from ocrsvc.training.synth import Synthesiser

        corpus = Corpus(charset.load(), options.seed, options.prose)
        samples += drawn(corpus, Synthesiser(discover(options.fonts), options.seed), options.drawn)
    try:
        reports = calibrate(options.model, samples, options.error_budget)
    except ValueError as error:
        raise SystemExit(f"ocrsvc train: {error}") from error
    for precision, report in reports.items():
        print(summary(precision, report))


def parser() -> argparse.ArgumentParser:
    """The command line of ``ocrsvc train``."""
    top = argparse.ArgumentParser(
        prog="ocrsvc train", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="STEP")

    def add(name: str, function: Any, text: str, *, drawing: bool = False) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(function=function)
        if drawing:
            command.add_argument(
                "--fonts", type=Path, nargs="*", default=[], help="further folders of typefaces"
            )
            command.add_argument(
                "--prose", type=Path, nargs="*", default=[], help="folders of .gz or .html prose"
            )
        return command

    fonts = add("fonts", _fonts, "unpack npm @fontsource archives and list the faces found")
    fonts.add_argument("--npm", type=Path, nargs="*", default=[], help="archives made by `npm pack`")
    fonts.add_argument("--out", type=Path, required=True)
    sheet = add("sheet", _sheet, "draw a contact sheet of fresh lines", drawing=True)
    sheet.add_argument("--out", type=Path, default=Path("sheet.png"))
    sheet.add_argument("--lines", type=int, default=100)
    sheet.add_argument("--seed", type=int, default=1)
    photos = add("photos", _photos, "cut lines out of a folder of photos with our own detector")
    photos.add_argument("photos", type=Path)
    photos.add_argument("--detector", type=Path, default=Path("models/ppocrv6-det-small"))
    photos.add_argument("--out", type=Path, required=True)
    opinions = add("opinions", _opinions, "have two recognisers read crops and note where they agree")
    opinions.add_argument("folder", type=Path, metavar="DIR", help="made by `photos`")
    opinions.add_argument("--processes", type=int, default=2)
    features = add("features", _features, "draw all lines once, run the lent net over them", drawing=True)
    features.add_argument("recipe")
    features.add_argument("--out", type=Path, required=True)
    features.add_argument("--real", type=Path, nargs="*", default=[], help="folders of labelled lines")
    features.add_argument("--photos", type=Path, nargs="*", default=[], help="folders made by `photos`")
    features.add_argument("--pictures", type=Path, help="shards that are there: take their lines, draw none")
    features.add_argument(
        "--through", type=Path, help="model folder: see the --pictures with its INT8 convolutions"
    )
    features.add_argument("--processes", type=int, default=2)
    fit = add("fit", _fit, "train one stage of a recipe on the lines of a run")
    fit.add_argument("recipe")
    fit.add_argument("--out", type=Path, required=True, help="the run; the stage goes into OUT/STAGE")
    fit.add_argument("--stage", required=True, help="section of the recipe with the numbers")
    fit.add_argument(
        "--start", type=Path, help="checkpoint of an earlier stage, or a model folder, to begin with"
    )
    fit.add_argument("--shards", type=Path, help="shards of another run (default: OUT/shards)")
    fit.add_argument("--minutes", type=float, help="end after so long, epochs or not")
    fit.add_argument("--threads", type=int, default=0, help="of PyTorch (default: all cores there are)")
    curves = add("curves", _curves, "draw losses and scores of every stage as STAGE/curves.png")
    curves.add_argument("--out", type=Path, required=True)
    curves.add_argument("--stage", help="only this one")
    scratch = add("scratch", _scratch, "train a classic CRNN from nothing, on drawn lines", drawing=True)
    scratch.add_argument("recipe")
    scratch.add_argument("--out", type=Path, required=True)
    scratch.add_argument(
        "--minutes", type=float, help="end after so long (default: after the recipe's steps)"
    )
    scratch.add_argument("--workers", type=int, help="processes that draw (default: by the device)")
    scratch.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1 ... (default: a GPU if there is one)"
    )
    scratch.add_argument("--export-only", action="store_true", help="write the model of the last checkpoint")
    export = add("export", _export, "write the model folder: ONNX, INT8, head, manifest", drawing=True)
    export.add_argument("recipe", nargs="?")
    export.add_argument("--out", type=Path)
    export.add_argument("--model", type=Path, required=True, help="the model folder to write")
    export.add_argument("--stage", help="the stage whose averaged weights it takes")
    export.add_argument(
        "--static-buckets",
        type=int,
        nargs="?",
        const=8,
        metavar="ROWS",
        help="a graph of fixed shape for each bucket, of ROWS lines (default: 8), of the model --from",
    )
    export.add_argument("--from", dest="source", metavar="MODEL", help="a model's name or folder")
    finetune = add("finetune", _finetune, "teach a model your own labelled lines", drawing=True)
    finetune.add_argument(
        "--data", type=Path, required=True, help='.jsonl of {"file": "img/1.png", "text": "..."}'
    )
    finetune.add_argument("--model", help="the model to begin with: a name or a folder (default: crnn)")
    finetune.add_argument("--out", type=Path, required=True, help="the model folder to write")
    finetune.add_argument("--golden", type=Path, help=".jsonl of lines that must stay right")
    finetune.add_argument("--minutes", type=float, help="most minutes of learning (default: 10)")
    finetune.add_argument("--epochs", type=int, help="times that it sees every line (default: 3)")
    finetune.add_argument("--seed", type=int, default=1)
    finetune.add_argument(
        "--most-lost",
        type=float,
        default=0.005,
        help="share of lines of the golden sets that may get wrong (default: 0.005)",
    )
    finetune.add_argument(
        "--drawn",
        type=int,
        default=1500,
        help="so many freshly drawn lines must stay right too (default: 1500)",
    )
    finetune.add_argument("--skip", action="store_true", help="leave out rows that cannot be learnt from")
    finetune.add_argument("--threads", type=int, default=0, help="of PyTorch (default: all cores there are)")
    draw = add("draw", _draw, "draw labelled lines in one typeface, to try `finetune` with")
    draw.add_argument("--face", type=Path, required=True, help=".ttf, .otf or .ttc")
    draw.add_argument("--lines", type=int, default=400)
    draw.add_argument("--seed", type=int, default=1)
    draw.add_argument("--out", type=Path, required=True, help="a new folder for lines.jsonl and img/")
    calibrate = add("calibrate", _calibrate, "make confidences of a model folder probabilities", drawing=True)
    calibrate.add_argument("model", type=Path, metavar="MODEL_DIR")
    calibrate.add_argument("--data", type=Path, nargs="+", required=True, help="folders of labelled lines")
    calibrate.add_argument(
        "--held-out", type=int, default=300, help="rows of each that scoring draws: not used"
    )
    calibrate.add_argument("--limit", type=int, default=800, help="most lines of each folder (default: 800)")
    calibrate.add_argument(
        "--variations", type=int, default=1, help="varied copies of each line (default: 1)"
    )
    calibrate.add_argument("--drawn", type=int, default=0, help="so many freshly drawn lines as well")
    calibrate.add_argument("--seed", type=int, default=77)
    calibrate.add_argument(
        "--error-budget",
        type=float,
        default=0.02,
        help="share of wrong lines to expect among those not marked for review (default: 0.02)",
    )
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one step; returns the exit status."""
    options = parser().parse_args(argv)
    return int(options.function(options) or 0)


if __name__ == "__main__":
    raise SystemExit(main())
