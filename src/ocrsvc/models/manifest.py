"""Manifest of a model folder, and its files, verified by their SHA-256.

A model is a folder with ``manifest.json`` and the files that it names; nothing is ever downloaded. A cascade names two
recognisers in folders beside its own instead of files.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from ocrsvc.errors import CorruptModel, UnknownModel, reason
from ocrsvc.machine.cpu import Cpu
from ocrsvc.models.buckets import Buckets
from ocrsvc.models.calibration import Calibration
from ocrsvc.models.calibration import parse as parse_calibration
from ocrsvc.settings import Precision

Kind = Literal["recogniser", "detector"]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model, on disk (``path``) or in memory (``data``); ``size`` in bytes."""

    sha256: str
    size: int
    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)

    @property
    def digest(self) -> str:
        """Return ``sha256:…``, which identifies the weights in answers."""
        return f"sha256:{self.sha256}"

    def read(self) -> bytes:
        """Return the file's bytes, checked against its SHA-256; CorruptModel if they differ or cannot be read.

        The returned bytes are the checked ones, so that the file cannot be replaced in between.
        """
        try:
            content = self.data if self.data is not None else cast(Path, self.path).read_bytes()
        except OSError as error:
            raise CorruptModel(f"The model file {self.path} cannot be read: {error.strerror}.") from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise CorruptModel(
                f"The model file {self.path} has SHA-256 {found}, its manifest says {self.sha256}."
            )
        return content


@dataclass(frozen=True, slots=True)
class InputSpec:
    """Input of a graph: ``uint8 [N,height,W,channels]``, W one of the buckets, lines padded with ``pad_value``.

    ``rows``, if not 0: each bucket also has a graph of fixed shape for so many lines (static_shapes.py).
    """

    height: int = 48
    channels: int = 3
    order: str = "BGR"
    width_stride: int = 8
    pad_value: int = 127
    buckets: tuple[int, ...] = ()
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """One model. ``charset[i - 1]`` is class i of a recogniser, class 0 the blank; detectors have none.

    ``calibration``: as ``ocrsvc train calibrate`` writes it, else empty. ``detector``: name of a recogniser's default
    text detector, '' for the registry's. ``postprocess``: parameters of a detector (pages/boxes.PostProcess).
    ``int8_on_request``: ``auto`` never chooses int8, because it costs too much accuracy. ``bigram_weight``: weight of
    bigram nats against nats of the picture (bigrams.py); ``lexicon_nats``: log-probability bonus (nats) for a
    dictionary word (lexicon.py); 0 turns either off. ``decoder``: of a recogniser with an attention decoder (its file
    ``decoder``; recognition/attention.py), else empty. ``below``: a line with a lower CTC peak is read by the decoder;
    ``longest``: most characters that it writes. ``cascade``: the two recognisers of a cascade, whose other members are
    those of the first.
    """

    name: str
    kind: Kind
    architecture: str
    input: InputSpec
    files: Mapping[str, ModelFile]
    charset: str = field(default="", repr=False)
    top_k: int = 0
    licence: str = ""
    origin: str = ""
    commit: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict, repr=False)
    scores: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict, repr=False)
    detector: str = ""
    postprocess: Mapping[str, float] = field(default_factory=dict)
    int8_on_request: bool = False
    bigram_weight: float = 0.0
    lexicon_nats: float = 0.0
    decoder: Mapping[str, float] = field(default_factory=dict)
    cascade: Cascade | None = None

    @property
    def buckets(self) -> Buckets:
        """Return the buckets of a recogniser."""
        return Buckets(self.input.buckets)

    @property
    def precisions(self) -> tuple[str, ...]:
        """Return the precisions of the weights: fp32, int8 or both."""
        return tuple(name for name in ("fp32", "int8") if name in self.files)

    @property
    def int8_learnt_apart(self) -> bool:
        """Return whether int8 has weights from its own training, with its own head, instead of rounded fp32 weights."""
        return "head_int8" in self.files

    def calibrations(self) -> dict[str, Calibration]:
        """Return the calibrations by precision; ValueError or KeyError if one is invalid."""
        return parse_calibration(self.calibration, {name: file.sha256 for name, file in self.files.items()})

    def weights(self, precision: Precision, cpu: Cpu) -> ModelFile:
        """Return the ONNX file to run; ``auto`` is int8 if the model has it and the processor gains from it.

        UnknownModel if the model has no weights of this precision.
        """
        if precision == "auto":
            gains = cpu.gains_from_int8 and not self.int8_on_request
            wanted = "int8" if gains else "fp32"
            return self.files[wanted if wanted in self.files else self.precisions[0]]
        if precision not in self.files:
            raise UnknownModel(
                f"The model {self.name!r} has no {precision} weights, only {', '.join(self.precisions)}.",
                model=self.name,
            )
        return self.files[precision]


@dataclass(frozen=True, slots=True)
class Cascade:
    """Two recognisers: ``first`` reads every line, ``second`` again those whose confidence is lower than ``below``."""

    first: Manifest
    second: Manifest
    below: float


