"""Batches of freshly drawn lines, made in separate processes so that training does not wait for rendering.

Each process has a bounded queue, and the trainer takes from the queues in turn. So the batch of a step depends on
the seed, the number of processes and the step at which the run was started, never on their speed.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context, parent_process
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty, Full
from types import TracebackType
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.models.buckets import Buckets, fit, stack
from ocrsvc.training.drawing.camera import Bgr
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.plain import Plain
from ocrsvc.training.drawing.synth import Synthesiser
from ocrsvc.training.texts.corpus import Corpus

PAD_VALUE = 127
DEPTH = 6  # most batches in each queue
_NICE = (
    5  # added to the niceness of drawing: the trainer goes first, and each queue holds lines for some steps
)
_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 2.0  # between checks whether the other process is alive


@dataclass(frozen=True)
class Batch:
    """Lines of one bucket, padded as in serving: ``pixels`` uint8 [N,height,W,3] BGR, their texts and own widths."""

    pixels: NDArray[np.uint8]
    texts: tuple[str, ...]
    widths: tuple[int, ...] = ()


@dataclass(frozen=True)
class Order:
    """The lines to draw and the batches to make of them.

    ``texts``: ``corpus`` uses the whole data engine, ``random`` draws strings of uniformly random characters.
    ``columns``: pixels of width in a batch, all lines together. The length limit grows from ``first_characters`` to
    ``longest`` characters over ``curriculum_steps`` steps. ``shares``: factors on how often kinds of lines are drawn
    (``Corpus``).
    """

    library: Library
    charset: str
    prose: tuple[Path, ...] = ()
    texts: Literal["corpus", "random"] = "corpus"
    shortest: int = 1
    longest: int = 95
    first_characters: int = 5
    curriculum_steps: int = 0
    height: int = 32
    buckets: tuple[int, ...] = (96, 160, 224, 320, 448, 640, 864)
    width_stride: int = 4
    columns: int = 5120
    seed: int = 1
    shares: Mapping[str, float] | None = None

    def longest_at(self, step: int) -> int:
        """Return the length limit of this step, in characters."""
        share = min(1.0, step / self.curriculum_steps) if self.curriculum_steps else 1.0
        return max(
            self.shortest, round(self.first_characters + share * (self.longest - self.first_characters))
        )


class _Source(Protocol):
    def line(self, longest: int) -> str: ...

    def draw(self, text: str) -> Bgr | None: ...


class _Engine:
    """The whole data engine; texts are cut to the length limit."""

    def __init__(self, order: Order, seed: int) -> None:
        self.corpus = Corpus(order.charset, seed, order.prose, order.shares)
        self.synthesiser = Synthesiser(order.library, seed)

    def line(self, longest: int) -> str:
        return self.corpus.line()[:longest].strip()

    def draw(self, text: str) -> Bgr | None:
        return self.synthesiser.draw(text)


class _Strings:
    """Random strings on plain paper."""

    def __init__(self, order: Order, seed: int) -> None:
        self.plain = Plain(order.library, order.charset, seed)
        self.shortest = order.shortest

    def line(self, longest: int) -> str:
        return self.plain.line(self.shortest, longest)

    def draw(self, text: str) -> Bgr | None:
        return self.plain.draw(text)


def lines(order: Order, seed: int) -> Iterator[tuple[NDArray[np.uint8], str]]:
    """Yield endless lines uint8 [height,w,3] that fit the order's buckets, and their texts."""
    source = _source(order, seed)
    while True:
        if (line := _line(source, order, order.longest)) is not None:
            yield line


def _source(order: Order, seed: int) -> _Source:
    return _Engine(order, seed) if order.texts == "corpus" else _Strings(order, seed)


def _line(source: _Source, order: Order, longest: int) -> tuple[NDArray[np.uint8], str] | None:
    text = source.line(longest)
    image = source.draw(text) if len(text) >= order.shortest else None
    if image is None:
        return None
    line = fit(image, order.height)
    if line.shape[1] > order.buckets[-1]:
        return None
    # CTC needs one step for each character and a blank between two equal ones.
    steps = len(text) + sum(a == b for a, b in pairwise(text))
    return (line, text) if Buckets(order.buckets).of(line.shape[1]) // order.width_stride >= steps else None


