"""``ocrsvc train export|charset|widen|quantize|vocabulary|calibrate``: what writes model folders and tables."""

from __future__ import annotations

import argparse
from pathlib import Path

from ocrsvc.training.commands.step import Steps, add, explained, recipe


def add_parsers(steps: Steps) -> None:
    """Add the parsers of these steps."""
    export = add(steps, "export", _export, "write the model folder: ONNX, INT8, head, manifest", drawing=True)
    export.add_argument("recipe", nargs="?")
    export.add_argument("--out", type=Path)
    export.add_argument("--model", type=Path, required=True, help="the model folder to write")
    export.add_argument("--stage", help="the stage whose averaged weights to export")
    export.add_argument(
        "--static-buckets",
        type=int,
        nargs="?",
        const=8,
        metavar="ROWS",
        help="instead: one graph of fixed shape for each bucket of the model --from, ROWS lines each (default: 8)",
    )
    export.add_argument(
        "--decoder",
        type=Path,
        metavar="CHECKPOINT",
        help="instead: the model --from with the attention decoder of OUT/attention/last.pt",
    )
    export.add_argument(
        "--below",
        type=float,
        metavar="PEAK",
        help="with --decoder: it reads the lines on which CTC has a lower peak (default: 0.9)",
    )
    export.add_argument("--from", dest="source", metavar="MODEL", help="a model's name or folder")
    charset = add(steps, "charset", _charset, "give a model characters that it lacks, without training")
    charset.add_argument("source", metavar="MODEL", help="a model's name or folder")
    charset.add_argument(
        "--donor",
        nargs="+",
        default=["ppocrv6-small"],
        help="ppocrv6-small, ppocrv6-tiny or model folders; each character comes from the first that has it",
    )
    charset.add_argument(
        "--characters",
        default="hans,hant,kana,signs",
        help="what to add, as in charset= (default: %(default)s), or 'all' that the donors have",
    )
    charset.add_argument(
        "--raise",
        dest="nats",
        type=float,
        default=0.0,
        metavar="NATS",
        help="added to the log-odds of every new character (default: 0)",
    )
    charset.add_argument("--model", type=Path, required=True, help="the model folder to write")
    widen = add(steps, "widen", _widen, "make a model wider without changing what it reads, to train it on")
    widen.add_argument("source", metavar="MODEL", help="a model's name or folder")
    widen.add_argument("--shape", default="medium", help="the wider shape (default: %(default)s)")
    widen.add_argument("--seed", type=int, default=1)
    widen.add_argument(
        "--model", type=Path, required=True, help="the model folder to write, without an INT8 graph"
    )
    quantize = add(
        steps, "quantize", _quantize, "quantise a model to INT8 again, calibrated on your lines", drawing=True
    )
    quantize.add_argument("source", metavar="MODEL", help="a model's name or folder")
    quantize.add_argument("--model", type=Path, required=True, help="the model folder to write")
    quantize.add_argument(
        "--rounded", type=Path, metavar="CHECKPOINT", help="quantise this stage, distilled from MODEL"
    )
    quantize.add_argument("--data", type=Path, nargs="*", default=[], help="folders of labelled lines")
    quantize.add_argument(
        "--held-out", type=int, default=300, help="rows of each that scoring draws: not used"
    )
    quantize.add_argument("--limit", type=int, default=112, help="most lines of each folder (default: 112)")
    quantize.add_argument(
        "--drawn", type=int, default=112, help="number of freshly drawn lines to add (default: 112)"
    )
    quantize.add_argument("--seed", type=int, default=5)
    quantize.add_argument(
        "--keep-float",
        nargs="*",
        metavar="PART",
        help="parts of the names of nodes that stay in float32 (default: as in the model's manifest)",
    )
    vocabulary = add(
        steps, "vocabulary", _vocabulary, "count pairs of characters in words, list English words"
    )
    vocabulary.add_argument("--words", type=Path, required=True, help="English, one a line")
    vocabulary.add_argument(
        "--out", type=Path, required=True, help="folder for both tables: src/ocrsvc/recognition"
    )
    calibrate = add(
        steps, "calibrate", _calibrate, "fit the calibration of a model's confidences", drawing=True
    )
    calibrate.add_argument("model", type=Path, metavar="MODEL_DIR")
    calibrate.add_argument("--data", type=Path, nargs="+", required=True, help="folders of labelled lines")
    calibrate.add_argument(
        "--held-out", type=int, default=300, help="rows of each that scoring draws: not used"
    )
    calibrate.add_argument("--limit", type=int, default=800, help="most lines of each folder (default: 800)")
    calibrate.add_argument(
        "--variations", type=int, default=1, help="varied copies of each line (default: 1)"
    )
    calibrate.add_argument("--drawn", type=int, default=0, help="number of freshly drawn lines to add")
    calibrate.add_argument(
        "--strata", type=int, default=0, metavar="N", help="add N drawn lines of each stratum of a dev set"
    )
    calibrate.add_argument("--seed", type=int, default=77)
    calibrate.add_argument(
        "--error-budget",
        type=float,
        default=0.02,
        help="share of wrong lines to expect among those not marked for review (default: 0.02)",
    )


def _export(options: argparse.Namespace) -> None:
    if options.static_buckets is not None:
        _export_static(options)
        return
    if options.decoder is not None:
        _export_decoder(options)
        return
    if not (options.recipe and options.out and options.stage):
        raise SystemExit("ocrsvc train: export needs a recipe, --out and --stage")
    from ocrsvc.training.learning import stages
    from ocrsvc.training.packing.package import package

    with explained():
        checkpoint = stages.checkpoint(options.out, options.stage)
        package(recipe(options.recipe), checkpoint, options.model, options.fonts, options.prose)


