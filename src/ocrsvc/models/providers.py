"""Choice of ONNX Runtime's execution providers, and when the CPU may replace them."""

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
_WITHOUT_INT8 = ("CUDAExecutionProvider", "CANNExecutionProvider")  # these run 8-bit operators on the CPU


def choose(wanted: str, *, fixed_shapes: bool, available: Collection[str] | None = None) -> list[str]:
    """Return ONNX Runtime's names of the providers for a session of a graph with or without fixed shapes.

    ``wanted`` is as in Settings. An unusable provider is left out if ``cpu`` follows it, else this raises
    UnusableProvider. ``available`` (default: ONNX Runtime's) is for tests.
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
    """Return whether all of these providers run 8-bit operators themselves."""
    return not any(name in _WITHOUT_INT8 for name in chosen)


def _unusable(name: str, fixed_shapes: bool, there: Collection[str]) -> str:
    if _NAMES[name] not in there:
        return f"this ONNX Runtime {ort.__version__} has only {', '.join(sorted(there))}"
    if name == "cann" and not fixed_shapes:
        return "it needs a model of fixed shapes, which `ocrsvc train export --static-buckets` makes, or `cann,cpu`"
    return ""
