"""Adds characters to a recogniser from the heads of other nets, without training.

The last layer of a CTC recogniser has a row for each character, and rows of similar characters are similar in every
net. So a linear map, fitted by least squares on the characters that two nets share, predicts the rows of the others,
as word vectors are mapped from one language to another (Mikolov et al. 2013). All existing weights stay unchanged, so
existing characters keep their logits.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ocrsvc.models import manifest
from ocrsvc.models.manifest import Manifest, ModelFile
from ocrsvc.recognition.charsets import characters_of
from ocrsvc.training.nets import teacher
from ocrsvc.training.nets.teacher import Head
from ocrsvc.training.packing import best_classes, quantize

_WEIGHT, _BIAS = "net.head.weight", "net.head.bias"  # as export.Serving names them
_RIDGE = 1e-3  # share of the mean variance; hardly matters, as thousands of rows fit a few hundred numbers
_FEWEST_SHARED = 4  # minimum number of shared characters per dimension of a donor's row
_DONORS = {f"ppocrv6-{name}": name for name in ("small", "tiny")}
ALL = "all"

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fit:
    """Quality of the rows from one donor: fitted on ``shared`` characters, used for ``added`` ones.

    ``cosine``, ``cosine_p5``: cosine between predicted and true rows of shared characters in cross-validation, mean and
    fifth percentile.
    """

    donor: str
    shared: int
    added: int
    cosine: float
    cosine_p5: float


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the last layer for ``characters``: ``weight`` float32 [n,D] and ``bias`` [n]."""

    characters: str
    weight: Array
    bias: Array


def donor_head(name: str) -> Head:
    """Return the head of a donor: ``ppocrv6-small``, ``ppocrv6-tiny`` or a model folder.

    FileNotFoundError or UnknownModel if it does not exist, ValueError if the model has no head file.
    """
    if name in _DONORS:
        return teacher.load_head(_DONORS[name])
    spec = manifest.load(Path(name))
    return _head(spec, _head_keys(spec)[0])


def wanted(spec: str, own: str, donors: Iterable[Head]) -> str:
    """Return the characters to add, in the order of ``spec``: those that a donor has and the model lacks.

    ``spec``: as in ``charset=`` (``charsets.characters_of``; may raise UnknownCharset), or ``all`` of the donors.
    """
    there = dict.fromkeys(c for head in donors for c in head.characters if c)
    listed = there if spec == ALL else dict.fromkeys(characters_of(spec))
    return "".join(c for c in listed if c in there and c not in own)


def carried(
    own: Head, donors: Sequence[tuple[str, Head]], characters: str, nats: float
) -> tuple[Rows, list[Fit]]:
    """Return rows for ``characters``, each predicted from the first donor that has it, to extend the head ``own``.

    ``nats`` is added to every bias: untrained rows score a little too low. ValueError if a donor shares too few
    characters with the model to fit a map.
    """
    weight = np.zeros((len(characters), own.weight.shape[0]), np.float32)
    bias = np.zeros(len(characters), np.float32)
    open_places = np.ones(len(characters), bool)
    fits = []
    for name, donor in donors:
        place = {c: i for i, c in enumerate(donor.characters) if c}
        take = np.array([c in place for c in characters], bool) & open_places
        shared = [(i, place[c]) for i, c in enumerate(own.characters) if c in place]
        source = donor.weight.T.astype(np.float64)
        if len(shared) < _FEWEST_SHARED * source.shape[1]:
            raise ValueError(
                f"{name} shares {len(shared)} characters with the model: too few to fit a map on"
            )
        ours, theirs = np.array(shared).T
        cosines = _cosines(source[theirs], own.weight.T[ours].astype(np.float64))
        fits.append(
            Fit(name, len(shared), int(take.sum()), float(cosines.mean()), float(np.percentile(cosines, 5)))
        )
        rows = [place[c] for c, taken in zip(characters, take, strict=True) if taken]
        move = _Map(source[theirs], own.weight.T[ours].astype(np.float64))
        shift = float(np.mean(own.bias[ours] - donor.bias[theirs]))
        weight[take], bias[take] = move(source[rows]), donor.bias[rows] + shift + nats
        open_places &= ~take
    if open_places.any():
        lacking = "".join(c for c, lacks in zip(characters, open_places, strict=True) if lacks)
        raise ValueError(f"no donor has {lacking[:20]!r}")
    return Rows(characters, weight, bias), fits


