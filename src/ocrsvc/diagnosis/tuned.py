"""Tuning records of ``ocrsvc tune``, stored in the cache folder and valid only while machine and model are the same.

There is one file for each machine and model, named by a hash of its key: processor, cores, ONNX Runtime, weights. So
machines may share a home folder. An invalid file is never an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ocrsvc.diagnosis.choice import Figure
from ocrsvc.errors import OcrError
from ocrsvc.machine.cpu import Cpu, inspect
from ocrsvc.models import ppocr
from ocrsvc.models.manifest import Manifest
from ocrsvc.models.registry import Registry
from ocrsvc.settings import Settings

Value = bool | int | float | str
Origin = Literal["default", "tuned", "environment", "flag"]

# Tunable settings in the order in which they are measured. Settings of a group are used together: if one of them is
# set explicitly, none of its group comes from a record.
GROUPS: tuple[tuple[str, ...], ...] = (("precision",), ("workers", "run_threads"), ("arena",), ("t_max_ms",))
KNOBS = tuple(name for group in GROUPS for name in group)

_FORMAT = 1  # raise it when the measurement changes; older files are then ignored


@dataclass(frozen=True, slots=True)
class Key:
    """Cache key of a tuning record; valid only if every field matches."""

    cpu: str
    signature: str
    architecture: str
    flags: tuple[str, ...]
    cores: int
    affinity: int
    quota: float | None
    onnxruntime: str
    model: str
    weights: dict[str, str]
    format: int = _FORMAT

    def differences(self, other: Key) -> list[str]:
        """Return the fields that differ in ``other``, in words: ``onnxruntime 1.31.1, was 1.30.0``."""
        own, theirs = asdict(self), asdict(other)
        return [
            name if name in ("flags", "weights") else f"{name} {own[name]}, was {theirs[name]}"
            for name in own
            if own[name] != theirs[name]
        ]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Values of settings that were measured together, and their result."""

    values: dict[str, Value]
    figure: Figure


@dataclass(frozen=True, slots=True)
class Step:
    """Comparison within one group: the candidates, the default first, and the index of the chosen one."""

    candidates: tuple[Candidate, ...]
    chosen: int

    def __post_init__(self) -> None:
        if not 0 <= self.chosen < len(self.candidates):
            raise ValueError("the chosen candidate is not there")
        if any(name not in KNOBS for each in self.candidates for name in each.values):
            raise ValueError(f"only {', '.join(KNOBS)} can be tuned")


@dataclass(frozen=True, slots=True)
class Record:
    """One run of ``ocrsvc tune``. ``cpu_share``: share of the cores that the measurement got, 0 to about 1."""

    key: Key
    measured_at: str
    seconds: float
    cpu_share: float
    steps: tuple[Step, ...]

    @property
    def choice(self) -> dict[str, Value]:
        """Return the settings that are better than their defaults; empty if none is."""
        chosen: dict[str, Value] = {}
        for step in self.steps:
            if step.chosen:
                chosen |= step.candidates[step.chosen].values
        return chosen


_RECORD = TypeAdapter(Record)


@dataclass(frozen=True, slots=True)
class Found:
    """Result of looking up a record for a machine and a model.

    ``warning``: why an existing file is invalid. ``stale``: changes since the newest record of the same model.
    """

    path: Path | None = None
    record: Record | None = None
    warning: str = ""
    stale: str = ""


@dataclass(frozen=True, slots=True)
class Sourced:
    """Settings in force, the origin of each, and the result of looking up the record."""

    settings: Settings
    origins: Mapping[str, Origin]
    found: Found = field(default_factory=Found)

    @property
    def tuned(self) -> list[str]:
        """Return the names of the settings that come from `ocrsvc tune`."""
        return [name for name, origin in self.origins.items() if origin == "tuned"]


def key_of(spec: Manifest, cpu: Cpu) -> Key:
    """Return the key of this model on this machine."""
    import onnxruntime

    return Key(
        cpu=cpu.model,
        signature=cpu.signature,
        architecture=cpu.architecture,
        flags=tuple(sorted(cpu.flags)),
        cores=cpu.effective,
        affinity=cpu.affinity,
        quota=cpu.quota,
        onnxruntime=onnxruntime.__version__,
        model=spec.name,
        weights={name: spec.files[name].sha256 for name in spec.precisions},
    )


def folder_of(settings: Settings) -> Path:
    """Return the folder of the records."""
    return (settings.cache_dir or ppocr.user_cache()) / "tuned"


def path_of(folder: Path, key: Key) -> Path:
    """Return the path of this key's record."""
    digest = hashlib.sha256(TypeAdapter(Key).dump_json(key)).hexdigest()
    return folder / f"{_plain(key.model)}-{digest[:16]}.json"


def look_up(settings: Settings) -> Found:
    """Look up the record of this machine and the default model; never raises for the content of the cache folder."""
    folder = folder_of(settings)
    try:
        if settings.providers != "cpu":
            return Found()  # records are measured on the CPU
        if not any(folder.glob("*.json")):
            return Found()  # most machines were never tuned: do not open a model for them
        spec = Registry(settings).spec(settings.model)
    except (OSError, OcrError):
        return Found()  # an unreadable folder, or a model whose error is reported when it is opened
    return find(folder, key_of(spec, inspect(cores=settings.workers)))


def find(folder: Path, key: Key) -> Found:
    """Return the record of this key in the folder, or why there is no valid one."""
    path = path_of(folder, key)
    try:
        record = _RECORD.validate_json(path.read_bytes())
    except FileNotFoundError:
        return Found(stale=_stale(folder, key))
    except OSError as error:
        return Found(path, warning=f"{path} cannot be read ({error.strerror}): using defaults")
    except ValidationError as error:
        reason = " ".join(str(error.errors()[0]["msg"]).split())
        return Found(path, warning=f"{path} is not what `ocrsvc tune` writes ({reason}): using defaults")
    if record.key != key:
        changed = "; ".join(key.differences(record.key))
        return Found(path, warning=f"{path} was made elsewhere ({changed}): using defaults")
    return Found(path, record)


def store(folder: Path, record: Record) -> Path:
    """Write the record atomically and return its path; OSError if that fails."""
    folder.mkdir(parents=True, exist_ok=True)
    path = path_of(folder, record.key)
    handle, draft = tempfile.mkstemp(prefix=".", suffix=".draft", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_RECORD.dump_json(record, indent=1))
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
    return path


def usable(record: Record, explicit: Collection[str]) -> dict[str, Value]:
    """Return the tuned settings of groups without explicit settings, which take precedence."""
    free = {name for group in GROUPS if not set(group) & set(explicit) for name in group}
    return {name: value for name, value in record.choice.items() if name in free}


def dump(record: Record) -> bytes:
    """Return the record as JSON."""
    return _RECORD.dump_json(record, indent=2)


def _stale(folder: Path, key: Key) -> str:
    """Return how the newest record of the same model differs; '' if there is none."""
    newest: Record | None = None
    for path in folder.glob(f"{_plain(key.model)}-*.json"):
        try:
            record = _RECORD.validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        if record.key.model == key.model and (newest is None or record.measured_at > newest.measured_at):
            newest = record
    return "; ".join(key.differences(newest.key)) if newest else ""


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)
