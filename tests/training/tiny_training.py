"""A training run of a few seconds: the recipe and where its files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RECIPE = """\
name: tiny
architecture: LCNetV4 + BiLSTM + CTC
features:
  drawn: {shards: 2, lines: 12, seed: 3}
  real: {shards: 1, lines: 6, seed: 8, held_out: 1}
neck: {shape: small, epochs: 2, frames: 256, learning_rate: 0.003, frozen: all, seed: 1}
whole: {shape: small, epochs: 1, frames: 64, learning_rate: 0.0004, frozen: low, seed: 2}
fast: {shape: tiny, epochs: 1, frames: 64, learning_rate: 0.001, frozen: none, embedding: 0, kl: 0, seed: 3}
calibration: {lines: 8, seed: 5}
keep_float: [/stem/, /gate/]
"""


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
