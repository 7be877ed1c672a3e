"""Entry point of ``ocrsvc train``, whose steps lead from fonts and photos to a model folder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ocrsvc.training.commands import detector, large, learning, lines, packing

DESCRIPTION = """\
Trains a recogniser on the CPU. Each step can be killed and run again (costs: docs/training.md). In order:

  ocrsvc train fonts --npm DIR/*.tgz --out runs/fonts      unpack npm typefaces (after `npm pack @fontsource/...`)
  ocrsvc train sheet --out sheet.png                       draw a contact sheet of training lines
  ocrsvc train synth --out lines/drawn                     draw labelled lines for evaluation and calibration
  ocrsvc train devset runs/dev                             draw a dev set: strata, faces and looks that training lacks
  ocrsvc train photos PHOTOS --out runs/photos             cut lines out of unlabelled photos with our detector
  ocrsvc train opinions runs/photos                        read them with two recognisers, keep what both read
  ocrsvc train features crnn --out runs/crnn ...           draw and vary all lines once, cache their features
  ocrsvc train fit crnn --out runs/crnn --stage neck       train one stage, or resume it
  ocrsvc train fit crnn --out runs/crnn --stage whole --start runs/crnn/neck/last.pt
  ocrsvc train blend runs/crnn/wide/last.pt --start MODEL --out runs/back   average a stage with its start
  ocrsvc train curves --out runs/crnn                      plot losses and scores of the stages
  ocrsvc train export crnn --out runs/crnn --stage whole --model models/crnn    ONNX, INT8, manifest
  ocrsvc train export --static-buckets --from crnn --model crnn-static      fixed shapes, for Ascend's CANN
  ocrsvc train charset crnn --donor ppocrv6-small --model wider    add characters from another model, without training
  ocrsvc train quantize crnn --model my-crnn --data DATA/lines/*    quantise it again, calibrated on your lines
  ocrsvc train vocabulary --words FILE --out src/ocrsvc/recognition
                                                   build the tables of pairs and words for decoding
  ocrsvc train calibrate models/crnn --data DATA/lines/*   fit the calibration of its confidences

All layers of a model, on lines drawn meanwhile and on real crops, by the clock, on a GPU or a CPU:

  ocrsvc train large crnn --start models/crnn --out runs/large --minutes 120 --real DATA/lines/receipts
  ocrsvc train attention crnn --start models/crnn --out runs/attention     an attention decoder on the same
                                                   convolutions, which stay as they are
  ocrsvc train export --decoder runs/attention/attention/last.pt --from crnn --model models/crnn-attention

A small text detector that finds what a larger one finds, on pictures that nobody labelled:

  ocrsvc train detector --photos PHOTOS --out runs/detector --model my-detector

Fine-tuning of an existing model on your own labelled lines, in minutes (docs/finetuning.md):

  ocrsvc train finetune --data my.jsonl --out my-model     kept only if it reads them better and nothing else worse
  ocrsvc train draw --face FILE --out data                 draw lines in one typeface, to try it with

A classic CRNN (VGG, BiLSTM, CTC) from scratch, in one step, up to its model folder runs/vgg/model:

  ocrsvc train scratch vgg-crnn --out runs/vgg             or vgg-digits, a small net in minutes
"""


def parser() -> argparse.ArgumentParser:
    """Return the argument parser of ``ocrsvc train``."""
    top = argparse.ArgumentParser(
        prog="ocrsvc train", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = top.add_subparsers(dest="command", required=True, metavar="STEP")
    for module in (lines, learning, large, detector, packing):
        module.add_parsers(steps)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one step and return the exit status."""
    options = parser().parse_args(argv)
    return int(options.function(options) or 0)


if __name__ == "__main__":
    raise SystemExit(main())
