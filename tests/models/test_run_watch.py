"""A real run of ONNX Runtime that does not end by itself, and one that is not disturbed."""

from __future__ import annotations

import threading

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from ocrsvc.errors import RunTooLong
from ocrsvc.models.run_watch import RunWatch, WatchedSession

ENDLESS = 2**62


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def loop_session() -> ort.InferenceSession:
    """A graph that adds one as many times as its input says."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["sum", "one"], ["more"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("more", TensorProto.FLOAT, []),
        ],
        [helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["times", "true", "zero"], ["result"], body=body)],
        "loop",
        [helper.make_tensor_value_info("times", TensorProto.INT64, [])],
        [helper.make_tensor_value_info("result", TensorProto.FLOAT, [])],
        [
            helper.make_tensor("true", TensorProto.BOOL, [], [True]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return ort.InferenceSession(onnx.ModelProto.SerializeToString(model), providers=["CPUExecutionProvider"])


def run(session: WatchedSession, times: int) -> float:
    return float(session.run(None, {"times": np.array(times, np.int64)})[0])


def test_a_run_that_hangs_is_ended_and_others_are_not() -> None:
    clock = Clock()
    watch = RunWatch(clock=clock)
    session = WatchedSession(loop_session(), watch)
    assert run(session, 3) == 3.0
    ended: list[BaseException] = []

    def hang() -> None:
        try:
            run(session, ENDLESS)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=hang, daemon=True)
    thread.start()
    while not watch._running:
        pass
    clock.now = 59
    assert watch.end(older_than_seconds=60) == 0
    clock.now = 61
    assert watch.end(older_than_seconds=60) == 1
    assert watch.end(older_than_seconds=60) == 0  # once each
    thread.join(50)
    assert [type(error) for error in ended] == [RunTooLong]
    assert not watch._running
    assert run(session, 4) == 4.0  # the session goes on


def test_other_errors_stay_what_they_are() -> None:
    session = WatchedSession(loop_session(), RunWatch())
    with pytest.raises(Exception, match="times") as raised:
        session.run(None, {})
    assert not isinstance(raised.value, RunTooLong)
