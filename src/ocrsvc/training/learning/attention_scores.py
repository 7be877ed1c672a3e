"""Scores of an attention decoder during training, beside those of CTC, on lines that neither is trained on."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ocrsvc.recognition.attention import decoded, valid_frames
from ocrsvc.text import fold
from ocrsvc.training.data.feed import Batch
from ocrsvc.training.data.targets import collapse
from ocrsvc.training.nets.attention import AttentionDecoder
from ocrsvc.training.nets.net import WIDTH_STRIDE, Crnn, convolved, normalise


class Passes:
    """A decoder over the lines of one batch, as ``recognition.attention.decoded`` calls it."""

    def __init__(
        self,
        decoder: AttentionDecoder,
        memory: torch.Tensor,
        frames: torch.Tensor,
        rows: torch.Tensor,
    ) -> None:
        self.decoder, self.memory, self.frames, self.rows = decoder, memory, frames, rows

    @torch.no_grad()
    def __call__(
        self, lines: NDArray[np.intp], tokens: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the best class after each of the tokens ``[n,L]`` of the ``lines`` ``[n]``, and its probability."""
        at = torch.from_numpy(lines).to(self.memory.device)
        given = torch.from_numpy(tokens).to(self.memory.device)
        logits = self.decoder(self.memory[at], self.frames[at], given, self.rows)
        best, classes = logits.softmax(-1).max(-1)
        return classes.to(torch.int32).cpu().numpy(), best.cpu().numpy()


@torch.no_grad()
def right(
    net: Crnn,
    decoder: AttentionDecoder,
    charset: str,
    batch: Batch,
    device: torch.device,
    *,
    longest: int,
    bfloat16: bool,
) -> tuple[int, int]:
    """Return how many lines of a batch the decoder reads right, and how many CTC; case, spaces and width are ignored.

    Where the decoder gives no text, CTC's counts, as in serving.
    """
    features = convolved(net, normalise(batch.pixels).to(device), bfloat16=bfloat16)
    embedding = net.neck(features)
    best = net.head(embedding).argmax(-1)
    frames = torch.tensor([valid_frames(width, WIDTH_STRIDE) for width in batch.widths], device=device)
    passes = Passes(
        decoder, decoder.memory(features, embedding, best), frames, decoder.rows_of(net.head.weight)
    )
    drafts = [collapse(path) for path in best.tolist()]
    texts = decoded(drafts, passes, longest)
    ours = [draft if text is None else text.classes for draft, text in zip(drafts, texts, strict=True)]
    wanted = [fold(text) for text in batch.texts]

    def count(read: list[list[int]] | list[tuple[int, ...] | list[int]]) -> int:
        texts = ("".join(charset[c - 1] for c in classes) for classes in read)
        return sum(fold(text) == truth for text, truth in zip(texts, wanted, strict=True))

    return count(ours), count(drafts)
