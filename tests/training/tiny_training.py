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
fit: {epochs: 2, frames: 64, learning_rate: 0.003, width: 24, hidden: 16, seed: 1}
adapt: {epochs: 1, frames: 64, learning_rate: 0.001, width: 24, hidden: 16, seed: 2}
finetune: {minutes: 0.01, frames: 64, learning_rate: 0.0004, first: 5, real_share: 0.4, seed: 7}
calibration: {lines: 8, seed: 5}
keep_float: [/stem/, /gate/]
"""


@dataclass(frozen=True)
class TrainingRun:
    """``folder`` holds ``shards/`` and later ``fit/``; ``real`` are the labelled lines that went in."""

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
