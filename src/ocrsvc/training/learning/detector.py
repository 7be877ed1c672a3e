"""Trains a small detector on what a larger one says about varied crops of unlabelled pictures, by the clock.

The loss is cross-entropy with the teacher's probabilities and one minus their Dice overlap, which weighs text that
covers little of a crop as much as text that fills it (V-Net, Milletari et al. 2016). Weights are averaged over the
steps. A killed run resumes at the same point of its schedule.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from ocrsvc.models.manifest import Manifest
from ocrsvc.pages.boxes import PostProcess, boxes_of
from ocrsvc.training.data.page_crops import PageCrops, opened
from ocrsvc.training.learning import checkpoint
from ocrsvc.training.learning.progress import Report, shown
from ocrsvc.training.learning.schedule import cosine
from ocrsvc.training.learning.scratch import follow
from ocrsvc.training.nets.graph_net import GraphNet

_SAVE_SECONDS = 60.0
_SAME = 0.5  # least intersection over union of two boxes that are the same line


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a run, stored in the manifest.

    ``side_pixels``: side of its square crops; ``learning_rate``: of the size of each tensor.
    """

    minutes: float = 60.0
    side_pixels: int = 512
    batch: int = 4
    learning_rate: float = 3e-3
    clip: float = 5.0
    ema: float = 0.998
    warmup: float = 0.03
    seed: int = 1


@dataclass(frozen=True)
class Plan:
    """One run: where it starts, who teaches, on which pictures, and how it is scored."""

    start: Manifest
    teacher: Manifest
    files: Sequence[Path]
    dev: Sequence[Path]
    recipe: Recipe
    folder: Path
    workers: int = 1

    @property
    def checkpoint(self) -> Path:
        """Return the path of the run's checkpoint."""
        return self.folder / "last.pt"

    def described(self) -> dict[str, Any]:
        """Return the settings that must not change between a run and its resumption."""
        digests = {"start": self.start.files["fp32"].sha256, "teacher": self.teacher.files["fp32"].sha256}
        return {"detector": asdict(self.recipe), "models": digests}


