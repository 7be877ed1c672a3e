"""State of a training run: the hyperparameters of a stage, the net, its moving average, optimiser and progress."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ocrsvc.recognition.charsets import characters_of
from ocrsvc.recognition.ctc import BLANK
from ocrsvc.training.nets import rounding, teacher
from ocrsvc.training.nets.net import SHAPES, Crnn
from ocrsvc.training.nets.weights import is_folder, load_net


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of one stage, stored in the manifest.

    ``frozen``: the part of the convolutions that is not trained. ``quantised``: simulate INT8 rounding (``rounding``).
    ``bfloat16``: trained convolutions compute in it, twice as fast on processors that multiply it (AVX-512 BF16, AMX),
    slower elsewhere. ``minutes``, if not 0, is a time limit that shortens the schedule. ``frames``: frames per batch.
    Rates are factors of ``learning_rate``. ``first_row``, if not 0: only rows of the head from this class on are
    trained, each only on batches with its character. ``rows``: the same for the characters of a charset specification
    (``charsets``); with ``everywhere`` they are trained on all batches. ``blend``: share of the starting weights, the
    rest being the donor's (``blended``).
    """

    shape: str = "small"
    epochs: float = 6
    minutes: float = 0
    frames: int = 2560
    learning_rate: float = 2.5e-3
    backbone_rate: float = 0.25
    neck_rate: float = 0.3
    head_rate: float = 0.1
    first_row: int = 0
    rows: str = ""
    everywhere: bool = False
    frozen: Literal["all", "low", "none"] = "all"
    quantised: bool = False
    bfloat16: bool = False
    blend: float = 1
    weight_decay: float = 0.02
    ctc: float = 0.6
    kl: float = 1.0
    embedding: float = 1.0
    ema: float = 0.998
    seed: int = 1


def with_minutes(recipe: Recipe, minutes: float | None) -> Recipe:
    """Return the recipe with another time limit, if one is given."""
    return recipe if minutes is None else replace(recipe, minutes=minutes)


@dataclass
class State:
    """State of a run, as a checkpoint holds it."""

    net: Crnn
    average: Crnn
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0
    log: list[dict[str, float]] = field(default_factory=list)

    def save(self, path: Path, recipe: Recipe, charset: str) -> None:
        """Write the checkpoint atomically."""
        building = path.with_suffix(".part")
        content: dict[str, Any] = {
            "shape": recipe.shape,
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "log": self.log,
            "recipe": asdict(recipe),
            "charset": charset,
        }
        torch.save(content, building)
        building.rename(path)

    def load(self, path: Path) -> None:
        """Load a checkpoint; ValueError if its net has another shape."""
        content = torch.load(path, weights_only=True)
        _fits(self.net, content["shape"], path)
        self.net.load_state_dict(content["net"])
        self.average.load_state_dict(content["average"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.step, self.seconds, self.log = content["step"], content["seconds"], content["log"]


def donor_net(shape: str, charset: str, seed: int) -> Crnn:
    """Return a net with the donor's convolutions, neck and class rows, and a BiLSTM whose output is zero."""
    torch.manual_seed(seed)
    net = Crnn(SHAPES[shape], len(charset) + 1)
    teacher.load_donor(net)
    head = teacher.donor_head(shape, charset)
    with torch.no_grad():
        net.head.weight.copy_(torch.from_numpy(head.weight.T.copy()))
        net.head.bias.copy_(torch.from_numpy(head.bias))
    return net


def blended(
    donor: Mapping[str, Tensor], learnt: Mapping[str, Tensor], share: float, charset: str
) -> dict[str, Tensor]:
    """Return weights interpolated between the donor (0) and the trained net (1) by ``share``.

    An interpolated net reads lines unlike the training data better and the others as well (Wortsman et al. 2022,
    WiSE-FT). The BiLSTM and the rows of blank and space are the trained ones: the donor has no equivalent.
    """
    whole = [BLANK, *(i for i, character in enumerate(charset, start=1) if character == " ")]
    between = {}
    for name, weights in learnt.items():
        if "recurrent." in name:
            between[name] = weights
            continue
        between[name] = torch.lerp(donor[name], weights, share)
        if name.startswith("head."):
            between[name][whole] = weights[whole]
    return between


def start(recipe: Recipe, charset: str, initial: Path | None = None) -> State:
    """Return a fresh state of the donor's net or of ``initial``: a checkpoint's averaged weights or a model folder."""
    net = donor_net(recipe.shape, charset, recipe.seed)
    if initial is not None:
        shape, learnt = _weights(initial, charset)
        _fits(net, shape, initial)
        net.load_state_dict(blended(net.state_dict(), learnt, recipe.blend, charset))
    # PyTorch's type stubs lack a memory format without a dtype.
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    backbone = net.backbone
    for part in {"all": [backbone], "low": [backbone.stem, backbone.low], "none": []}[recipe.frozen]:
        part.requires_grad_(False)
    # Lists, not sets: a checkpoint stores the optimiser's moments by the position of their parameter.
    recurrent = list(net.neck.recurrent.parameters())
    lent_neck = [p for name, p in net.neck.named_parameters() if not name.startswith("recurrent.")]
    groups = [
        {"params": [p for p in recurrent if p.ndim >= 2], "scale": 1.0, "weight_decay": recipe.weight_decay},
        {"params": [p for p in recurrent if p.ndim < 2], "scale": 1.0, "weight_decay": 0.0},
        {"params": lent_neck, "scale": recipe.neck_rate, "weight_decay": 0.0},
        {"params": list(net.head.parameters()), "scale": recipe.head_rate, "weight_decay": 0.0},
    ]
    if recipe.frozen != "all":
        free = [p for p in backbone.parameters() if p.requires_grad]
        groups.append({"params": free, "scale": recipe.backbone_rate, "weight_decay": 0.0})
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))
    state = State(net, deepcopy(net), optimiser)
    if recipe.quantised:
        rounding.attach(state.average, iter(rounding.attach(net)))  # scores simulate INT8, too
    return state


def _weights(path: Path, charset: str) -> tuple[str, dict[str, Tensor]]:
    if is_folder(path):
        net, known = load_net(path)
        if known != charset:
            raise ValueError(
                f"the model in {path} has another charset ({len(known)} characters) than training"
            )
        return net.shape.name, net.state_dict()
    content = torch.load(path, weights_only=True)
    return content["shape"], content["average"]


def _fits(net: Crnn, shape: str, path: Path) -> None:
    if shape != net.shape.name:
        raise ValueError(f"{path} holds a net of shape {shape!r}, the recipe wants {net.shape.name!r}")


@torch.no_grad()
def average(state: State, decay: float) -> None:
    """Update the moving average of the trained weights."""
    for a, b in zip(state.average.parameters(), state.net.parameters(), strict=True):
        if b.requires_grad:
            a.lerp_(b, 1 - decay)


def learning_rows(charset: str, first_row: int, rows: str) -> Tensor | None:
    """Return 1 for each class [classes] whose row of the head is trained, else 0; None if all rows are trained."""
    if not first_row and not rows:
        return None
    wanted = characters_of(rows) if rows else ""
    free = [bool(first_row) and i >= first_row for i in range(len(charset) + 1)]
    for i, character in enumerate(charset, start=1):
        free[i] = free[i] or character in wanted
    return torch.tensor(free, dtype=torch.float32)
