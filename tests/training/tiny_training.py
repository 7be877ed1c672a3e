"""A training run of a few seconds: the recipe, where its files are, what the manifest says of a small net."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocrsvc.training.packing.folder import Description

RECIPE = """\
name: tiny
architecture: LCNetV4 + BiLSTM + CTC
features:
  drawn: {shards: 2, lines: 12, seed: 4}
  real: {shards: 1, lines: 6, seed: 8, held_out: 1}
neck: {shape: small, epochs: 2, frames: 256, learning_rate: 0.003, frozen: all, seed: 1}
whole: {shape: small, epochs: 1, frames: 64, learning_rate: 0.0004, frozen: low, seed: 2}
fast: {shape: tiny, epochs: 1, frames: 64, learning_rate: 0.001, frozen: none, embedding: 0, kl: 0, seed: 3}
calibration: {lines: 8, seed: 5}
keep_float: [/stem/, /gate/]
"""

DIGITS, DIGIT_BUCKETS = "0123456789", (96, 160, 320, 640, 1280)  # of nets that learn on live batches


@dataclass(frozen=True)
class TrainingRun:
    """``folder`` holds ``shards/`` and later a folder a stage; ``real`` are the labelled lines that went in."""

    folder: Path
    recipe: Path
    real: Path

    @property
    def arguments(self) -> list[str]:
        """What every step of the command line takes first."""
        return [str(self.recipe), "--out", str(self.folder)]

    @property
    def shards(self) -> list[Path]:
        """The folders of the shards, in the order that training sees them."""
        return sorted((self.folder / "shards").iterdir())

    def shard(self, name: str) -> Path:
        """The folder of one shard."""
        return self.folder / "shards" / name


def described(name: str, charset: str, **changes: Any) -> Description:
    """What the manifest says of a net with the convolutions that are lent, but for ``changes``."""
    from ocrsvc.training.data.features import PAD_VALUE
    from ocrsvc.training.nets.net import HEIGHT, WIDTH_STRIDE
    from ocrsvc.training.packing.folder import Description

    usual: dict[str, Any] = {
        "architecture": "LCNetV4",
        "height": HEIGHT,
        "width_stride": WIDTH_STRIDE,
        "pad_value": PAD_VALUE,
        "buckets": (320,),
        "origin": "a test",
    }
    return Description(name=name, charset=charset, **(usual | changes))
