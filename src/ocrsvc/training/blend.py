"""Draw a trained stage back towards the model that it began with, by parts.

Weights between two nets of one training read what it did not show better than its end, and nearly all that it did show
(Wortsman et al. 2022, WiSE-FT). Neck and new rows of a stage with ``first_row`` differ in how far that is worth it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from ocrsvc.training.weights import load_net


@dataclass(frozen=True)
class Shares:
    """How far to go from the start to what was learnt, 0 to 1: ``neck``, ``rows`` of the head, and the ``backbone``.

    ``nats`` is added to the bias of the rows from the stage's ``first_row`` on.
    """

    backbone: float = 1.0
    neck: float = 1.0
    rows: float = 1.0
    nats: float = 0.0


def blend(checkpoint: Path, start: Path, shares: Shares, target: Path) -> Path:
    """Write ``target``: the averaged weights of ``checkpoint``, drawn back to the model in the folder ``start``.

    ValueError if the two are nets of different shapes or charsets; FileNotFoundError without the checkpoint.
    """
    if not checkpoint.exists():
        raise FileNotFoundError(f"no {checkpoint}; run `ocrsvc train fit` first")
    content = torch.load(checkpoint, weights_only=True)
    net, charset = load_net(start)
    if content["shape"] != net.shape.name or content["charset"] != charset:
        raise ValueError(f"{checkpoint} and {start} are nets of different shapes or charsets")
    average = _between(net.state_dict(), content["average"], shares, content["recipe"].get("first_row", 0))
    target.parent.mkdir(parents=True, exist_ok=True)
    recipe = {**content["recipe"], "drawn_back": asdict(shares)}
    torch.save({"shape": content["shape"], "average": average, "charset": charset, "recipe": recipe}, target)
    return target


def _between(
    start: dict[str, Tensor], learnt: dict[str, Tensor], shares: Shares, first_row: int
) -> dict[str, Tensor]:
    share = {"backbone": shares.backbone, "neck": shares.neck, "head": shares.rows}
    mixed = {
        name: torch.lerp(start[name], weights, share[name.partition(".")[0]])
        for name, weights in learnt.items()
    }
    mixed["head.bias"][first_row:] += shares.nats
    return mixed
