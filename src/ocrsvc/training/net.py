"""The CRNN as PyTorch modules: PP-OCRv6's LCNetV4 convolutions, a BiLSTM neck and a factorised CTC head.

Shapes: images float32 [N,3,48,W] in (x/255-0.5)/0.5, BGR; features [N,T,384] with T = W/8;
embeddings [N,T,120]; logits [N,T,classes].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

FEATURES = 384
EMBEDDING = 120
WIDTH_STRIDE = 8


class Stem(nn.Module):
    """HGNet-style stem, stride 4: a strided convolution, two branches that see 2x2 windows, a fusing pair."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 48, 3, stride=2, padding=1)
        self.narrow = nn.Conv2d(48, 24, 2)
        self.wide = nn.Conv2d(24, 48, 2)
        self.fuse = nn.Conv2d(96, 48, 3, stride=2, padding=1)
        self.out = nn.Conv2d(48, 96, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N,3,H,W] -> [N,96,H/4,W/4]."""
        x = functional.relu(self.first(x))
        # Padding on the right and bottom only (ONNX SAME_UPPER), as the original was trained.
        branch = functional.relu(self.narrow(functional.pad(x, (0, 1, 0, 1))))
        branch = functional.relu(self.wide(functional.pad(branch, (0, 1, 0, 1))))
        # x >= 0 after ReLU, so that zero padding equals the max-pool's own -inf padding.
        pooled = functional.max_pool2d(functional.pad(x, (0, 1, 0, 1)), 2, stride=1)
        x = functional.relu(self.fuse(torch.cat((pooled, branch), dim=1)))
        return functional.relu(self.out(x))


class SqueezeExcite(nn.Module):
    """Channel gate from the picture's mean (Hu et al. 2018); the mean sees the padding, as it does in serving."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // 4, 1)
        self.excite = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N,C,H,W] -> the same shape, each channel scaled by 0 to 1."""
        gate = self.excite(functional.relu(self.squeeze(x.mean((2, 3), keepdim=True))))
        return x * functional.hardsigmoid(gate)


class Block(nn.Module):
    """LCNetV4 block: depthwise 3x3, optional squeeze-and-excite, 1x1 expand, GELU, 1x1 project, residual."""

    def __init__(self, channels: int, out: int, *, gate: bool, down: bool) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            channels, channels, 3, stride=(2, 1) if down else 1, padding=1, groups=channels
        )
        self.gate = SqueezeExcite(channels) if gate else None
        hidden = channels * 2
        self.expand = nn.Conv2d(channels, hidden, 1)
        self.project = nn.Conv2d(hidden, out, 1)
        self.residual = not down

    def forward(self, x: Tensor) -> Tensor:
        """[N,C,H,W] -> [N,out,H or H/2,W]."""
        x = self.depthwise(x)
        if self.gate is not None:
            x = self.gate(x)
        y = self.project(functional.gelu(self.expand(x)))
        return x + y if self.residual else y


class Backbone(nn.Module):
    """The convolutions of PP-OCRv6 small's recogniser: stem and three stages of LCNetV4 blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()
        self.low = nn.Sequential(
            *(Block(96, 96, gate=i == 0, down=False) for i in range(3)),
            Block(96, 192, gate=False, down=True),
        )
        self.middle = nn.Sequential(
            *(Block(192, 192, gate=i % 2 == 0, down=False) for i in range(6)),
            Block(192, 384, gate=False, down=True),
        )
        self.high = nn.Sequential(
            Block(384, 384, gate=True, down=False),
            Block(384, 384, gate=False, down=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N,3,48,W] -> features [N,W/8,384]."""
        return self.pool(self.high(self.middle(self.low(self.stem(x)))))

    @staticmethod
    def pool(x: Tensor) -> Tensor:
        """[N,384,3,W/4] -> [N,W/8,384]."""
        return functional.avg_pool2d(x, (3, 2)).flatten(2).transpose(1, 2)


class Neck(nn.Module):
    """BiLSTM neck: features to the teacher's 120-dimensional character embedding.

    A linear skip path carries what one frame alone can tell; the recurrent path adds context. ``mix`` is a
    depthwise convolution over 7 frames, so that the BiLSTM need not spend its state on the nearest neighbours.
    """

    def __init__(self, width: int = 160, hidden: int = 160, dropout: float = 0.1) -> None:
        super().__init__()
        self.reduce = nn.Linear(FEATURES, width)
        self.mix = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.lstm = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(2 * hidden, EMBEDDING)
        self.skip = nn.Linear(FEATURES, EMBEDDING)

    def forward(self, features: Tensor) -> Tensor:
        """[N,T,384] -> [N,T,120]."""
        x = functional.hardswish(self.reduce(features))
        x = x + functional.hardswish(self.mix(x.transpose(1, 2)).transpose(1, 2))
        x, _ = self.lstm(self.norm(x))
        embedding: Tensor = self.project(self.dropout(x)) + functional.hardswish(self.skip(features))
        return embedding


@dataclass(frozen=True)
class Shape:
    """Sizes of a CRNN, as recipes and checkpoints carry them."""

    classes: int
    width: int = 160
    hidden: int = 160


class Crnn(nn.Module):
    """Backbone, neck and head in one: images to logits."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.neck = Neck(shape.width, shape.hidden)
        self.head = nn.Linear(EMBEDDING, shape.classes)

    def forward(self, images: Tensor) -> Tensor:
        """[N,3,48,W] -> logits [N,W/8,classes]."""
        logits: Tensor = self.head(self.neck(self.backbone(images)))
        return logits