@dataclass
class State:
    """State of a run, as a checkpoint holds it."""

    net: GraphNet
    average: GraphNet
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0

    def save(self, plan: Plan) -> None:
        """Write the checkpoint atomically."""
        content = {
            "net": self.net.state_dict(),
            "average_net": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "recipe": plan.described(),
        }
        checkpoint.write(plan.checkpoint, content)

    def load(self, plan: Plan) -> None:
        """Load the checkpoint; ValueError if it belongs to another run."""
        content = torch.load(plan.checkpoint, weights_only=True)
        checkpoint.check_same(plan.checkpoint, plan.described(), content["recipe"])
        self.net.load_state_dict(content["net"])
        self.average.load_state_dict(content["average_net"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.step, self.seconds = content["step"], content["seconds"]


def train(plan: Plan) -> State:
    """Train until the time of the recipe is used, from the checkpoint if there is one; return the last state."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.recipe.seed)
    state = _started(plan)
    if plan.checkpoint.exists():
        state.load(plan)
    allowed = plan.recipe.minutes * 60
    if plan.dev and not state.step:
        print(f"dev: {agreement(plan, state.average)}", flush=True)
    crops, smooth = _crops(plan, state.step), 0.0
    begun, saved = time.monotonic() - state.seconds, time.monotonic()
    with shown() as show:
        while state.seconds < allowed:
            loss = _step(state, next(crops), plan.recipe, state.seconds / allowed)
            smooth = loss if not smooth else 0.98 * smooth + 0.02 * loss
            state.seconds = time.monotonic() - begun
            show(
                Report(
                    min(1.0, state.seconds / allowed),
                    state.step,
                    state.step * plan.recipe.batch,
                    smooth,
                    left_seconds=allowed - state.seconds,
                )
            )
            if time.monotonic() - saved > _SAVE_SECONDS:
                state.save(plan)
                saved = time.monotonic()
    state.save(plan)
    if plan.dev:
        print(f"dev: {agreement(plan, state.average)}", flush=True)
    return state


def loss_of(logits: Tensor, target: Tensor) -> Tensor:
    """Return the loss of logits ``[N,1,H,W]`` against probabilities ``[N,H,W]``."""
    wanted = target.unsqueeze(1)
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted)
    found = torch.sigmoid(logits)
    both = (found * wanted).sum((1, 2, 3))
    dice = (2 * both + 1) / (found.square().sum((1, 2, 3)) + wanted.square().sum((1, 2, 3)) + 1)
    return 3 * entropy + (1 - dice).mean()


def agreement(plan: Plan, net: GraphNet) -> dict[str, float]:
    """Return the shares of the teacher's boxes that the net finds, and of its own that the teacher has, on ``dev``."""
    teacher = opened(plan.teacher)
    rule = PostProcess(**plan.teacher.postprocess)
    hits, wanted, found = 0, 0, 0
    for file in plan.dev:
        image = cv2.imread(str(file))
        if image is None:
            continue
        picture = np.asarray(image, np.uint8)
        for tile in teacher.tiles(picture):
            pixels = tile.pixels(picture)
            with torch.inference_mode():
                own = torch.sigmoid(net(torch.from_numpy(pixels)[None]))[0, 0].numpy()
            said, ours = boxes_of(teacher.probability(pixels), rule), boxes_of(own, rule)
            hits += _matches(said, ours)
            wanted, found = wanted + len(said), found + len(ours)
    return {"recall": round(hits / max(wanted, 1), 4), "precision": round(hits / max(found, 1), 4)}


def _started(plan: Plan) -> State:
    net = GraphNet(onnx.load_from_string(plan.start.files["fp32"].read()))
    average = deepcopy(net).requires_grad_(False)
    # Normalisations are folded into the weights, whose sizes differ by a factor of thousands: a step is a share of the
    # size of its tensor, as in Adafactor (Shazeer and Stern 2018).
    groups = [{"params": [p], "size": _size(p)} for p in net.parameters()]
    return State(net, average, torch.optim.Adam(groups, lr=plan.recipe.learning_rate))


def _size(weights: Tensor) -> float:
    """Return the root mean square of a tensor of weights."""
    return max(float(weights.detach().square().mean().sqrt()), 1e-3)


def _crops(plan: Plan, step: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Return endless batches; a resumed run draws other ones."""
    crops = PageCrops(
        plan.files, plan.teacher, side=plan.recipe.side_pixels, seed=1_000_003 * plan.recipe.seed + step
    )
    if not plan.workers:
        return iter(DataLoader(crops, plan.recipe.batch))
    # Spawned, because a process that is forked after ONNX Runtime has run waits for its locks.
    return iter(
        DataLoader(
            crops,
            plan.recipe.batch,
            num_workers=plan.workers,
            prefetch_factor=4,
            multiprocessing_context="spawn",
        )
    )


def _step(state: State, batch: tuple[Tensor, Tensor], recipe: Recipe, done: float) -> float:
    rate = min(1.0, done / recipe.warmup) * cosine(done)
    for group in state.optimiser.param_groups:
        group["lr"] = recipe.learning_rate * group["size"] * max(rate, 1e-3)
    pixels, target = batch
    loss = loss_of(state.net(pixels), target)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.net.parameters(), recipe.clip)
    state.optimiser.step()
    state.step += 1
    follow(state.average, state.net, min(recipe.ema, state.step / (state.step + 10)))
    return float(loss.detach())


def _matches(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> int:
    """Return how many pairs of boxes ``[N,4,2]``, each in one pair at most, are the same line."""
    free = [cv2.minAreaRect(box) for box in found]
    for rectangle in map(cv2.minAreaRect, wanted):
        same = next((i for i, other in enumerate(free) if _are_same(rectangle, other)), None)
        if same is not None:
            del free[same]
    return len(found) - len(free)


def _are_same(one: Any, other: Any) -> bool:
    """Return whether two rectangles, as OpenCV has them, share enough of their area to be the same line."""
    _, common = cv2.rotatedRectangleIntersection(one, other)
    if common is None:
        return False
    shared = cv2.contourArea(cv2.convexHull(common))
    return shared >= _SAME * (_area(one) + _area(other) - shared)


def _area(rectangle: Any) -> float:
    return float(rectangle[1][0] * rectangle[1][1])
