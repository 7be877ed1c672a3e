"""Checkpoints of training runs: written atomically, resumed only with the settings that they were begun with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint; a kill leaves the old one or the new one."""
    building = path.with_suffix(".part")
    with building.open("wb") as file:
        torch.save(dict(content), file)
        file.flush()
        os.fsync(file.fileno())
    building.replace(path)


def check_same(path: Path, now: Mapping[str, Any], then: Mapping[str, Any]) -> None:
    """ValueError if the settings ``now`` differ from those of the checkpoint; both are sections of settings.

    Settings that the checkpoint does not know are newer than it, and do not count.
    """
    differing = [
        f"{part}.{name}"
        for part, settings in now.items()
        for name, value in settings.items()
        if name in then.get(part, {}) and then[part][name] != value
    ]
    if differing:
        raise ValueError(
            f"{path} was begun with another recipe (different: {', '.join(differing)}): "
            "name another folder with --out, or go back to that recipe"
        )
