"""Tells Chinese look-alikes apart by the characters beside them, where a picture alone leaves it in doubt.

未来 and 已经 are words, 末来 and 己经 are not. A table says how much more often two characters stand beside each other
than chance would have it (pointwise mutual information, Church & Hanks 1990), counted in the words of a dictionary
(``ocrsvc train vocabulary``). It only ever speaks for a pair: what it does not know, names and rare characters among
it, is read as it looks. Only Chinese characters are weighed, and only against each other: numbers, Latin text and
whatever the recogniser is sure of stay as they are.
"""

from __future__ import annotations

import io
from dataclasses import replace
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ocrsvc.recognition.ctc import CERTAIN, Runs, peak_steps

TABLE = "bigrams.npz"
_GAP = 5.0  # nats by which an alternative may be less probable than the peak
_STEP = 1 / 16  # nats, of the evidence in the file


class Bigrams:
    """What pairs of characters say about each other, for a model of this ``alphabet`` (``alphabet[i - 1]`` is class i).

    ``weight``: how much a nat of theirs counts against one of the picture's.
    """

    def __init__(self, alphabet: str, weight: float, table: bytes | None = None) -> None:
        content = table or resources.files("ocrsvc.recognition").joinpath(TABLE).read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            self._pairs = np.cumsum(arrays["gaps"], dtype=np.uint32)
            self._evidence = arrays["evidence"].astype(np.float32) * (_STEP * weight)
        codes = np.array([0, *map(ord, alphabet)], np.uint32)
        # 0 is what no pair begins or ends with: the blank, and all that is not Chinese.
        self._codes = np.where((codes >= 0x4E00) & (codes <= 0x9FFF), codes, 0).astype(np.uint32)

    def judges(self, characters: str) -> bool:
        """Whether a reading of these characters alone is asked about: always, others are no alternatives then."""
        return True

    def choose(self, indices: NDArray[np.int32], probabilities: NDArray[np.float32], runs: Runs) -> Runs:
        """The characters, once the neighbours of those in doubt were asked.

        ``indices`` and ``probabilities`` ``[N,T,K]`` are the K best classes of each time step, the best first. Of what
        is in doubt the most probable way through all alternatives is taken (Viterbi 1967), and the probability of a
        character is that among its alternatives, given its neighbours on that way.
        """
        at, alternatives, seen = self._doubts(indices, probabilities, runs)
        if not len(at):
            return runs
        codes = self._codes[alternatives]
        # A neighbour that is in doubt itself is linked to; what one that is not says is known from the start.
        linked = np.append(False, (np.diff(at) == 1) & (np.diff(runs.rows[at]) == 0))
        follows = np.append(linked[1:], False)
        line = np.concatenate(([0], self._codes[runs.classes], [0]))
        rows = np.concatenate(([-1], runs.rows, [-1]))
        before = np.where((rows[at] == runs.rows[at]) & ~linked, line[at], 0)
        after = np.where((rows[at + 2] == runs.rows[at]) & ~follows, line[at + 2], 0)
        with np.errstate(divide="ignore"):
            scores = np.log(seen)
        scores += self._evidence_of(before[:, None], codes) + self._evidence_of(codes, after[:, None])
        links = np.zeros((*codes.shape, codes.shape[1]), np.float32)
        links[linked] = self._evidence_of(codes[follows][:, :, None], codes[linked][:, None, :])
        way = _viterbi(scores, links, linked)
        share = _share(scores, links, linked, way)
        classes, peaks = runs.classes.copy(), runs.peaks.copy()
        classes[at] = alternatives[np.arange(len(at)), way]
        peaks[at] = seen.sum(axis=1) * share
        return replace(runs, classes=classes, peaks=peaks)

    def _doubts(
        self, indices: NDArray[np.int32], probabilities: NDArray[np.float32], runs: Runs
    ) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float32]]:
        """Which characters ``[D]`` are in doubt, their alternatives ``[D,K]`` and how probable those look, 0 for what
        is none: a sign, a letter, or far less probable than the best one.
        """
        at = np.flatnonzero((self._codes[runs.classes] > 0) & (runs.peaks < CERTAIN))
        if not len(at):
            return at, indices[:0, 0], probabilities[:0, 0]
        rows, steps = runs.rows[at], peak_steps(probabilities[:, :, 0], runs, at)
        alternatives, seen = indices[rows, steps], probabilities[rows, steps]
        possible = (self._codes[alternatives] > 0) & (seen > seen[:, :1] * np.exp(-_GAP))
        several = possible.sum(axis=1) > 1
        return at[several], alternatives[several], np.where(possible, seen, 0)[several]

    def _evidence_of(self, left: NDArray[np.uint32], right: NDArray[np.uint32]) -> NDArray[np.float32]:
        """What speaks for characters beside each other, by their codes; 0 where the table has no such pair."""
        wanted = (left << np.uint32(16)) | right
        places = np.minimum(np.searchsorted(self._pairs, wanted), len(self._pairs) - 1)
        return np.where(self._pairs[places] == wanted, self._evidence[places], np.float32(0))


def _viterbi(
    scores: NDArray[np.float32], links: NDArray[np.float32], linked: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """The best alternative ``[D]`` of each character, by ``scores`` ``[D,K]`` of its own and ``links`` ``[D,K,K]`` from
    those of the one before it, if it is ``linked`` to that; all chains a step at a time.
    """
    places = np.arange(len(scores))
    depth = places - np.maximum.accumulate(np.where(linked, 0, places))
    total, back = scores.copy(), np.zeros(scores.shape, np.intp)
    deepest = int(depth.max())
    for d in range(1, deepest + 1):
        now = np.flatnonzero(depth == d)
        ways = total[now - 1][:, :, None] + links[now]
        back[now] = ways.argmax(axis=1)
        total[now] += ways.max(axis=1)
    best: NDArray[np.intp] = total.argmax(axis=1)
    for d in range(deepest, 0, -1):
        now = np.flatnonzero(depth == d)
        best[now - 1] = back[now, best[now]]
    return best


def _share(
    scores: NDArray[np.float32],
    links: NDArray[np.float32],
    linked: NDArray[np.bool_],
    way: NDArray[np.intp],
) -> NDArray[np.float32]:
    """How probable ``[D]`` the alternatives on the best way are among those of their place, given their neighbours."""
    places = np.arange(len(way))
    here = places[linked]
    given = scores.copy()
    given[here] += links[here, way[here - 1]]
    given[here - 1] += links[here, :, way[here]]
    weights = np.exp(given - given.max(axis=1, keepdims=True))
    return np.asarray(weights[places, way] / weights.sum(axis=1), np.float32)


def pack(evidence: dict[str, float]) -> bytes:
    """The file of a table: for two characters the nats that speak for them, more than 0."""
    pairs = sorted((ord(pair[0]) << 16 | ord(pair[1]), nats) for pair, nats in evidence.items())
    steps = np.clip(np.rint(np.array([nats for _, nats in pairs]) / _STEP), 1, 255).astype(np.uint8)
    content = io.BytesIO()
    gaps = np.diff(np.array([0, *(pair for pair, _ in pairs)], np.int64)).astype(np.uint32)
    np.savez_compressed(content, gaps=gaps, evidence=steps)
    return content.getvalue()