def batches(order: Order, seed: int, step: int = 0, stride: int = 1) -> Iterator[Batch]:
    """Yield endless batches for the steps ``step``, ``step + stride`` ..., each of one bucket."""
    source, buckets = _source(order, seed), Buckets(order.buckets)
    waiting: dict[int, list[tuple[NDArray[np.uint8], str]]] = {}
    while True:
        line = _line(source, order, order.longest_at(step))
        if line is None:
            continue
        bucket = buckets.of(line[0].shape[1])
        group = waiting.setdefault(bucket, [])
        group.append(line)
        if len(group) * bucket >= order.columns:
            yield _stacked(waiting.pop(bucket), order.height, bucket)
            step += stride


def held(order: Order, seed: int, count: int) -> list[Batch]:
    """Return ``count`` lines in batches, for scoring; training uses other seeds and never draws them."""
    buckets, drawn = Buckets(order.buckets), lines(order, seed)
    groups: dict[int, list[tuple[NDArray[np.uint8], str]]] = {}
    for _ in range(count):
        line = next(drawn)
        groups.setdefault(buckets.of(line[0].shape[1]), []).append(line)
    size = 64
    return [
        _stacked(group[i : i + size], order.height, bucket)
        for bucket, group in sorted(groups.items())
        for i in range(0, len(group), size)
    ]


def _stacked(group: list[tuple[NDArray[np.uint8], str]], height: int, width: int) -> Batch:
    pixels = stack([line for line, _ in group], height=height, width=width, pad_value=PAD_VALUE)
    return Batch(pixels, tuple(text for _, text in group), tuple(line.shape[1] for line, _ in group))


def _draw(order: Order, seed: int, step: int, stride: int, queue: Queue[Batch]) -> None:
    """Fill ``queue`` until the process is terminated or its parent has died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the trainer handles Ctrl-C
    os.nice(_NICE)
    cv2.setNumThreads(1)
    queue.cancel_join_thread()
    parent = parent_process()
    for batch in batches(order, seed, step, stride):
        while True:
            try:
                queue.put(batch, timeout=_PATIENCE_SECONDS)
                break
            except Full:
                if parent is None or not parent.is_alive():
                    return


class Feed:
    """Batches from ``workers`` processes; a context manager that ends them."""

    def __init__(self, order: Order, workers: int, step: int = 0) -> None:
        context = get_context("spawn")
        self.first = step
        self.queues: list[Queue[Batch]] = [context.Queue(DEPTH) for _ in range(workers)]
        self.processes: list[SpawnProcess] = [
            context.Process(
                target=_draw,
                args=(order, _seed(order.seed, step, worker), step + worker, workers, queue),
                name=f"drawing-{worker}",
                daemon=True,
            )
            for worker, queue in enumerate(self.queues)
        ]

    def __enter__(self) -> Feed:
        for process in self.processes:
            process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            if process.pid is not None:
                process.terminate()
        for process, queue in zip(self.processes, self.queues, strict=True):
            if process.pid is not None:
                process.join()
            queue.close()
            queue.cancel_join_thread()

    def take(self, step: int) -> Batch:
        """Return the batch of this step; call it with consecutive steps. RuntimeError if the process has died."""
        at = (step - self.first) % len(self.queues)
        while True:
            try:
                return self.queues[at].get(timeout=_PATIENCE_SECONDS)
            except Empty:
                self._check(at)

    def ready(self, wait: bool = False) -> Batch | None:
        """Return a batch of whichever process has one; without one, None or, with ``wait``, the next.

        RuntimeError as ``take``.
        """
        while True:
            for at, queue in enumerate(self.queues):
                try:
                    return queue.get_nowait()
                except Empty:
                    self._check(at)
            if not wait:
                return None
            time.sleep(_POLL_SECONDS)

    def _check(self, at: int) -> None:
        if not self.processes[at].is_alive():
            code = self.processes[at].exitcode
            raise RuntimeError(
                f"a process that draws lines has ended with status {code}; its message is above"
            ) from None


def _seed(seed: int, step: int, worker: int) -> int:
    """Return a seed that differs between processes and between resumptions of a run."""
    return (seed * 1_000_003 + step) * 1009 + worker
