"""Interpolate the weights of a trained stage with those of its start, separately for each part of the net.

Interpolated weights read lines unlike the training data better than the trained ones do, and lose little on lines
like them (Wortsman et al. 2022, WiSE-FT). After a stage with ``first_row`` or ``rows``, the best share differs
between the neck and the head.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from ocrsvc.recognition.charsets import characters_of
from ocrsvc.training.learning.state import learning_rows
from ocrsvc.training.nets.weights import load_net


@dataclass(frozen=True)
class Shares:
    """Shares of the trained weights, 0 (start) to 1 (trained): ``backbone``, ``neck``, and ``rows`` of the head.

    ``nats`` is added to the bias of the rows that the stage trained, ``nats_of`` to that of single characters (pairs of
    a charset specification, see ``charsets``, and nats), to make signs that look like letters less probable.
    """

    backbone: float = 1.0
    neck: float = 1.0
    rows: float = 1.0
    nats: float = 0.0
    nats_of: tuple[tuple[str, float], ...] = ()


def blend(checkpoint: Path, start: Path, shares: Shares, target: Path) -> Path:
    """Write the averaged weights of ``checkpoint``, interpolated with the model folder ``start``; return ``target``.

    ValueError if the two differ in shape or charset; FileNotFoundError without the checkpoint.
    """
    if not checkpoint.exists():
        raise FileNotFoundError(f"no {checkpoint}; run `ocrsvc train fit` first")
    content = torch.load(checkpoint, weights_only=True)
    net, charset = load_net(start)
    if content["shape"] != net.shape.name or content["charset"] != charset:
        raise ValueError(f"{checkpoint} and {start} are nets of different shapes or charsets")
    recipe = content["recipe"]
    rows = learning_rows(charset, recipe.get("first_row", 0), recipe.get("rows", ""))
    average = _between(net.state_dict(), content["average"], shares, rows)
    for characters, nats in shares.nats_of:
        chosen = characters_of(characters)
        average["head.bias"] += torch.tensor([0.0, *(nats * (each in chosen) for each in charset)])
    target.parent.mkdir(parents=True, exist_ok=True)
    recipe = {**recipe, "drawn_back": asdict(shares)}
    torch.save({"shape": content["shape"], "average": average, "charset": charset, "recipe": recipe}, target)
    return target


def _between(
    start: dict[str, Tensor], learnt: dict[str, Tensor], shares: Shares, rows: Tensor | None
) -> dict[str, Tensor]:
    share = {"backbone": shares.backbone, "neck": shares.neck, "head": shares.rows}
    mixed = {
        name: torch.lerp(start[name], weights, share[name.partition(".")[0]])
        for name, weights in learnt.items()
    }
    mixed["head.bias"] += shares.nats if rows is None else shares.nats * rows
    return mixed
