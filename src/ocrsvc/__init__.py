"""ocrsvc: a mixed Chinese/English OCR service for machines with CPUs and no GPU."""

import os

__version__ = "0.1.0"

# ONNX Runtime 1.31 begins to collect usage data for its makers, in a database in the home folder, when it is imported;
# calling its disable_telemetry_events() is too late. What is done here stays here.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