class _Map:
    """An affine map from rows [n,D] to rows [n,E], by least squares, scaled to the mean length of the true rows."""

    def __init__(self, source: NDArray[np.float64], target: NDArray[np.float64]) -> None:
        self.centre, self.mean = source.mean(0), target.mean(0)
        x = source - self.centre
        gram = x.T @ x + _RIDGE * len(x) * x.var(0).mean() * np.eye(x.shape[1])
        self.linear = np.linalg.solve(gram, x.T @ (target - self.mean))
        self.stretch = 1.0
        self.stretch = float((_lengths(target) / _lengths(self(source))).mean())

    def __call__(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.stretch * ((rows - self.centre) @ self.linear + self.mean)


def _lengths(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(rows, axis=1), np.float64)


def _cosines(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosines [n] between predicted and true rows in five-fold cross-validation."""
    found = np.zeros(len(source))
    part = np.random.default_rng(0).permutation(len(source)) % 5
    for fold in range(5):
        out = part == fold
        rows = _Map(source[~out], target[~out])(source[out])
        found[out] = (rows * target[out]).sum(1) / _lengths(rows) / _lengths(target[out])
    return found


def extend(
    spec: Manifest, folder: Path, donors: Sequence[tuple[str, Head]], characters: str, nats: float
) -> tuple[Manifest, list[Fit]]:
    """Write ``folder``: the model of ``spec`` with ``characters`` appended to its charset, in every precision.

    Scores and calibration are dropped, because they belong to the old graphs. ValueError if the folder exists, there is
    nothing to add, or the model has no head that can be extended; CorruptModel as ``ModelFile.read``.
    """
    if folder.exists():
        raise ValueError(f"{folder} is there already")
    if not characters:
        raise ValueError("nothing to add: the model has all of these characters, or no donor has any")
    heads: dict[str, tuple[Rows, list[Fit]]] = {
        key: carried(_head(spec, key), donors, characters, nats) for key in _head_keys(spec)
    }
    files: dict[str, bytes] = {}
    for key, file in spec.files.items():
        head_key = f"head_{key}" if f"head_{key}" in heads else "head"
        if key in heads:
            files[key] = _longer_head(file.read(), heads[key][0])
        elif key in spec.precisions:
            files[key] = _longer_graph(file.read(), heads[head_key][0], spec.name)
        else:
            raise ValueError(f"the file {key!r} of {spec.name} is of a kind that cannot be extended")
    fits = heads["head"][1]
    added = {"characters": len(characters), "nats": nats, "donors": [asdict(fit) for fit in fits]}
    longer = replace(
        spec,
        name=folder.name,
        charset=spec.charset + characters,
        files={
            k: ModelFile(hashlib.sha256(data).hexdigest(), len(data), data=data) for k, data in files.items()
        },
        recipe={**spec.recipe, "charset": added},
        scores={},
        calibration={},
    )
    names = {key: file.path.name for key, file in spec.files.items() if file.path is not None}
    defaults = {
        "fp32": "model.onnx",
        "int8": "model.int8.onnx",
        "head": "head.npz",
        "head_int8": "head.int8.npz",
    }
    made = manifest.save(folder, longer, {**defaults, **names})
    folder.chmod(0o755)  # `manifest.save` makes it private, as a cache should be
    return made, fits


def _head_keys(spec: Manifest) -> list[str]:
    keys = [key for key in ("head", "head_int8") if key in spec.files]
    if spec.kind != "recogniser" or "head" not in keys:
        raise ValueError(f"{spec.name} has no head file, whose rows a new character would need")
    return keys


def _head(spec: Manifest, key: str) -> Head:
    with np.load(io.BytesIO(spec.files[key].read()), allow_pickle=False) as arrays:
        weight, bias = arrays["weight"].astype(np.float32), arrays["bias"].astype(np.float32)
    return Head(np.ascontiguousarray(weight.T), bias, ("", *spec.charset))


def _longer_head(content: bytes, rows: Rows) -> bytes:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        weight = np.concatenate([arrays["weight"], rows.weight.astype(arrays["weight"].dtype)])
        bias = np.concatenate([arrays["bias"], rows.bias])
    longer = io.BytesIO()
    np.savez(longer, weight=weight, bias=bias)
    return longer.getvalue()


def _longer_graph(content: bytes, rows: Rows, name: str) -> bytes:
    """Return the graph with the rows appended to its last layer, in float or in INT8 with a scale for each row."""
    model = onnx.load_model_from_string(content)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}

    def append(key: str, values: NDArray[Any]) -> None:
        old = numpy_helper.to_array(tensors[key])
        tensors[key].CopyFrom(numpy_helper.from_array(np.concatenate([old, values.astype(old.dtype)]), key))

    if _WEIGHT in tensors and _BIAS in tensors:
        append(_WEIGHT, rows.weight)
        append(_BIAS, rows.bias)
    elif f"{_WEIGHT}_quantized" in tensors:
        scale, old = (
            numpy_helper.to_array(tensors[f"{each}_scale"]) for each in (_WEIGHT, f"{_BIAS}_quantized")
        )
        own = np.abs(rows.weight).max(1) / 127
        own = np.where(own > 0, own, 1).astype(np.float32)
        input_scale = float(old[0]) / float(scale[0])  # bias scale = input scale x weight scale
        none = np.zeros(len(rows.bias))
        append(f"{_WEIGHT}_quantized", np.clip(np.rint(rows.weight / own[:, None]), -127, 127))
        append(f"{_WEIGHT}_scale", own)
        append(f"{_WEIGHT}_zero_point", none)
        append(f"{_BIAS}_quantized", np.rint(rows.bias / (own * input_scale)))
        append(f"{_BIAS}_quantized_scale", own * input_scale)
        append(f"{_BIAS}_quantized_zero_point", none)
        quantize.halve(model)
    else:
        raise ValueError(f"the graph of {name} does not carry its last layer as our exports do")
    best_classes.in_blocks(model)  # of which there may be more now
    del model.graph.value_info[:]  # may hold the old shape of the last layer
    onnx.checker.check_model(model)
    return model.SerializeToString()


def summary(made: Manifest, fits: Sequence[Fit]) -> str:
    """Return lines of text: the characters from each donor, the quality of their rows, the size of the model."""
    lines = [
        f"{fit.donor}: {fit.added} characters; rows of {fit.shared} shared ones carried with a cosine of "
        f"{fit.cosine:.3f} (fifth percentile {fit.cosine_p5:.3f})"
        for fit in fits
    ]
    sizes = ", ".join(f"{name} {made.files[name].size / 1e6:.2f} MB" for name in made.precisions)
    return "\n".join([*lines, f"{made.name}: {len(made.charset)} characters, {sizes}"])
