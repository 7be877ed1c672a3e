"""``ocrsvc train``: from fonts and photos to a model folder, step by step; every step can be killed and repeated."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

RECIPES = Path(__file__).with_name("recipes")
DESCRIPTION = """\
Trains a recogniser on the CPU. The steps, in order (docs/training.md says what each costs):

  ocrsvc train fonts --npm DIR/*.tgz --out runs/fonts      unpack npm typefaces (after `npm pack @fontsource/...`)
  ocrsvc train sheet --out sheet.png                       look at what the data engine draws
  ocrsvc train photos PHOTOS --out runs/photos             cut lines out of unlabelled photos with our detector
  ocrsvc train features crnn --out runs/crnn ...           run backbone and teacher once over all lines
  ocrsvc train fit crnn --out runs/crnn                    train neck and head (goes on after a kill)
  ocrsvc train curves --out runs/crnn                      draw how the fit went
  ocrsvc train finetune crnn --out runs/crnn ...           unfreeze the upper convolutions, end to end
  ocrsvc train export crnn --out runs/crnn --model models/crnn    ONNX, INT8, manifest
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


def _features(options: argparse.Namespace) -> None:
    from ocrsvc.training.features import Order, run

    numbers = recipe(options.recipe)["features"]
    shards, orders = options.out / "shards", []
    drawn, real = numbers["drawn"], numbers["real"]
    for i in range(drawn["shards"]):
        folder = shards / f"drawn-{i:03d}"
        orders.append(
            Order(
                folder,
                drawn["seed"] + i,
                drawn["lines"],
                fonts=tuple(options.fonts),
                prose=tuple(options.prose),
            )
        )
    if options.real or options.photos:
        for i in range(real["shards"]):
            orders.append(
                Order(
                    shards / f"real-{i:03d}",
                    real["seed"] + i,
                    real["lines"],
                    real=tuple(options.real),
                    photos=tuple(options.photos),
                    held_out=real["held_out"],
                )
            )
    run(orders, options.processes)


def _fit(options: argparse.Namespace) -> None:
    from ocrsvc.training import charset, teacher
    from ocrsvc.training.features import BUCKETS
    from ocrsvc.training.fit import Recipe, fit
    from ocrsvc.training.net import WIDTH_STRIDE
    from ocrsvc.training.shards import Shards
    from ocrsvc.training.truths import Truths

    folders = sorted((options.out / "shards").glob("[!.]*"))
    if not folders:
        raise SystemExit(
            f"ocrsvc train: no shards in {options.out / 'shards'}; run `ocrsvc train features` first"
        )
    head = teacher.load_head()
    truths = Truths(charset.load(), head)
    shards = Shards(folders, truths)
    # The last drawn shard is never trained on; real lines are held out by image, before any variation.
    last = max(i for i, folder in enumerate(folders) if folder.name.startswith("drawn"))
    # Lines of buckets that serving no longer has are left out.
    lines = [line for line in shards.lines if line.length * WIDTH_STRIDE in BUCKETS.widths]
    train = [line for line in lines if line.shard != last and (line.truth.distil or line.truth.target)]
    dev = {"drawn": [line for line in lines if line.shard == last and line.truth.text]}
    numbers = Recipe(**recipe(options.recipe)[options.stage])
    fit(shards, truths, train, dev, head, numbers, options.out / "fit", options.start)


def _curves(options: argparse.Namespace) -> None:
    from ocrsvc.training.curves import draw, read

    checkpoint = options.out / "fit" / "last.pt"
    if not checkpoint.exists():
        raise SystemExit(f"ocrsvc train: no {checkpoint}; run `ocrsvc train fit` first")
    target = options.out / "fit" / "curves.png"
    draw(read(checkpoint)).save(target)
    print(target)


def _finetune(options: argparse.Namespace) -> None:
    from ocrsvc.training.finetune import Recipe, Source, finetune

    source = Source(tuple(options.fonts), tuple(options.prose), tuple(options.real), tuple(options.photos))
    start = options.out / "finetune" / "finetuned.pt"
    if not start.exists():
        start = options.out / "fit" / "last.pt"
    finetune(start, source, Recipe(**recipe(options.recipe)["finetune"]), options.out / "finetune")


def _export(options: argparse.Namespace) -> None:
    from ocrsvc.training.package import package

    checkpoint = options.out / "finetune" / "finetuned.pt"
    if options.fit_only or not checkpoint.exists():
        checkpoint = options.out / "fit" / "last.pt"
    package(recipe(options.recipe), checkpoint, options.model, options.fonts, options.prose)


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
    features = add("features", _features, "run backbone and teacher once over all lines", drawing=True)
    features.add_argument("recipe")
    finetune = add("finetune", _finetune, "train the upper convolutions too, on fresh lines", drawing=True)
    finetune.add_argument("recipe")
    for command in (features, finetune):
        command.add_argument("--out", type=Path, required=True)
        command.add_argument("--real", type=Path, nargs="*", default=[], help="folders of labelled lines")
        command.add_argument("--photos", type=Path, nargs="*", default=[], help="folders made by `photos`")
    features.add_argument("--processes", type=int, default=2)
    fit = add("fit", _fit, "train neck and head on cached features")
    fit.add_argument("recipe")
    fit.add_argument("--out", type=Path, required=True)
    fit.add_argument("--stage", default="fit", help="section of the recipe with the numbers (default: fit)")
    fit.add_argument("--start", type=Path, help="checkpoint of an earlier stage to begin with")
    curves = add("curves", _curves, "draw the losses and scores of a fit as fit/curves.png")
    curves.add_argument("--out", type=Path, required=True)
    export = add("export", _export, "write the model folder: ONNX, INT8, head, manifest", drawing=True)
    export.add_argument("recipe")
    export.add_argument("--out", type=Path, required=True)
    export.add_argument("--model", type=Path, required=True)
    export.add_argument(
        "--fit-only", action="store_true", help="export the fit even if there is a fine-tuning"
    )
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one step; returns the exit status."""
    options = parser().parse_args(argv)
    options.function(options)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