def _export_static(options: argparse.Namespace) -> None:
    from ocrsvc.diagnosis import configuration
    from ocrsvc.models.registry import Registry
    from ocrsvc.training.packing import static

    if not options.source:
        raise SystemExit("ocrsvc train: --static-buckets needs --from, a model's name or folder")
    with explained():
        spec = Registry(configuration.load(model=options.source)).spec(options.source)
        made = static.export(spec, options.model, options.static_buckets)
    size = sum(file.size for file in made.files.values()) / 1e6
    print(f"{options.model}: {len(made.buckets.widths)} graphs of {made.input.rows} lines, {size:.0f} MB")


def _export_decoder(options: argparse.Namespace) -> None:
    from ocrsvc.diagnosis import configuration
    from ocrsvc.models.registry import Registry
    from ocrsvc.training.packing import attention_export

    if not options.source:
        raise SystemExit(
            "ocrsvc train: --decoder needs --from, the name or folder of the model it was trained on"
        )
    below = attention_export.BELOW if options.below is None else options.below
    with explained():
        spec = Registry(configuration.load(model=options.source)).spec(options.source, "recogniser")
        made = attention_export.export(spec, options.decoder, options.model, below)
    size = made.files["decoder"].size / 1e6
    print(f"{options.model}: {', '.join(made.precisions)}, and a decoder of {size:.1f} MB; calibrate it next")


def _charset(options: argparse.Namespace) -> None:
    from ocrsvc.diagnosis import configuration
    from ocrsvc.errors import OcrError
    from ocrsvc.models.registry import Registry
    from ocrsvc.training.packing import extension

    with explained():
        try:
            spec = Registry(configuration.load(model=options.source)).spec(options.source, "recogniser")
            donors = [(name, extension.donor_head(name)) for name in options.donor]
            characters = extension.wanted(options.characters, spec.charset, [head for _, head in donors])
            print(extension.summary(*extension.extend(spec, options.model, donors, characters, options.nats)))
        except OcrError as error:
            raise ValueError(str(error)) from error


def _widen(options: argparse.Namespace) -> None:
    from ocrsvc.diagnosis import configuration
    from ocrsvc.models.registry import Registry
    from ocrsvc.training.packing import package

    with explained():
        spec = Registry(configuration.load(model=options.source)).spec(options.source, "recogniser")
        made = package.widened(spec, options.model, options.shape, options.seed)
    print(
        f"{options.model}: {made.files['fp32'].size / 1e6:.1f} MB instead of {spec.files['fp32'].size / 1e6:.1f} MB"
    )


def _quantize(options: argparse.Namespace) -> None:
    from ocrsvc.diagnosis import configuration
    from ocrsvc.models.registry import Registry
    from ocrsvc.training.data.samples import fresh
    from ocrsvc.training.packing import package
    from ocrsvc.training.packing.calibrate import gather

    with explained():
        spec = Registry(configuration.load(model=options.source)).spec(options.source, "recogniser")
        samples = gather(
            options.data, held_out=options.held_out, limit=options.limit, variations=0, seed=options.seed
        )
        if options.drawn:
            samples += fresh(
                spec.charset, options.drawn, seed=options.seed, fonts=options.fonts, prose=options.prose
            )
        images = [sample.image for sample in samples]
        made = package.again(spec, options.model, images, options.keep_float, options.rounded)
    print(
        f"{options.model}: INT8 of {made.files['int8'].size / 1e6:.1f} MB, calibrated on {len(samples)} lines"
    )
    if spec.int8_learnt_apart and options.rounded is None:
        print(
            f"note: the INT8 graph of {spec.name} is made of weights that learnt to be rounded, this one of the fp32 "
            "weights, which did not, and it reads worse. --rounded takes the checkpoint of such a stage"
        )


def _vocabulary(options: argparse.Namespace) -> None:
    import gzip

    from ocrsvc.recognition.bigrams import TABLE, pack
    from ocrsvc.recognition.lexicon import WORDS
    from ocrsvc.training.texts import charset, vocabulary

    try:
        english = vocabulary.words(options.words.read_text("utf-8").splitlines())
        pairs = vocabulary.pairs(frozenset(charset.load()))
        (options.out / TABLE).write_bytes(pack(pairs))
        (options.out / WORDS).write_bytes(gzip.compress("\n".join(english).encode(), mtime=0))
    except OSError as error:
        raise SystemExit(f"ocrsvc train: {error}") from error
    print(f"{options.out}: {len(pairs)} pairs, {len(english)} words")


def _calibrate(options: argparse.Namespace) -> None:
    from ocrsvc.training.packing.calibrate import calibrate, gather, summary

    numbers = {"limit": options.limit, "variations": options.variations, "seed": options.seed}
    samples = gather(options.data, held_out=options.held_out, **numbers)
    if options.drawn:
        from ocrsvc.training.data.samples import fresh
        from ocrsvc.training.texts import charset

        samples += fresh(
            charset.load(), options.drawn, seed=options.seed, fonts=options.fonts, prose=options.prose
        )
    try:
        if options.strata:
            from ocrsvc.training.data import devset

            for _, drawn in devset.each(options.strata, options.seed, options.fonts, options.prose):
                samples += drawn
        reports = calibrate(options.model, samples, options.error_budget)
    except ValueError as error:
        raise SystemExit(f"ocrsvc train: {error}") from error
    for precision, report in reports.items():
        print(summary(precision, report))
