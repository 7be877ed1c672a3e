"""``ocrsvc train``: from fonts and photos to a model folder, step by step; every step can be killed and repeated."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ocrsvc.training.commands import learning, lines, packing

DESCRIPTION = """\
Trains a recogniser on the CPU. The steps, in order (docs/training.md says what each costs):

  ocrsvc train fonts --npm DIR/*.tgz --out runs/fonts      unpack npm typefaces (after `npm pack @fontsource/...`)
  ocrsvc train sheet --out sheet.png                       look at what the data engine draws
  ocrsvc train synth --out lines/drawn                     or have it as labelled lines, to evaluate and calibrate with
  ocrsvc train photos PHOTOS --out runs/photos             cut lines out of unlabelled photos with our detector
  ocrsvc train opinions runs/photos                        have two recognisers read them
  ocrsvc train features crnn --out runs/crnn ...           draw and vary all lines once, run the lent net over them
  ocrsvc train fit crnn --out runs/crnn --stage neck       train one stage (goes on after a kill)
  ocrsvc train fit crnn --out runs/crnn --stage whole --start runs/crnn/neck/last.pt
  ocrsvc train blend runs/crnn/wide/last.pt --start MODEL --out runs/back   draw a stage back towards its start
  ocrsvc train curves --out runs/crnn                      draw how the stages went
  ocrsvc train export crnn --out runs/crnn --stage whole --model models/crnn    ONNX, INT8, manifest
  ocrsvc train export --static-buckets --from crnn --model crnn-static      fixed shapes, for Ascend's CANN
  ocrsvc train charset crnn --donor ppocrv6-small --model wider    characters that it lacks, without training
  ocrsvc train quantize crnn --model my-crnn --data DATA/lines/*    its INT8 graph anew, calibrated on your lines
  ocrsvc train vocabulary --words FILE --out src/ocrsvc    the tables of pairs and words that decoding goes by
  ocrsvc train calibrate models/crnn --data DATA/lines/*   make its confidences probabilities

On your own labelled lines, minutes with a model that is there (docs/finetuning.md):

  ocrsvc train finetune --data my.jsonl --out my-model     kept only if it reads them better and nothing else worse
  ocrsvc train draw --face FILE --out data                 lines in one typeface, to try it with

By itself, a classic CRNN (VGG, BiLSTM, CTC) from nothing, up to its model folder runs/vgg/model:

  ocrsvc train scratch vgg-crnn --out runs/vgg             or vgg-digits, a small net in minutes
"""


def parser() -> argparse.ArgumentParser:
    """The command line of ``ocrsvc train``."""
    top = argparse.ArgumentParser(
        prog="ocrsvc train", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = top.add_subparsers(dest="command", required=True, metavar="STEP")
    for module in (lines, learning, packing):
        module.add_parsers(steps)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one step; returns the exit status."""
    options = parser().parse_args(argv)
    return int(options.function(options) or 0)


if __name__ == "__main__":
    raise SystemExit(main())
