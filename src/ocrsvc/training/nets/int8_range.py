"""The range of an INT8 activation, the same while a net learns to be rounded and when its graph is made."""

from __future__ import annotations

PERCENTILE = 99.99  # of an activation's values that its range holds; the rest is clipped
