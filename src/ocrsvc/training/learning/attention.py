"""Trains an attention decoder on the convolutions and the neck of a model, which stay as they are.

Lines, schedule, checkpoints and resumption are those of ``ocrsvc train large``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from ocrsvc.models import manifest
from ocrsvc.training.data.mixed_batches import Mixed, MixedBatches
from ocrsvc.training.data.targets import Label, Truths
from ocrsvc.training.learning import attention_scores, checkpoint, live_learner, live_run
from ocrsvc.training.learning.attention_loss import AttentionLoss, Teaching
from ocrsvc.training.learning.attention_plan import Plan
from ocrsvc.training.learning.dev_scores import DevSet
from ocrsvc.training.learning.finetune import as_head
from ocrsvc.training.learning.held_loss import Seen, judged
from ocrsvc.training.learning.live_state import RunState, parameter_groups
from ocrsvc.training.learning.scratch import follow
from ocrsvc.training.nets.attention import AttentionDecoder, decoder_for
from ocrsvc.training.nets.net import Crnn, convolved
from ocrsvc.training.nets.weights import bare, load_net


@dataclass
class State(RunState):
    """State of a run, as a checkpoint holds it; ``net`` never changes."""

    net: Crnn
    decoder: AttentionDecoder
    average: AttentionDecoder
    optimiser: torch.optim.Optimizer

    def save(self, plan: Plan) -> None:
        """Write the checkpoint, which `ocrsvc train export --decoder` reads."""
        done = self.counted()
        start = manifest.load(bare(plan.start))
        content = {
            "start": start.name,
            "weights": start.files["fp32"].sha256,
            "decoder_shape": asdict(self.decoder.shape),
            "decoder": self.decoder.state_dict(),
            "average_decoder": {name: value.cpu() for name, value in self.average.state_dict().items()},
            "optimiser": self.optimiser.state_dict(),
            **done,
            "log": self.log,
            "described": plan.described(),
            "recipe": asdict(plan.recipe) | done | {"device": plan.device.type, "bfloat16": plan.bfloat16},
        }
        checkpoint.write(plan.checkpoint, content)

    def load(self, plan: Plan) -> None:
        """Load the checkpoint; ValueError if it was begun with another recipe or from another net."""
        content = torch.load(plan.checkpoint, map_location=plan.device, weights_only=True)
        checkpoint.check_same(plan.checkpoint, plan.described(), content["described"])
        if content["weights"] != manifest.load(bare(plan.start)).files["fp32"].sha256:
            raise ValueError(f"{plan.checkpoint} was begun with another net than {plan.start}")
        self.decoder.load_state_dict(content["decoder"])
        self.average.load_state_dict(content["average_decoder"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.count_on(content)


def start(plan: Plan) -> State:
    """Return a fresh state: the model's net and an untrained decoder, always the same for the same seed."""
    net, charset = load_net(plan.start)
    if charset != plan.order.charset:
        raise ValueError(f"{plan.start} has changed")
    torch.manual_seed(plan.recipe.seed)
    decoder = decoder_for(net, plan.recipe.shape).to(plan.device)
    net = net.to(plan.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    net.eval().requires_grad_(False)
    average = deepcopy(decoder).eval().requires_grad_(False)
    groups = parameter_groups(decoder, plan.recipe.weight_decay)
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)
    return State(net, decoder, average, optimiser)


class Learner(live_learner.Learner):
    """The training steps of one process."""

    def __init__(self, plan: Plan, state: State, made: MixedBatches) -> None:
        super().__init__(plan, state, made, state.optimiser, list(state.decoder.parameters()))
        self.plan, self.state = plan, state
        recipe, charset = plan.recipe, plan.order.charset
        self.loss = AttentionLoss(state.decoder, Teaching(recipe.smoothing, recipe.replaced, recipe.drafts))
        self.truths = Truths(charset, as_head(load_net(plan.start)[0], charset))

    def terms(self, batch: Mixed, done: float) -> dict[str, Tensor]:
        """Return the loss of a batch; the progress ``done`` does not matter."""
        net = self.state.net
        with torch.no_grad():
            features = convolved(net, batch.images, bfloat16=self.plan.bfloat16)
            embedding = net.neck(features)
            best = net.head(embedding).argmax(-1)
        targets = [
            self._target(path, label, line < batch.real)
            for line, (path, label) in enumerate(zip(best.tolist(), batch.labels, strict=True))
        ]
        return self.loss(net, Seen(features, embedding, best, batch.widths), targets)

    def _target(self, path: Sequence[int], label: Label, real: bool) -> Sequence[int]:
        """Return the classes of a line's text; a label that does not know case takes that of CTC's reading."""
        if not real:
            return [self.truths.index[character] for character in label[0] or ""]
        return judged(self.truths, path, [1.0] * len(path), label).target

    def follow(self, decay: float) -> None:
        """Update the averaged weights."""
        follow(self.state.average, self.state.decoder, decay)

    def save(self) -> None:
        """Write the checkpoint."""
        self.state.save(self.plan)

    def scores(self, dev: Mapping[str, DevSet]) -> dict[str, float]:
        """Return the shares of lines that the averaged decoder and that CTC read right, by name."""
        plan, state = self.plan, self.state
        found: dict[str, float] = {}
        for name, lines in dev.items():
            counts = self.threads.map(
                lambda batch: attention_scores.right(
                    state.net,
                    state.average,
                    plan.order.charset,
                    batch,
                    plan.device,
                    longest=plan.recipe.longest,
                    bfloat16=plan.bfloat16,
                ),
                lines.batches,
            )
            ours, ctc = (sum(column) for column in zip(*counts, strict=True))
            found |= {f"{name}_exact": ours / len(lines), f"{name}_ctc": ctc / len(lines)}
        return found


def train(plan: Plan) -> State:
    """Train to the end of the schedule, resuming from a checkpoint if there is one; return the last state.

    Ctrl-C saves before it stops. ValueError for a checkpoint of another recipe, RuntimeError if drawing fails.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    state = start(plan)
    if plan.checkpoint.exists():
        state.load(plan)
    live_run.train(
        plan,
        state,
        lambda feed, dev: Learner(
            plan, state, live_run.batches(plan, state.step, feed, dev, labelled_only=True)
        ),
    )
    return state
