"""``ocrsvc train fonts|sheet|synth|devset|photos|opinions|features|draw``: the steps that make training lines."""

from __future__ import annotations

import argparse
from pathlib import Path

from ocrsvc.training.commands.step import Steps, add, explained, recipe


def add_parsers(steps: Steps) -> None:
    """Add the parsers of these steps."""
    fonts = add(steps, "fonts", _fonts, "unpack npm @fontsource archives and list the faces found")
    fonts.add_argument("--npm", type=Path, nargs="*", default=[], help="archives made by `npm pack`")
    fonts.add_argument("--out", type=Path, required=True)
    sheet = add(steps, "sheet", _sheet, "draw a contact sheet of fresh lines", drawing=True)
    sheet.add_argument("--out", type=Path, default=Path("sheet.png"))
    sheet.add_argument("--lines", type=int, default=100)
    sheet.add_argument("--seed", type=int, default=1)
    synth = add(steps, "synth", _synth, "draw labelled lines as training draws them", drawing=True)
    synth.add_argument("--out", type=Path, required=True, help="a new folder for manifest.jsonl and img/")
    synth.add_argument("--lines", type=int, default=1000)
    synth.add_argument("--seed", type=int, default=1)
    devset = add(steps, "devset", _devset, "draw a dev set in strata, as training never draws", drawing=True)
    devset.add_argument(
        "out", type=Path, metavar="OUT", help="folder for STRATUM/manifest.jsonl and STRATUM/img/"
    )
    devset.add_argument("--lines", type=int, default=500, help="lines of each stratum")
    devset.add_argument("--seed", type=int, default=1)
    devset.add_argument("--strata", nargs="*", metavar="STRATUM", help="only these (default: all)")
    photos = add(steps, "photos", _photos, "cut lines out of a folder of photos with our own detector")
    photos.add_argument("photos", type=Path)
    photos.add_argument("--detector", help="a detector's name or folder (default: that of the default model)")
    photos.add_argument("--out", type=Path, required=True)
    opinions = add(steps, "opinions", _opinions, "have recognisers read crops and note where they agree")
    opinions.add_argument("folder", type=Path, metavar="DIR", help="made by `photos`")
    opinions.add_argument("--own", type=Path, metavar="MODEL", help="model folder whose reading counts, too")
    opinions.add_argument("--processes", type=int, default=2)
    features = add(steps, "features", _features, "draw all lines once and cache their features", drawing=True)
    features.add_argument("recipe")
    features.add_argument("--out", type=Path, required=True)
    features.add_argument("--real", type=Path, nargs="*", default=[], help="folders of labelled lines")
    features.add_argument("--photos", type=Path, nargs="*", default=[], help="folders made by `photos`")
    features.add_argument(
        "--pictures", type=Path, help="folder of shards whose lines to use instead of new ones"
    )
    features.add_argument("--hold", type=Path, help="model folder to distil from (default: the donor)")
    features.add_argument(
        "--through", type=Path, help="model folder whose INT8 convolutions see the --pictures"
    )
    features.add_argument("--processes", type=int, default=2)
    draw = add(steps, "draw", _draw, "draw labelled lines in one typeface, to try `finetune` with")
    draw.add_argument("--face", type=Path, required=True, help=".ttf, .otf or .ttc")
    draw.add_argument("--lines", type=int, default=400)
    draw.add_argument("--seed", type=int, default=1)
    draw.add_argument("--out", type=Path, required=True, help="a new folder for lines.jsonl and img/")


def _fonts(options: argparse.Namespace) -> None:
    from ocrsvc.training.drawing.archives import unpack_npm
    from ocrsvc.training.drawing.fonts import discover

    unpack_npm(options.npm, options.out)
    library = discover([options.out])
    print(f"{len(library.cjk)} Chinese, {len(library.latin)} Latin, {len(library.segment)} segment faces")


def _sheet(options: argparse.Namespace) -> None:
    import cv2

    from ocrsvc.training.data.samples import fresh
    from ocrsvc.training.drawing.synth import sheet
    from ocrsvc.training.texts import charset

    samples = fresh(
        charset.load(), options.lines, seed=options.seed, fonts=options.fonts, prose=options.prose
    )
    cv2.imwrite(str(options.out), sheet([sample.image for sample in samples]))
    print(options.out)


def _synth(options: argparse.Namespace) -> None:
    from ocrsvc.training.data import examples
    from ocrsvc.training.data.samples import fresh
    from ocrsvc.training.texts import charset

    samples = fresh(
        charset.load(), options.lines, seed=options.seed, fonts=options.fonts, prose=options.prose
    )
    try:
        print(examples.write(samples, options.out / "manifest.jsonl"))
    except OSError as error:
        raise SystemExit(f"ocrsvc train: {error}") from error


def _devset(options: argparse.Namespace) -> None:
    from ocrsvc.training.data import devset
    from ocrsvc.training.data.strata import STRATA

    chosen = options.strata or STRATA
    try:
        for manifest in devset.write(
            options.out, options.lines, options.seed, options.fonts, options.prose, chosen
        ):
            print(manifest, flush=True)
    except (ValueError, OSError) as error:
        raise SystemExit(f"ocrsvc train: {error}") from error


def _photos(options: argparse.Namespace) -> None:
    from ocrsvc.diagnosis import configuration
    from ocrsvc.models.registry import Registry
    from ocrsvc.training.data.photos import cut

    with explained():
        detector = Registry(configuration.load(detector=options.detector)).detector()
        print(f"{cut(options.photos, options.out, detector)} lines cut")


def _opinions(options: argparse.Namespace) -> None:
    from ocrsvc.training.data.pseudo_labels import ask

    with explained():
        read, labelled = ask(options.folder, options.processes, options.own)
    print(f"{read} crops read, {labelled} with a text that three recognisers share")


def _features(options: argparse.Namespace) -> None:
    from ocrsvc.training.data import features
    from ocrsvc.training.learning import stages

    shards = options.out / "shards"
    lines = {
        name: getattr(options, name)
        for name in ("fonts", "prose", "real", "photos", "pictures", "through", "hold")
    }
    with explained():
        features.run(stages.orders(recipe(options.recipe), shards, **lines), options.processes)


def _draw(options: argparse.Namespace) -> None:
    from ocrsvc.training.data import examples
    from ocrsvc.training.texts import charset

    try:
        print(examples.draw(options.face, charset.load(), options.lines, options.seed, options.out))
    except (ValueError, OSError) as error:
        raise SystemExit(f"ocrsvc train: {error}") from error
