"""The classic CRNN: VGG convolutions, two BiLSTMs, CTC (Shi, Bai and Yao 2015, arXiv:1507.05717).

Two differences from the paper: batch normalisation follows every convolution, not only two, so that the net learns
from scratch in a fraction of the steps; and the last window is padded by one column, so that T is exactly W/4.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH_STRIDE = 4
GRAY = (0.114, 0.587, 0.299)  # weights of blue, green and red: ITU-R BT.601, as in OpenCV


@dataclass(frozen=True)
class Shape:
    """Sizes: channels of the seven convolutions, units of each direction of a BiLSTM, height of a line in pixels.

    ValueError if there are not seven convolutions or the height is no multiple of 16.
    """

    widths: tuple[int, ...] = (64, 128, 256, 256, 512, 512, 512)
    hidden: int = 256
    height: int = 32

    def __post_init__(self) -> None:
        if len(self.widths) != 7:
            raise ValueError(f"a VGG of this kind has 7 convolutions, not {len(self.widths)}")
        if self.height < 16 or self.height % 16:
            raise ValueError(f"the height must be a multiple of 16 pixels, not {self.height}")


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Convolutions(nn.Module):
    """BGR to gray, six 3x3 convolutions with four pools between them, and one over the remaining height."""

    gray: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        one, two, three, four, five, six, seven = shape.widths
        self.register_buffer("gray", torch.tensor(GRAY).reshape(1, 3, 1, 1), persistent=False)
        self.layers = nn.Sequential(
            _convolution(1, one),
            nn.MaxPool2d(2),
            _convolution(one, two),
            nn.MaxPool2d(2),
            _convolution(two, three),
            _convolution(three, four),
            nn.MaxPool2d((2, 1)),  # from here on only the height is halved, because characters are narrow
            _convolution(four, five),
            _convolution(five, six),
            nn.MaxPool2d((2, 1)),
        )
        self.fold = nn.Conv2d(six, seven, (shape.height // 16, 2), bias=False)
        self.norm = nn.BatchNorm2d(seven)

    def forward(self, images: Tensor) -> Tensor:
        """Map float32 [N,3,H,W] in -1..1 to [N,W/4,F]."""
        x = self.layers((images * self.gray).sum(1, keepdim=True))
        x = functional.relu(self.norm(self.fold(functional.pad(x, (0, 1)))))
        return x.flatten(1, 2).transpose(1, 2)


class Recurrent(nn.Module):
    """Two BiLSTMs, one on top of the other."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N,T,F] to [N,T,2 * hidden], always in float32."""
        y, _ = self.lstm(x.float())
        return y


class Vgg(nn.Module):
    """The whole net: backbone, neck and head, as ``export.Serving`` needs them."""

    def __init__(self, shape: Shape, classes: int) -> None:
        super().__init__()
        self.backbone = Convolutions(shape)
        self.neck = Recurrent(shape.widths[-1], shape.hidden)
        self.head = nn.Linear(2 * shape.hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map float32 [N,3,H,W] in -1..1 to logits float32 [N,W/4,classes]."""
        logits: Tensor = self.head(self.neck(self.backbone(images)))
        return logits
