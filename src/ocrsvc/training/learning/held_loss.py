"""The loss of training all layers: CTC on the text, and KL divergence from the net that the run holds on to.

Which lines have a text, and which are held, the held net's reading decides (``Truths.judge``): a label that does not
know case takes the case of the reading, and a line that the held net reads otherwise than its label is not held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ocrsvc.recognition.ctc import BLANK
from ocrsvc.training.data.mixed_batches import Mixed
from ocrsvc.training.data.targets import Label, Truth, Truths
from ocrsvc.training.learning.finetune import as_head
from ocrsvc.training.learning.loss import Candidates
from ocrsvc.training.nets.net import Crnn, convolved, embed


@dataclass(frozen=True)
class Seen:
    """What a net makes of N lines: features [N,T,F], embeddings [N,T,D], CTC's best classes int64 [N,T].

    ``widths``: the lines' own widths in pixels, without padding.
    """

    features: Tensor
    embedding: Tensor
    best: Tensor
    widths: Sequence[int]


# Further terms of the loss, of a student, what it sees, and the target classes of each line (empty: no text).
Auxiliary = Callable[[Crnn, Seen, Sequence[Sequence[int]]], dict[str, Tensor]]


@dataclass(frozen=True)
class Held:
    """What the held net says of the first M lines: logits [M,T,classes], its path int64 [M,T], frame weights [M,T]."""

    logits: Tensor
    path: Tensor
    weights: Tensor


class HeldLoss:
    """Loss of a student against texts and the ``held`` net, whose weights never change.

    ``share``: the share of the lines that are held in the mean of many batches; the KL divergence of a batch is divided
    by that share of its frames, so that a held frame counts alike in all batches.

    ``sample``: random classes that a batch is scored over beside its own ones (``Candidates``); 0 scores all classes.
    On two cores, a softmax over 11 336 classes takes several times as long as one over a sample; on a GPU it does not
    matter.
    """

    def __init__(self, held: Crnn, charset: str, sample: int, share: float, *, bfloat16: bool) -> None:
        self.share = share
        self.held, self.bfloat16 = held.eval().requires_grad_(False), bfloat16
        self.truths = Truths(charset, as_head(held.cpu(), charset))
        self.device = torch.device("cpu")
        self.candidates = Candidates(held.head.weight, charset, sample) if sample else None

    def to(self, device: torch.device) -> HeldLoss:
        """Move the held net to a device."""
        self.held, self.device = self.held.to(device).to(memory_format=torch.channels_last), device  # type: ignore[call-overload]
        if self.candidates is not None:
            self.candidates.to(device)
        return self

    def __call__(
        self, student: Crnn, batch: Mixed, hold: float, auxiliary: Auxiliary | None = None
    ) -> dict[str, Tensor]:
        """Return the terms ``ctc`` and ``kl`` of a batch, the latter weighted with ``hold``, and the auxiliary ones."""
        held, truths = self._judged(batch)
        targets = [truth.target for truth in truths]
        flat = torch.tensor([c for target in targets for c in target], dtype=torch.long, device=self.device)
        features = convolved(student, batch.images, bfloat16=self.bfloat16)
        embedding = student.neck(features)
        head = student.head
        if self.candidates is None:
            classes = None
            logp = head(embedding).log_softmax(-1)
            wanted = held.logits
        else:
            classes = self.candidates(flat, held.path)
            logp = functional.linear(embedding, head.weight[classes], head.bias[classes]).log_softmax(-1)
            wanted, flat = held.logits[..., classes], torch.searchsorted(classes, flat)
        terms = {"ctc": self._ctc(logp, flat, [len(target) for target in targets])}
        if len(held.weights):
            divergence = functional.kl_div(
                logp[: len(held.weights)], wanted.log_softmax(-1), reduction="none", log_target=True
            ).sum(-1)
            frames = self.share * logp.shape[0] * logp.shape[1]
            terms["kl"] = hold * (divergence * held.weights).sum() / frames
        if auxiliary is not None:
            best = logp.detach().argmax(-1)
            seen = Seen(features, embedding, best if classes is None else classes[best], batch.widths)
            terms |= auxiliary(student, seen, targets)
        return terms

    def _ctc(self, logp: Tensor, flat: Tensor, lengths: Sequence[int]) -> Tensor:
        """Return the mean per character; a line counts with the square root of its length, none without a text."""
        lines, frames, _ = logp.shape
        losses = functional.ctc_loss(
            logp.transpose(0, 1),
            flat,
            torch.full((lines,), frames),
            torch.tensor(lengths),
            BLANK,
            reduction="none",
            zero_infinity=True,
        )
        roots = torch.tensor(lengths, device=self.device).float().sqrt()
        return (losses / roots.clamp(min=1) * (roots > 0)).sum() / roots.sum().clamp(min=1)

    @torch.no_grad()
    def _judged(self, batch: Mixed) -> tuple[Held, list[Truth]]:
        """Return what the held net says of the batch's clean lines, and the targets of all its lines."""
        count = len(batch.clean)
        logits = self.held.head(embed(self.held, batch.clean, bfloat16=self.bfloat16)) if count else None
        if logits is None:
            empty = torch.zeros((0, 0), device=self.device)
            held = Held(empty[..., None], empty.long(), empty)
            return held, [self._drawn(label) for label in batch.labels]
        best, path = logits.max(-1)
        sure = (best - logits.logsumexp(-1)).exp()
        truths = [
            judged(self.truths, classes, confidence, label)
            for classes, confidence, label in zip(
                path.tolist(), sure.tolist(), batch.labels[:count], strict=True
            )
        ]
        weights = [[truth.distil, truth.distil * truth.distil_blank] for truth in truths]
        reads, blanks = torch.tensor(weights, device=self.device).T[..., None]
        held = Held(logits, path, torch.where(path != BLANK, reads, blanks))
        return held, truths + [self._drawn(label) for label in batch.labels[count:]]

    def _drawn(self, label: Label) -> Truth:
        text = label[0] or ""
        return Truth(tuple(self.truths.index[c] for c in text), 0.0, 0.0, text)


def judged(truths: Truths, path: Sequence[int], sure: Sequence[float], label: Label) -> Truth:
    """Return the target of a line that a net reads as ``path``; a line without a label has no text to learn.

    If a label that does not know case differs from the reading, it counts as it is where the reading has capitals only.
    """
    text, _, case_folded = label
    truth = truths.judge(path, sure, text, case_folded)
    if text is None:
        return replace(truth, target=())
    if case_folded and not truth.target and not truth.distil:
        reading = truths.read(path)
        if reading and reading == reading.upper():
            return replace(truths.judge(path, sure, text, False), distil=0.0, distil_blank=0.0)
    return truth