def load(folder: Path, document: Mapping[str, Any] | None = None) -> Manifest:
    """Load the manifest of a model folder, or check ``document`` in its place.

    UnknownModel if there is no manifest, CorruptModel if it is invalid.
    """
    raw = document if document is not None else _document(folder)
    try:
        return _parse_cascade(raw, folder) if raw["kind"] == "cascade" else _parse(raw, folder)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptModel(f"{folder / 'manifest.json'} is no manifest of a model: {error!r}.") from error


def save(folder: Path, manifest: Manifest, names: Mapping[str, str]) -> Manifest:
    """Write a model with its files in memory as a folder; ``names`` maps each file's key to its file name.

    The folder is created atomically (OSError if that fails); an existing model there is kept. Return its manifest.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        files = {}
        for key, file in manifest.files.items():
            (draft / names[key]).write_bytes(file.read())
            files[key] = {"path": names[key], "sha256": file.sha256, "bytes": file.size}
        document = {
            **{key: getattr(manifest, key) for key in Manifest.__dataclass_fields__ if key != "cascade"},
            "input": asdict(manifest.input),
            "files": files,
            "charset_sha256": charset_sha256(manifest.charset),
        }
        (draft / "manifest.json").write_text(
            json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8"
        )
        try:
            os.rename(draft, folder)
        except OSError:
            if not (folder / "manifest.json").is_file():  # otherwise another process has written it
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return load(folder)


def charset_sha256(charset: str) -> str:
    """Return the hash of a charset, by which a manifest detects a charset that does not belong to the weights."""
    return hashlib.sha256(charset.encode("utf-8")).hexdigest()


def _document(folder: Path) -> Any:
    path = folder / "manifest.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnknownModel(
            f"There is no model in {folder}: {path} cannot be read.", model=str(folder)
        ) from error
    except ValueError as error:
        raise CorruptModel(f"{path} is not JSON: {reason(error)}.") from error


def _parse(raw: Mapping[str, Any], folder: Path) -> Manifest:
    charset = raw.get("charset", "")
    shape = {key: raw["input"][key] for key in InputSpec.__dataclass_fields__ if key in raw["input"]}
    shape["buckets"] = tuple(shape.get("buckets", ()))
    if raw["kind"] not in ("recogniser", "detector"):
        raise ValueError(f"kind must be recogniser, detector or cascade, not {raw['kind']!r}")
    if raw["kind"] == "recogniser":
        _check_charset(charset, raw["charset_sha256"])
        Buckets(shape["buckets"])
    files = {
        key: ModelFile(sha256=entry["sha256"], size=int(entry["bytes"]), path=_inside(folder, entry["path"]))
        for key, entry in raw["files"].items()
    }
    if not {"fp32", "int8"} & set(files):
        raise ValueError("files names neither fp32 nor int8 weights")
    checked = ("name", "kind", "input", "files", "charset", "cascade")
    others = {key: raw[key] for key in Manifest.__dataclass_fields__ if key in raw and key not in checked}
    found = Manifest(
        name=raw["name"],
        kind=raw["kind"],
        input=InputSpec(**shape),
        files=files,
        charset=charset,
        **{"architecture": "", **others},
    )
    found.calibrations()
    if bool(found.decoder) != ("decoder" in found.files):
        raise ValueError("an attention decoder needs both a file 'decoder' and the settings 'decoder'")
    if found.decoder and not (found.decoder["below"] >= 0 and found.decoder["longest"] >= 1):
        raise ValueError(
            f"decoder.below must be at least 0, and decoder.longest 1, not {dict(found.decoder)}"
        )
    return found


def _parse_cascade(raw: Mapping[str, Any], folder: Path) -> Manifest:
    below = float(raw["below"])
    if not 0 <= below <= 1:
        raise ValueError(f"below must be from 0 to 1, not {below}")
    first, second = (_member(_inside(folder.parent, raw[name])) for name in ("first", "second"))
    if (first.charset, first.input) != (second.charset, second.input):
        raise ValueError(f"{first.name} and {second.name} differ in charset or input")
    members = {f"{second.name} {key}": file for key, file in second.files.items()}
    return replace(
        first,
        name=raw["name"],
        files={**first.files, **members},
        **{key: raw.get(key, "") for key in ("architecture", "licence", "origin", "detector")},
        scores=raw.get("scores", {}),
        cascade=Cascade(first, second, below),
    )


def _member(folder: Path) -> Manifest:
    """Return a recogniser of a cascade; ValueError for another cascade, which could be this one."""
    raw = _document(folder)
    if raw["kind"] != "recogniser":
        raise ValueError(f"{folder.name} is a {raw['kind']}, and a cascade has two recognisers")
    return _parse(raw, folder)


def _check_charset(charset: str, sha256: str) -> None:
    if charset_sha256(charset) != sha256:
        raise ValueError(f"the charset has SHA-256 {charset_sha256(charset)}, the manifest says {sha256}")
    if not charset or len(set(charset)) != len(charset):
        raise ValueError("the charset is empty or has a character twice")


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} is outside the model's folder")
    return path
