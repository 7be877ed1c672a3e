"""Our CRNNs as PyTorch modules: LCNetV4 convolutions, a light neck, a residual BiLSTM and a linear CTC head.

Shapes: images float32 [N,3,48,W] in (x/255-0.5)/0.5, BGR; features [N,T,F] with T = W/8; embeddings [N,T,D];
logits [N,T,classes]. Convolutions and neck follow PP-OCRv6 (LCNetV4, LightSVTR) closely enough to load its weights.
The output of the BiLSTM starts at zero, so that step 0 of a training reads as the donor does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

HEIGHT = 48
WIDTH_STRIDE = 8
# gelu(x) is close to x * sigmoid(1.702 x) (Hendrycks & Gimpel 2016): with this factor folded into the weights around
# it, GELU becomes SiLU, which ONNX Runtime computes in INT8 by table.
GELU_SLOPE = 1.702


@dataclass(frozen=True)
class Shape:
    """Sizes of a CRNN. ``stages``: channels of the three stages; ``blocks``: blocks that keep them, per stage;
    ``gates``: distance between blocks with a gate, per stage (0: only the first block has one); ``neck``: its kind,
    ``attention`` (with a branched stem) or ``convolution`` (with a plain stem of ``stem`` channels)."""

    name: str
    stages: tuple[int, int, int]
    blocks: tuple[int, int, int]
    gates: tuple[int, int, int]
    embedding: int
    hidden: int
    neck: Literal["attention", "convolution"] = "convolution"
    stem: int = 24
    donor: str = ""  # the net of PP-OCRv6 that it began as, if that has another name

    @property
    def features(self) -> int:
        """Return the channels of the last stage."""
        return self.stages[2]


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "small": Shape("small", (96, 192, 384), (3, 6, 2), (0, 2, 0), 120, 96, neck="attention", stem=48),
        "tiny": Shape("tiny", (48, 96, 160), (2, 2, 3), (0, 0, 0), embedding=80, hidden=64),
        # `tiny`, widened (widen.py): PP-OCRv6 has no net of this size.
        "medium": Shape(
            "medium", (64, 128, 208), (2, 2, 3), (0, 0, 0), embedding=112, hidden=96, stem=32, donor="tiny"
        ),
    }
)


class BranchedStem(nn.Module):
    """HGNet-style stem, stride 4: a strided convolution, two branches over 2x2 windows, two fusing convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 48, 3, stride=2, padding=1)
        self.narrow = nn.Conv2d(48, 24, 2)
        self.wide = nn.Conv2d(24, 48, 2)
        self.fuse = nn.Conv2d(96, 48, 3, stride=2, padding=1)
        self.out = nn.Conv2d(48, 96, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N,3,H,W] to [N,96,H/4,W/4]."""
        x = functional.relu(self.first(x))
        # Padding on the right and bottom only (ONNX SAME_UPPER), as in the donor.
        branch = functional.relu(self.narrow(functional.pad(x, (0, 1, 0, 1))))
        branch = functional.relu(self.wide(functional.pad(branch, (0, 1, 0, 1))))
        # x >= 0 after ReLU, so zero padding has the effect of the max-pool's own -inf padding.
        pooled = functional.max_pool2d(functional.pad(x, (0, 1, 0, 1)), 2, stride=1)
        x = functional.relu(self.fuse(torch.cat((pooled, branch), dim=1)))
        return functional.relu(self.out(x))


class PlainStem(nn.Module):
    """Two strided convolutions, stride 4."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, shape.stem, 3, stride=2, padding=1)
        self.second = nn.Conv2d(shape.stem, shape.stages[0], 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N,3,H,W] to [N,C,H/4,W/4], C channels of the first stage."""
        return self.second(functional.silu(self.first(x)))


class SqueezeExcite(nn.Module):
    """Channel gate from the picture's mean (Hu et al. 2018); the mean includes the padding, as in serving."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // 4, 1)
        self.excite = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scale each channel of [N,C,H,W] by a factor of 0 to 1."""
        gate = self.excite(functional.relu(self.squeeze(x.mean((2, 3), keepdim=True))))
        return x * functional.hardsigmoid(gate)


class Block(nn.Module):
    """LCNetV4 block: depthwise 3x3, optional squeeze-and-excite, 1x1 expand, SiLU, 1x1 project, residual."""

    def __init__(self, channels: int, out: int, *, gate: bool, down: bool) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            channels, channels, 3, stride=(2, 1) if down else 1, padding=1, groups=channels
        )
        self.gate = SqueezeExcite(channels) if gate else None
        hidden = channels * 2
        self.expand = nn.Conv2d(channels, hidden, 1)
        self.activation = nn.SiLU()
        self.project = nn.Conv2d(hidden, out, 1)
        self.residual = not down

    def forward(self, x: Tensor) -> Tensor:
        """Map [N,C,H,W] to [N,out,H or H/2,W]."""
        x = self.depthwise(x)
        if self.gate is not None:
            x = self.gate(x)
        y = self.project(self.activation(self.expand(x)))
        return x + y if self.residual else y


class Backbone(nn.Module):
    """Stem and three stages of LCNetV4 blocks; the height is halved between stages and pooled away at the end."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.stem = BranchedStem() if shape.neck == "attention" else PlainStem(shape)
        stages = []
        for stage, (channels, count, every) in enumerate(
            zip(shape.stages, shape.blocks, shape.gates, strict=True)
        ):
            blocks = [
                Block(channels, channels, gate=i == 0 or (every > 0 and i % every == 0), down=False)
                for i in range(count)
            ]
            if stage + 1 < len(shape.stages):
                blocks.append(Block(channels, shape.stages[stage + 1], gate=False, down=True))
            stages.append(nn.Sequential(*blocks))
        self.low, self.middle, self.high = stages

    def forward(self, x: Tensor) -> Tensor:
        """Map [N,3,48,W] to features [N,W/8,F]."""
        return self.pool(self.high(self.middle(self.low(self.stem(x)))))

    @staticmethod
    def pool(x: Tensor) -> Tensor:
        """Map [N,F,3,W/4] to [N,W/8,F]."""
        return functional.avg_pool2d(x, (3, 2)).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Pre-norm transformer block over the frames of a line, as in LightSVTR."""

    HEADS = 8

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first_norm = nn.LayerNorm(width, eps=1e-5)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.second_norm = nn.LayerNorm(width, eps=1e-5)
        self.expand = nn.Linear(width, 2 * width)
        self.project = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N,T,D] to [N,T,D]."""
        rows, frames, width = x.shape
        size = width // self.HEADS
        heads = self.query_key_value(self.first_norm(x)).reshape(rows, frames, 3, self.HEADS, size)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        weights = (query * size**-0.5 @ key.transpose(-1, -2)).softmax(-1)
        x = x + self.out((weights @ value).transpose(1, 2).reshape(rows, frames, width))
        return x + self.project(functional.silu(self.expand(self.second_norm(x))))


