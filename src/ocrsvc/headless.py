"""A graph cut down to some of its outputs, without the library ``onnx``, which serving does not need otherwise.

ONNX Runtime computes all outputs of a graph whichever are asked for (its ``only_execute_path_to_fetches`` changes
nothing outside training builds), so that a reading with a charset would pay for every class. An ONNX file is protobuf
(https://protobuf.dev/programming-guides/encoding/): fields are copied as they are, nodes that nothing needs are not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from ocrsvc.errors import CorruptModel
from ocrsvc.manifest import ModelFile

# Field numbers of onnx.proto: of ModelProto, GraphProto, NodeProto, and of values and tensors.
_GRAPH = 7
_NODE, _INITIALIZER, _OUTPUT = 1, 5, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_ATTRIBUTE = 1, 2, 5
_VALUE_NAME, _TENSOR_NAME = 1, 8
_BYTES = 2  # wire type of strings and messages
_FIXED = {1: 8, 5: 4}  # wire types of a fixed size, in bytes

Field = tuple[
    int, memoryview, memoryview
]  # number, content (of wire type 2, else empty), the field as it stands


def keep(file: ModelFile, outputs: Sequence[str]) -> ModelFile:
    """The graph with these outputs alone, in memory; CorruptModel if the file is no graph that has them."""
    try:
        data = b"".join(_model(memoryview(file.read()), outputs))
    except (IndexError, ValueError) as error:
        raise CorruptModel(
            f"{file.path or 'The model'} cannot be cut down to {', '.join(outputs)}: {error}"
        ) from error
    return ModelFile(hashlib.sha256(data).hexdigest(), len(data), data=data)


def _model(data: memoryview, outputs: Sequence[str]) -> Iterator[bytes | memoryview]:
    found = False
    for number, content, whole in _fields(data):
        if number == _GRAPH:
            found = True
            graph = b"".join(_graph(list(_fields(content)), outputs))
            yield bytes([_GRAPH << 3 | _BYTES]) + _varint(len(graph))
            yield graph
        else:
            yield whole
    if not found:
        raise ValueError("there is no graph in it")


def _graph(fields: Sequence[Field], outputs: Sequence[str]) -> Iterator[memoryview]:
    absent = set(outputs) - {
        _name(content, _VALUE_NAME) for number, content, _ in fields if number == _OUTPUT
    }
    if absent:
        raise ValueError(f"it has no output {', '.join(sorted(absent))}")
    needed, wanted = set(outputs), set()
    # Nodes stand in the order in which they run, so that one pass from the end meets every reader before its writer.
    for place, (number, content, _) in reversed(list(enumerate(fields))):
        if number != _NODE:
            continue
        parts = list(_fields(content))
        if not needed.isdisjoint(_text(part) for field, part, _ in parts if field == _NODE_OUTPUT):
            wanted.add(place)
            needed.update(_text(part) for field, part, _ in parts if field == _NODE_INPUT)
            if any(_has_graph(part) for field, part, _ in parts if field == _NODE_ATTRIBUTE):
                raise ValueError("it has nodes with graphs of their own, which may read any tensor")
    for place, (number, content, whole) in enumerate(fields):
        if (
            (number == _NODE and place not in wanted)
            or (number == _OUTPUT and _name(content, _VALUE_NAME) not in outputs)
            or (number == _INITIALIZER and _name(content, _TENSOR_NAME) not in needed)
        ):
            continue
        yield whole


def _has_graph(attribute: memoryview) -> bool:
    return any(number in (6, 11) for number, _, _ in _fields(attribute))  # AttributeProto.g and .graphs


def _name(message: memoryview, field: int) -> str:
    return next((_text(content) for number, content, _ in _fields(message) if number == field), "")


def _text(content: memoryview) -> str:
    return bytes(content).decode("utf-8")


def _fields(data: memoryview) -> Iterator[Field]:
    """The fields of one message, in order; ValueError or IndexError for what is no message."""
    at = 0
    while at < len(data):
        start = at
        tag, at = _read_varint(data, at)
        content = data[0:0]
        if tag & 7 == _BYTES:
            size, at = _read_varint(data, at)
            content = data[at : at + size]
            at += size
        elif tag & 7 == 0:
            _, at = _read_varint(data, at)
        elif tag & 7 in _FIXED:
            at += _FIXED[tag & 7]
        else:
            raise ValueError(f"there is no wire type {tag & 7}")
        if at > len(data):
            raise ValueError("it ends in the middle of a field")
        yield tag >> 3, content, data[start:at]


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
