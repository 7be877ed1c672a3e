"""The training loss: CTC on the label, and distillation from the teacher's classes and embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ocrsvc.recognition.ctc import BLANK
from ocrsvc.training.data.targets import Batch
from ocrsvc.training.nets.teacher import Head

CANDIDATES = 512  # random classes added to those that a batch needs
ALIKE = 6  # nearest class embeddings that are scored with every class of the batch
SIGNS = 240  # classes at the start of the charset: ASCII, punctuation, most symbols


@dataclass(frozen=True)
class Weights:
    """Weights of the terms. ``embedding`` (cosine and square) needs a net of the teacher's embedding size."""

    ctc: float = 0.6
    kl: float = 1.0
    embedding: float = 1.0


class Candidates:
    """Chooses the classes that a batch is scored over.

    They are the classes of the batch, their look-alikes (nearest class embeddings), the signs and a random sample: a
    full softmax over 7 000 classes would cost four times the rest of a step with frozen convolutions.
    """

    def __init__(self, rows: Tensor, charset: str, count: int = CANDIDATES) -> None:
        self.classes, self.count = len(rows), count
        spaces = [i for i, character in enumerate(charset, start=1) if character == " "]
        self.always = torch.tensor([BLANK, *range(1, min(SIGNS, len(rows))), *spaces], device=rows.device)
        unit = functional.normalize(rows, dim=1)
        near = min(ALIKE, len(rows))
        self.alike = torch.cat([(part @ unit.T).topk(near).indices for part in unit.split(1024)])

    def to(self, device: torch.device) -> None:
        """Move the tables to a device."""
        self.always, self.alike = self.always.to(device), self.alike.to(device)

    def __call__(self, *seen: Tensor) -> Tensor:
        """Return the classes [C], ascending, for a batch in which the classes ``seen`` occur."""
        present = torch.unique(torch.cat([classes.flatten() for classes in seen]))
        sample = torch.randint(self.classes, (self.count,), device=present.device)
        return torch.unique(torch.cat((self.alike[present].flatten(), present, sample, self.always)))


class Loss:
    """The loss over a sampled set of classes (``Candidates``)."""

    def __init__(self, weights: Weights, charset: str, head: Head) -> None:
        self.weights = weights
        rows, bias, classes = head.rows(charset)
        self.rows, self.bias = torch.from_numpy(rows), torch.from_numpy(bias)
        self.known = torch.tensor([source >= 0 for source in classes])
        self.candidates = Candidates(self.rows, charset)

    def __call__(self, embedding: Tensor, head: nn.Linear, batch: Batch) -> dict[str, Tensor]:
        """Return the weighted terms by name, each a mean over the frames or lines that it applies to."""
        frames = batch.weights
        total = frames.sum().clamp(min=1)
        classes = self.candidates(batch.classes, batch.targets)
        logits = functional.linear(embedding, head.weight[classes], head.bias[classes]).log_softmax(-1)
        known = classes[self.known[classes]]
        target = (batch.embedding @ self.rows[known].T + self.bias[known]).softmax(-1)
        student = logits[..., self.known[classes]]
        divergence = functional.kl_div(student, target, reduction="none").sum(-1)
        lengths = torch.full((embedding.shape[0],), embedding.shape[1])
        ctc = functional.ctc_loss(
            logits.transpose(0, 1),
            torch.searchsorted(classes, batch.targets),
            lengths,
            batch.target_lengths,
            BLANK,
            reduction="none",
            zero_infinity=True,
        )
        per_character = ctc / batch.target_lengths.clamp(min=1) * batch.ctc_weights
        terms = {
            "kl": self.weights.kl * (divergence * frames).sum() / total,
            "ctc": self.weights.ctc * per_character.sum() / batch.ctc_weights.sum().clamp(min=1),
        }
        if self.weights.embedding:
            cosine = 1 - functional.cosine_similarity(embedding, batch.embedding, dim=-1)
            square = (embedding - batch.embedding).square().mean(-1)
            terms["embedding"] = self.weights.embedding * ((cosine + 0.1 * square) * frames).sum() / total
        return terms
