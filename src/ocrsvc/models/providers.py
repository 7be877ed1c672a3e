"""ONNX Runtime's execution providers: what runs the models, in order, and when the CPU may stand in."""

from __future__ import annotations

from collections.abc import Collection

import onnxruntime as ort

from ocrsvc.errors import UnusableProvider

CPU = "CPUExecutionProvider"
_NAMES = {
    "cpu": CPU,
    "cuda": "CUDAExecutionProvider",
    "cann": "CANNExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
_WITHOUT_INT8 = ("CUDAExecutionProvider", "CANNExecutionProvider")  # they leave 8-bit operators to the CPU


def choose(wanted: str, *, fixed_shapes: bool, available: Collection[str] | None = None) -> list[str]:
    """The providers, as ONNX Runtime names them, for a session of a graph whose shapes are all fixed, or are not.

    ``wanted`` is as in Settings. What cannot be used is left out if ``cpu`` stands behind it, else UnusableProvider.
    ``available`` (default: what ONNX Runtime says) is there for tests.
    """
    there = ort.get_available_providers() if available is None else available
    names = wanted.split(",")
    chosen = []
    for place, name in enumerate(names):
        reason = _unusable(name, fixed_shapes, there)
        if not reason:
            chosen.append(_NAMES[name])
        elif "cpu" not in names[place:]:
            raise UnusableProvider(
                f"The provider {name!r} cannot be used: {reason}.", providers=sorted(there)
            )
    return chosen


def gains_from_int8(chosen: Collection[str]) -> bool:
    """Whether 8-bit weights may pay with these providers, as far as they decide that."""
    return not any(name in _WITHOUT_INT8 for name in chosen)


def _unusable(name: str, fixed_shapes: bool, there: Collection[str]) -> str:
    if _NAMES[name] not in there:
        return f"this ONNX Runtime {ort.__version__} has only {', '.join(sorted(there))}"
    if name == "cann" and not fixed_shapes:
        return "it needs a model of fixed shapes, which `ocrsvc train export --static-buckets` makes, or `cann,cpu`"
    return ""
