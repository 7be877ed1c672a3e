"""The attention decoder of a recogniser: reads again the lines on which CTC is in doubt."""

from __future__ import annotations


def valid_frames(width: int, stride: int) -> int:
    """Return how many frames of a line of ``width`` pixels show it, the frame after its end included."""
    return -(-width // stride) + 1
