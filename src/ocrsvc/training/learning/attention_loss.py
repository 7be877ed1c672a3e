"""The loss of an attention decoder: cross-entropy of each next character, with a text like that of serving before it.

In serving the text before is the decoder's own, which has errors, and nearly always CTC's. So some of the characters
before are replaced at random, and in a share of the lines they are those of CTC's reading where it substitutes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import torch
from torch import Tensor
from torch.nn import functional

from ocrsvc.recognition.attention import valid_frames
from ocrsvc.training.data.targets import collapse
from ocrsvc.training.learning.held_loss import Seen
from ocrsvc.training.nets.attention import END, AttentionDecoder
from ocrsvc.training.nets.net import WIDTH_STRIDE, Crnn

_IGNORED = -100  # target of a place that has none
_FEW = (
    0.34  # share of other characters up to which two texts of one length are taken to have substitutions only
)


@dataclass(frozen=True)
class Teaching:
    """How a decoder is taught.

    ``smoothing``: share of a target's probability that is spread over all classes. ``replaced``: share of the
    characters before that are replaced by others of the batch. ``drafts``: share of the lines in which they are CTC's.
    """

    smoothing: float = 0.02
    replaced: float = 0.06
    drafts: float = 0.5


class AttentionLoss:
    """The loss of a decoder on lines that a net has seen."""

    def __init__(self, decoder: AttentionDecoder, teaching: Teaching) -> None:
        self.decoder, self.teaching = decoder, teaching

    def __call__(self, net: Crnn, seen: Seen, targets: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Return the term ``attention``, a mean over the characters; the head's rows get no gradient.

        ``targets``: classes of each line's text; a line whose text is empty does not count.
        """
        chosen = [line for line, target in enumerate(targets) if target]
        if not chosen:  # zero, but of all parameters
            return {"attention": 0.0 * torch.stack([p.sum() for p in self.decoder.parameters()]).sum()}
        rows = self.decoder.rows_of(net.head.weight.detach())
        before, after = self._texts(seen.best[chosen].tolist(), [targets[line] for line in chosen])
        device = rows.device
        tokens, wanted = before.to(device), after.to(device)
        memory = self.decoder.memory(seen.features[chosen], seen.embedding[chosen], seen.best[chosen])
        frames = [valid_frames(seen.widths[line], WIDTH_STRIDE) for line in chosen]
        states = self.decoder.states(memory, torch.tensor(frames, device=device), rows[tokens])
        counted = wanted != _IGNORED
        logits = functional.linear(states[counted], rows, self.decoder.bias)
        smoothing = self.teaching.smoothing
        return {"attention": functional.cross_entropy(logits, wanted[counted], label_smoothing=smoothing)}

    def _texts(
        self, paths: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
    ) -> tuple[Tensor, Tensor]:
        """Return the tokens and the classes after them, int64 [N,L]."""
        drafted = (torch.rand(len(targets)) < self.teaching.drafts).tolist()
        length = max(map(len, targets)) + 1
        before = torch.full((len(targets), length), END)
        after = torch.full((len(targets), length), _IGNORED)
        for line, (path, target) in enumerate(zip(paths, targets, strict=True)):
            shown = substituted(collapse(path), target) if drafted[line] else target
            before[line, 1 : len(target) + 1] = torch.tensor(shown)
            after[line, : len(target) + 1] = torch.tensor([*target, END])
        written = before != END
        replaced = written & (torch.rand(before.shape) < self.teaching.replaced)
        others = before[written]
        before[replaced] = others[torch.randint(len(others), (int(replaced.sum()),))]
        return before, after


def substituted(draft: Sequence[int], target: Sequence[int]) -> Sequence[int]:
    """Return the target with the draft's characters where the draft substitutes as many; its length stays."""
    if len(draft) == len(target):
        differing = sum(a != b for a, b in zip(draft, target, strict=True))
        if differing <= _FEW * len(target):
            return draft
    found = list(target)
    for kind, *(first, last, start, end) in SequenceMatcher(
        None, draft, target, autojunk=False
    ).get_opcodes():
        if kind == "replace" and last - first == end - start:
            found[start:end] = draft[first:last]
    return found