class Recurrent(nn.Module):
    """A BiLSTM whose output is added to its input; the output is zero until trained (its last layer is zero)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)
        self.project = nn.Linear(2 * hidden, width)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N,T,D] to [N,T,D]."""
        y, _ = self.lstm(x)
        added: Tensor = x + self.project(y)
        return added


class AttentionNeck(nn.Module):
    """LightSVTR and a BiLSTM, from features [N,T,384] to embeddings [N,T,120].

    The skip path sees one frame, ``mix`` 7 frames, attention the whole line. The BiLSTM adds the order of frames, which
    word gaps and runs of similar characters need.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.embedding
        self.skip = nn.Linear(shape.features, width)
        self.reduce = nn.Linear(shape.features, width)
        self.mix = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.attention = nn.Sequential(Attention(width), Attention(width))
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.recurrent = Recurrent(width, shape.hidden)

    def forward(self, features: Tensor) -> Tensor:
        """Map [N,T,384] to [N,T,120]."""
        x = functional.silu(self.reduce(features))
        x = x + functional.silu(self.mix(x.transpose(1, 2)).transpose(1, 2))
        x = self.recurrent(self.norm(self.attention(x)))
        embedding: Tensor = x + functional.silu(self.skip(features))
        return embedding


class ConvolutionNeck(nn.Module):
    """Two convolutions over frames and a BiLSTM, from features [N,T,F] to embeddings [N,T,D]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.features
        self.mix = nn.Conv1d(width, width, 5, padding=2, groups=width)
        self.point = nn.Linear(width, width)
        self.reduce = nn.Linear(width, shape.embedding)
        self.recurrent = Recurrent(shape.embedding, shape.hidden)

    def forward(self, features: Tensor) -> Tensor:
        """Map [N,T,F] to [N,T,D]."""
        x = functional.hardswish(self.mix(features.transpose(1, 2)).transpose(1, 2))
        x = functional.hardswish(self.point(x))
        embedding: Tensor = self.recurrent(self.reduce(x))
        return embedding


class Crnn(nn.Module):
    """The whole net: backbone, neck and head."""

    def __init__(self, shape: Shape, classes: int) -> None:
        super().__init__()
        self.shape = shape
        self.backbone = Backbone(shape)
        self.neck = AttentionNeck(shape) if shape.neck == "attention" else ConvolutionNeck(shape)
        self.head = nn.Linear(shape.embedding, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map [N,3,48,W] to logits [N,W/8,classes]."""
        logits: Tensor = self.head(self.neck(self.backbone(images)))
        return logits


def embed(net: Crnn, images: Tensor, *, bfloat16: bool = False) -> Tensor:
    """Return the embeddings float32 [N,T,D] of images; ``bfloat16`` applies to the convolutions only."""
    embedding: Tensor = net.neck(convolved(net, images, bfloat16=bfloat16))
    return embedding


def convolved(net: Crnn, images: Tensor, *, bfloat16: bool = False) -> Tensor:
    """Return the features float32 [N,T,F] of images; ``bfloat16`` applies to the convolutions."""
    with torch.autocast(images.device.type, torch.bfloat16, enabled=bfloat16):
        features: Tensor = net.backbone(images)
    return features.float()


def normalise(batch: NDArray[np.uint8]) -> Tensor:
    """Convert uint8 [N,48,W,3] to float32 [N,3,48,W] in -1..1, channels last in memory."""
    return ((torch.from_numpy(batch).float() / 255 - 0.5) / 0.5).permute(0, 3, 1, 2)
