"""Lines on the device: from columns of pixels to pictures of one bucket, and to what the net gets.

A picture is float32 [N,3,48,W], 0 to 255, BGR. To the right of its line it continues the line's last column, so that
what is bent or blurred across the edge looks like the line's surroundings; ``finished`` puts serving's padding there.
"""

from __future__ import annotations

import torch
from torch import Tensor


def stretched(columns: Tensor, offset: Tensor, source: Tensor, width: Tensor, bucket: int) -> Tensor:
    """Return pictures [N,3,H,bucket] of lines that are ``source`` columns of uint8 [C,3H] from ``offset`` on.

    Each is stretched along the line to ``width`` pixels, bilinearly; all three are int64 [N].
    """
    lines = offset.numel()
    at = torch.arange(bucket, device=columns.device, dtype=torch.float32)[None]
    at = ((at + 0.5) * (source / width)[:, None] - 0.5).clamp(min=0)
    at = torch.minimum(at, (source - 1)[:, None].float())
    low = at.floor()
    part = (at - low)[..., None]
    first = low.long()
    second = torch.minimum(first + 1, (source - 1)[:, None])
    begin = offset[:, None]
    left = columns.index_select(0, (begin + first).flatten()).reshape(lines, bucket, -1).float()
    right = columns.index_select(0, (begin + second).flatten()).reshape(lines, bucket, -1).float()
    pictures = torch.lerp(left, right, part).reshape(lines, bucket, -1, 3)
    return pictures.permute(0, 3, 2, 1).contiguous()


def inside(width: Tensor, bucket: int) -> Tensor:
    """Return whether a column belongs to the line, bool [N,1,1,bucket]."""
    return (torch.arange(bucket, device=width.device)[None] < width[:, None])[:, None, None]


def finished(pictures: Tensor, within: Tensor, pad_value: int) -> Tensor:
    """Return what the net gets, float32 [N,3,48,W] in -1 to 1: whole numbers, ``pad_value`` right of each line."""
    whole = pictures.clamp(0, 255).round_()
    return whole.masked_fill_(~within, pad_value).mul_(2 / 255).sub_(1)
