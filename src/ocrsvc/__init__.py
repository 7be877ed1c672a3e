"""ocrsvc: a mixed Chinese/English OCR service for machines with CPUs and no GPU."""

__version__ = "0.1.0"
