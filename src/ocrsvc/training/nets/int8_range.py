"""The range of an INT8 activation, shared by quantisation-aware training and the quantisation of graphs."""

from __future__ import annotations

PERCENTILE = 99.99  # % of an activation's values within its range; the rest is clipped
